#include "job_thread.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <boost/json.hpp>

#include <glasscase/core/log.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>
#include <glasscase/json/strict.h>
#include <glasscase/process/file_io.h>
#include <glasscase/training/translation_recipe.h>
#include <glasscase/working/machine.h>
#include <glasscase/working/remove_folder.h>

#include "progress.h"
#include "translation_job.h"

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
using Ending = rpc::JobEnded;

constexpr char kRunnerPlace[] = "/runner";
constexpr std::string_view kOriginal = "original/";
constexpr uint64_t kPredictionsMax = 2'048;  // in the record
#if defined(__aarch64__)
constexpr char kPlatform[] = "linux/arm64";
#else
constexpr char kPlatform[] = "linux/amd64";
#endif
constexpr size_t kFilesPerFrame = process::kFdsMax;
constexpr size_t kEndBytesMax = 1'000'000;  // of a frame, which has 1 MiB

// A path that stays below where it is put.
bool IsPlain(std::string_view path) {
  if (path.empty() || path.size() > 1'024) return false;
  for (const fs::path& part : fs::path(path))
    if (part == ".." || part == "." || part.empty() || part == "/") return false;
  return path.find('\0') == std::string_view::npos;
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

// Null where somebody else described it, as what is no object.
bj::object* MachineIn(bj::object& record) { return record["machine"].if_object(); }

bj::array Texts(const std::vector<std::string>& texts) { return bj::array(texts.begin(), texts.end()); }

}  // namespace

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
  void OnProgress(double fraction, std::string_view text) { job_.TellProgress(fraction, text); }

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

void JobThread::Start(const rpc::RunJob& job) {
  recipe_text_ = job.recipe();
  kind_ = job.kind();
  original_record_ = job.original_record();
  thread_ = std::thread([this] {
    TellEnd(Do());
    const Status removed = RemoveFolder(folder_);
    if (!removed) LogWarning("something of a job is left: " + removed.error().message());
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

Ended JobThread::NotRun(const Error& error) { return {.ending = EndingBy(error), .reason = error.message()}; }

Ended JobThread::Do() {
  if (kind_ == rpc::RunJob::TRANSLATION) return Translate();
  const auto recipe = training::Recipe::Parse(recipe_text_);
  if (!recipe) return NotRun(recipe.error());
  const Status prepared = Prepare(*recipe);
  if (!prepared) return NotRun(prepared.error());
  if (kind_ == rpc::RunJob::VERIFICATION) return Verify(*recipe);
  Watcher watcher(*this);
  return Execute(*recipe, recipe_text_, watcher);
}

// Into an empty /out. Descriptors of results of before stay good.
Ended JobThread::Execute(const training::Recipe& recipe, const std::string& text, Watcher& watcher) {
  const auto job = JobOf(recipe);
  if (!job) return NotRun(job.error());
  if (const Status placed = PlaceRecipe(text); !placed) return NotRun(placed.error());
  std::error_code code;
  if (const Status removed = RemoveFolder(folder_ + "/out"); !removed) return NotRun(removed.error());
  fs::create_directories(folder_ + "/out", code);
  if (code) return NotRun(Error::FromErrno(code.value(), "cannot make the folder of a job"));
  TellRuns();
  jobs::Executor& executor = job->image.empty() ? place_.executors.of_runners : *place_.executors.of_images;
  const jobs::JobEnd end = executor.Run(*job, watcher);
  Ended ended = EndOf(end, executor.name(), watcher.LogDigest());
  DescribeEnvironment(recipe, end, ended.record);
  if (ended.ending == Ending::SUCCEEDED) Collect(ended);
  return ended;
}

Ended JobThread::Verify(const training::Recipe& recipe) {
  const auto original = TakeOriginal();
  if (!original) return NotRun(original.error());
  Watcher watcher(*this);
  const Comparer comparer(place_.options.comparer, cancel_read_.get());
  return Verification({.recipe = recipe,
                       .original = *original,
                       .comparer = comparer,
                       .execute =
                           [&](const training::Recipe& one) {
                             // What is not the recipe that was asked for has a text of its own.
                             const Result<std::string> text =
                                 &one == &recipe ? recipe_text_ : one.Canonical();
                             return text ? Execute(one, *text, watcher) : NotRun(text.error());
                           },
                       .on_step = [&](std::string_view step) { TellProgress(0, step); }})
      .Run();
}

// An image has libraries of its own, which only its digest tells.
void JobThread::DescribeEnvironment(const training::Recipe& recipe, const jobs::JobEnd& end,
                                    bj::object& record) const {
  bj::object* const machine = MachineIn(record);
  if (machine == nullptr) return;
  if (recipe.environment.image.empty()) {
    (*machine)["libraries"] = DescribeLibraries(place_.options.runners + "/" + recipe.environment.runner);
  } else {
    machine->erase("system");
  }
  if (end.machine.empty() && !place_.options.devices.empty())
    (*machine)["devices"] = DescribeDevices(place_.options.devices);
}

// Where the job does not see them: it could copy them.
Result<Original> JobThread::TakeOriginal() {
  Original original;
  for (auto& [path, file] : originals_)
    original.files.push_back({.path = path, .file = std::move(file), .bytes = 0});
  const auto record = json::Parse(original_record_, {});
  if (record && record->is_object()) original.record = record->get_object();
  if (original.files.empty()) return Fail(Error::Internal("the original result did not come"));
  return original;
}

Ended JobThread::Translate() {
  const auto recipe = training::TranslationRecipe::Parse(recipe_text_);
  if (!recipe) return NotRun(recipe.error());
  const Status prepared = PlaceFiles();
  if (!prepared) return NotRun(prepared.error());
  if (const Status placed = PlaceRecipe(recipe_text_); !placed) return NotRun(placed.error());
  TranslationJob job(*recipe, folder_, place_.options, place_.executors.of_runners);
  const Status possible = job.Check();
  if (!possible) return NotRun(possible.error());

  TellRuns();
  Watcher watcher(*this);
  const jobs::JobEnd end = job.Run(watcher);
  Ended ended = EndOf(end, job.executor_name(), watcher.LogDigest());
  ended.evidence = job.evidence();
  ended.files = job.TakeFiles();
  return ended;
}

void JobThread::TellProgress(double fraction, std::string_view text) {
  rpc::ToCustodian message;
  message.mutable_job_progress()->set_run(run_);
  message.mutable_job_progress()->set_fraction(fraction);
  message.mutable_job_progress()->set_text(std::string(text));
  Tell(std::move(message));
}

void JobThread::TellRuns() {
  rpc::ToCustodian message;
  message.mutable_job_runs()->set_run(run_);
  Tell(std::move(message));
}

Ended JobThread::EndOf(const jobs::JobEnd& end, std::string_view executor, const Digest& log) {
  Ended ended{.reason = end.reason};
  switch (end.ending) {
    case jobs::Ending::kSucceeded: ended.ending = Ending::SUCCEEDED; break;
    case jobs::Ending::kCancelled: ended.ending = Ending::CANCELLED; break;
    case jobs::Ending::kNotStarted: ended.ending = Ending::NOT_RUN; break;
    default: ended.ending = Ending::FAILED; break;
  }
  ended.record = {{"ending", jobs::EndingName(end.ending)},
                  {"executor", executor},
                  {"in_force", Texts(end.in_force)},
                  {"log_sha256", ToHex(log)},
                  {"machine", MachineOf(end)},
                  {"missing", Texts(end.missing)},
                  {"used", bj::object{{"cpu_ms", end.usage.cpu_ms},
                                      {"disk_bytes", end.usage.disk_bytes},
                                      {"log_bytes", end.usage.log_bytes},
                                      {"memory_peak_bytes", end.usage.memory_peak_bytes},
                                      {"wall_ms", end.usage.wall_ms}}}};
  if (!end.image.empty()) ended.record["image"] = end.image;
  return ended;
}

// ---- before ----

Status JobThread::Prepare(const training::Recipe& recipe) {
  GC_TRY_VOID(CheckLimits(recipe));
  return PlaceFiles();
}

Status JobThread::PlaceFiles() {
  std::error_code code;
  GC_TRY_VOID(RemoveFolder(folder_));
  fs::create_directories(folder_ + "/in/data", code);
  fs::create_directories(folder_ + "/out", code);
  if (code) return Fail(Error::FromErrno(code.value(), "cannot make the folder of a job"));
  for (JobInput& input : inputs_) {
    if (input.path.starts_with(kOriginal)) {
      originals_[input.path.substr(kOriginal.size())] = std::move(input.file);
    } else {
      GC_TRY_VOID(PlaceInput(input));
    }
  }
  inputs_.clear();
  return Ok();
}

// In place of the one before.
Status JobThread::PlaceRecipe(const std::string& text) const {
  const std::string path = folder_ + "/in/recipe.json";
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return Fail(Error::FromErrno(errno, "cannot replace " + path));
  GC_TRY(const Fd file, NewFile(path));
  return process::WriteAll(file.get(), AsBytes(text), "cannot write recipe.json");
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
  GC_TRY_VOID(process::ReadPieces(input.file.get(), UINT64_MAX,
                                  "cannot read the input " + Printable(input.path), [&](ByteSpan piece) {
                                    hash.Update(piece);
                                    return process::WriteAll(file.get(), piece, "cannot write " + path);
                                  }));
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
  GC_TRY(const std::string folder,
         FolderOfRunner(place_.options.runners, recipe.environment.runner,
                        recipe.environment.lock.value_or(Digest{}), place_.options.runners_run_here));
  job.mounts = {{.from = folder, .to = kRunnerPlace}};
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
  if (results->predictions) SamplePredictions(*results->predictions, ended);
  if (ended.ending == Ending::SUCCEEDED) ended.files = std::move(results->model);
}

// Predictions that cannot be read are no reason to lose the model: it is said in the record. What is done
// only to compare them is done again where that is our own fault.
void JobThread::SamplePredictions(const training::ResultFile& file, Ended& ended) const {
  auto sample =
      Comparer(place_.options.comparer, cancel_read_.get()).Sample(file.file.get(), kPredictionsMax);
  if (sample) {
    ended.record["predictions"] = *std::move(sample);
    return;
  }
  ended.record["predictions_unread"] = sample.error().message();
  const Ending::Ending by = EndingBy(sample.error());
  if (by == Ending::FAILED || (by == Ending::NOT_RUN && kind_ != rpc::RunJob::VERIFICATION)) return;
  ended.ending = by;
  ended.reason = sample.error().message();
}

rpc::ToCustodian JobThread::EndMessage(const Ended& ended) const {
  rpc::ToCustodian message;
  rpc::JobEnded& end = *message.mutable_job_ended();
  end.set_run(run_);
  end.set_ending(ended.ending);
  end.set_reason(ended.reason);
  end.set_evidence(ended.evidence);
  // What a run measured may be no number that JSON knows; then the rest is not told either.
  end.set_record(json::WriteCanonical(ended.record).value_or("{}"));
  return message;
}

// Whatever a run measured: a message that is too long for the link would end the worker, and others' runs.
rpc::ToCustodian JobThread::ShortEndMessage(Ended& ended) const {
  rpc::ToCustodian message = EndMessage(ended);
  if (message.ByteSizeLong() <= kEndBytesMax) return message;
  if (ended.ending == Ending::SUCCEEDED) ended.ending = Ending::FAILED;
  ended.reason = "what there is to be recorded of it, as metrics, predictions or evidence, is too long: " +
                 std::to_string(message.ByteSizeLong()) + " bytes, where " + std::to_string(kEndBytesMax) +
                 " are the most; write fewer, or shorter names";
  ended.files.clear();
  ended.evidence.clear();
  ended.record.clear();
  return EndMessage(ended);
}

void JobThread::TellEnd(Ended ended) {
  rpc::ToCustodian end = ShortEndMessage(ended);
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
  Tell(std::move(end));
}

}  // namespace glasscase::working
