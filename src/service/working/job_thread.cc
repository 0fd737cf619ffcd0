#include "job_thread.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <boost/json.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>
#include <glasscase/working/machine.h>

#include "progress.h"

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
using Ending = rpc::JobEnded;

constexpr char kRunnerPlace[] = "/runner";
#if defined(__aarch64__)
constexpr char kPlatform[] = "linux/arm64";
#else
constexpr char kPlatform[] = "linux/amd64";
#endif
constexpr size_t kFilesPerFrame = process::kFdsMax;

// A path that stays below where it is put.
bool IsPlain(std::string_view path) {
  if (path.empty() || path.size() > 1'024) return false;
  for (const fs::path& part : fs::path(path))
    if (part == ".." || part == "." || part.empty() || part == "/") return false;
  return path.find('\0') == std::string_view::npos;
}

Status Write(int file, const std::string& path, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(Error::FromErrno(errno, "cannot write " + path));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Ok();
}

// Read-only for everybody: a run may be done by another user.
Result<Fd> NewFile(const std::string& path) {
  std::error_code code;
  fs::create_directories(fs::path(path).parent_path(), code);
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot make " + path));
  return file;
}

bj::value MachineOf(const jobs::JobEnd& end) {
  if (end.machine.empty()) return DescribeMachine();
  boost::system::error_code code;
  return bj::parse(end.machine, code);  // null where it is no JSON
}

bj::array Texts(const std::vector<std::string>& texts) { return bj::array(texts.begin(), texts.end()); }

}  // namespace

struct JobThread::Ended {
  Ending::Ending ending = Ending::NOT_RUN;
  std::string reason{};
  bj::object record{};
  std::vector<training::ResultFile> files{};
};

class JobThread::Watcher final : public jobs::JobWatcher {
 public:
  explicit Watcher(JobThread& job)
      : job_(job),
        progress_([this](double fraction, std::string_view text) { OnProgress(fraction, text); }) {}

  void OnLog(std::string_view bytes) override {
    rpc::ToCustodian message;
    message.mutable_job_log()->set_run(job_.run_);
    message.mutable_job_log()->set_text(std::string(bytes));
    job_.Tell(std::move(message));
    log_.Update(AsBytes(bytes));
    progress_.Take(bytes);
  }
  int cancel_fd() const override { return job_.cancel_read_.get(); }
  Digest LogDigest() { return log_.Finish(); }

 private:
  void OnProgress(double fraction, std::string_view text) {
    rpc::ToCustodian message;
    message.mutable_job_progress()->set_run(job_.run_);
    message.mutable_job_progress()->set_fraction(fraction);
    message.mutable_job_progress()->set_text(std::string(text));
    job_.Tell(std::move(message));
  }

  JobThread& job_;
  ProgressReader progress_;
  Sha256Stream log_;
};

JobThread::JobThread(Place place, std::string run)
    : place_(std::move(place)),
      run_(std::move(run)),
      folder_(place_.options.folder + "/" + Uuid::FromBytes(run_).value_or(Uuid{}).ToString()),
      cancel_read_(::eventfd(0, EFD_CLOEXEC)),
      cancel_write_(::fcntl(cancel_read_.get(), F_DUPFD_CLOEXEC, 0)) {}

JobThread::~JobThread() {
  alive_.reset();
  Cancel();
  if (thread_.joinable()) thread_.join();
}

void JobThread::Cancel() {
  const uint64_t one = 1;
  (void)!::write(cancel_write_.get(), &one, sizeof one);
}

void JobThread::Start(std::string recipe) {
  recipe_text_ = std::move(recipe);
  thread_ = std::thread([this] {
    TellEnd(Do());
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    place_.loop.Post([alive = is_alive_, ended = place_.ended] {
      if (!alive.expired()) ended();
    });
  });
}

void JobThread::Tell(rpc::ToCustodian message, std::vector<Fd> fds) {
  // A callback of the loop can be copied, descriptors cannot.
  auto held = std::make_shared<std::vector<Fd>>(std::move(fds));
  place_.loop.Post([alive = is_alive_, say = place_.say, message = std::move(message), held] {
    if (!alive.expired()) say(message, std::move(*held));
  });
}

JobThread::Ended JobThread::Do() {
  const auto not_run = [](const Error& error) {
    const bool their_fault =
        error.code() == Code::kInvalidArgument || error.code() == Code::kFailedPrecondition;
    return Ended{.ending = their_fault ? Ending::FAILED : Ending::NOT_RUN, .reason = error.message()};
  };
  const auto recipe = training::Recipe::Parse(recipe_text_);
  if (!recipe) return not_run(recipe.error());
  const Status prepared = Prepare(*recipe);
  if (!prepared) return not_run(prepared.error());
  const auto job = JobOf(*recipe);
  if (!job) return not_run(job.error());

  rpc::ToCustodian runs;
  runs.mutable_job_runs()->set_run(run_);
  Tell(std::move(runs));
  Watcher watcher(*this);
  jobs::Executor& executor = job->image.empty() ? place_.executors.of_runners : *place_.executors.of_images;
  const jobs::JobEnd end = executor.Run(*job, watcher);
  Ended ended{.reason = end.reason};
  switch (end.ending) {
    case jobs::Ending::kSucceeded: ended.ending = Ending::SUCCEEDED; break;
    case jobs::Ending::kCancelled: ended.ending = Ending::CANCELLED; break;
    case jobs::Ending::kNotStarted: ended.ending = Ending::NOT_RUN; break;
    default: ended.ending = Ending::FAILED; break;
  }
  ended.record = {{"ending", jobs::EndingName(end.ending)},
                  {"executor", executor.name()},
                  {"in_force", Texts(end.in_force)},
                  {"log_sha256", ToHex(watcher.LogDigest())},
                  {"machine", MachineOf(end)},
                  {"missing", Texts(end.missing)},
                  {"used", bj::object{{"cpu_ms", end.usage.cpu_ms},
                                      {"disk_bytes", end.usage.disk_bytes},
                                      {"log_bytes", end.usage.log_bytes},
                                      {"memory_peak_bytes", end.usage.memory_peak_bytes},
                                      {"wall_ms", end.usage.wall_ms}}}};
  if (!end.image.empty()) ended.record["image"] = end.image;
  if (ended.ending == Ending::SUCCEEDED) Collect(ended);
  return ended;
}

// ---- before ----

Status JobThread::Prepare(const training::Recipe& recipe) {
  GC_TRY_VOID(CheckLimits(recipe));
  std::error_code code;
  fs::remove_all(folder_, code);
  fs::create_directories(folder_ + "/in/data", code);
  fs::create_directories(folder_ + "/out", code);
  if (code) return Fail(Error::FromErrno(code.value(), "cannot make the folder of a job"));
  for (const JobInput& input : inputs_) GC_TRY_VOID(PlaceInput(input));
  inputs_.clear();
  GC_TRY(const Fd file, NewFile(folder_ + "/in/recipe.json"));
  return Write(file.get(), "recipe.json", AsBytes(recipe_text_));
}

Status JobThread::CheckLimits(const training::Recipe& recipe) const {
  const auto check = [](std::string_view what, uint64_t asked, uint64_t most) -> Status {
    if (asked <= most) return Ok();
    return Fail(Error::InvalidArgument("the recipe asks for " + std::to_string(asked) + " " +
                                       std::string(what) + ", this worker gives at most " +
                                       std::to_string(most)));
  };
  const jobs::Limits& most = place_.options.most;
  GC_TRY_VOID(check("cpus", recipe.limits.cpus, most.cpus));
  GC_TRY_VOID(check("bytes of memory", recipe.limits.memory_bytes, most.memory_bytes));
  GC_TRY_VOID(check("bytes of disk", recipe.limits.disk_bytes, most.disk_bytes));
  GC_TRY_VOID(check("processes", recipe.limits.processes, most.processes));
  return check("seconds", recipe.limits.wall_s, static_cast<uint64_t>(most.wall_ms / 1000));
}

// A copy, digested on the way: what the run reads is what was registered.
Status JobThread::PlaceInput(const JobInput& input) const {
  if (!IsPlain(input.path))
    return Fail(Error::Internal("an input with a path that leads elsewhere: " + Printable(input.path)));
  const std::string path = folder_ + "/in/" + input.path;
  GC_TRY(const Fd file, NewFile(path));
  Sha256Stream hash;
  std::vector<uint8_t> buffer(size_t{1} << 20);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(input.file.get(), buffer.data(), buffer.size(), at);
    if (got < 0) return Fail(Error::FromErrno(errno, "cannot read the input " + Printable(input.path)));
    if (got == 0) break;
    const ByteSpan piece(buffer.data(), static_cast<size_t>(got));
    hash.Update(piece);
    GC_TRY_VOID(Write(file.get(), path, piece));
    at += got;
  }
  if (hash.Finish() == input.sha256) return Ok();
  return Fail(Error::DataLoss("the input " + Printable(input.path) +
                              " has other bytes than were registered; `glasscase fsck`"));
}

Result<jobs::Job> JobThread::JobOf(const training::Recipe& recipe) const {
  jobs::Job job{
      .folder = folder_, .command = recipe.command, .umask = recipe.umask, .limits = place_.options.most};
  GC_TRY_VOID(recipe.environment.image.empty() ? SetRunner(recipe, job) : SetImage(recipe, job));
  job.limits.cpus = recipe.limits.cpus;
  job.limits.memory_bytes = recipe.limits.memory_bytes;
  job.limits.disk_bytes = recipe.limits.disk_bytes;
  job.limits.processes = recipe.limits.processes;
  job.limits.wall_ms = int64_t{recipe.limits.wall_s} * 1000;
  return job;
}

Status JobThread::SetRunner(const training::Recipe& recipe, jobs::Job& job) const {
  const std::vector<InstalledRunner> runners = ListRunners(place_.options.runners);
  const auto runner = std::find_if(runners.begin(), runners.end(), [&](const InstalledRunner& one) {
    return one.name == recipe.environment.runner;
  });
  if (runner == runners.end())
    return Fail(Error::FailedPrecondition("this worker has no runner " + recipe.environment.runner));
  if (runner->lock != recipe.environment.lock)
    return Fail(Error::FailedPrecondition("the runner " + runner->name +
                                          " of this worker has the lock file " + ToHex(runner->lock) +
                                          ", the recipe names another"));
  job.mounts = {{.from = place_.options.runners + "/" + runner->name, .to = kRunnerPlace}};
  job.environment = recipe.Variables(std::string(kRunnerPlace) + "/bin:/usr/bin");
  return Ok();
}

// The image says itself where its programs are.
Status JobThread::SetImage(const training::Recipe& recipe, jobs::Job& job) const {
  if (place_.executors.of_images == nullptr)
    return Fail(
        Error::FailedPrecondition("this worker runs no images, only runners: " + recipe.environment.image));
  if (recipe.environment.platform != kPlatform)
    return Fail(Error::FailedPrecondition("this worker is " + std::string(kPlatform) +
                                          ", the recipe's image is for " + recipe.environment.platform));
  job.image = recipe.environment.image;
  job.environment = recipe.Variables("");
  job.environment.erase("PATH");
  return Ok();
}

// ---- afterwards ----

void JobThread::Collect(Ended& ended) const {
  const Fd out(::open((folder_ + "/out").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  auto results = out.valid() ? training::ReadResults(out.get())
                             : Fail(Error::FromErrno(errno, "cannot read the results"));
  if (!results) {
    ended.ending = Ending::FAILED;
    ended.reason = results.error().message();
    return;
  }
  bj::object metrics;
  for (const auto& [name, value] : results->metrics) metrics[name] = value;
  ended.record["metrics"] = std::move(metrics);
  ended.files = std::move(results->model);
}

void JobThread::TellEnd(Ended ended) {
  for (size_t first = 0; first < ended.files.size(); first += kFilesPerFrame) {
    rpc::ToCustodian message;
    message.mutable_job_results()->set_run(run_);
    std::vector<Fd> fds;
    for (size_t i = first; i < std::min(first + kFilesPerFrame, ended.files.size()); ++i) {
      rpc::JobFile& file = *message.mutable_job_results()->add_files();
      file.set_path(ended.files[i].path);
      file.set_bytes(ended.files[i].bytes);
      fds.push_back(std::move(ended.files[i].file));
    }
    Tell(std::move(message), std::move(fds));
  }
  rpc::ToCustodian message;
  rpc::JobEnded& end = *message.mutable_job_ended();
  end.set_run(run_);
  end.set_ending(ended.ending);
  end.set_reason(ended.reason);
  // What a run measured may be no number that JSON knows; then the rest is not told either.
  end.set_record(json::WriteCanonical(ended.record).value_or("{}"));
  Tell(std::move(message));
}

}  // namespace glasscase::working
