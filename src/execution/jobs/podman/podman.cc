#include <glasscase/jobs_podman/podman.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include <boost/json.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/jobs/image_name.h>
#include <glasscase/jobs/last_words.h>
#include <glasscase/jobs/namespaces.h>
#include <glasscase/jobs/status_pipe.h>
#include <glasscase/jobs/supervise.h>

#include "bundle.h"

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;

constexpr int kStatusFd = 3;
constexpr int kCredentialsFd = 4;
// glasscase-enclose outside, the same as first process of its namespace, the same inside; then the job.
constexpr unsigned kOwnDepth = 3;
// Podman and the runtime have threads while they make the container.
constexpr uint32_t kOwnProcesses = 64;
constexpr int64_t kLookMs = 60'000;      // the most that a look at the images may take
constexpr char kRunning[] = "/dev/shm";  // of the job's own namespace: what Podman notes of a running system
constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// In the job's own mount namespace: the image below, an empty layer above it for /in, /out and the like, both
// gone with the namespace. Runs to the point where the runtime has started the container.
constexpr char kStart[] = R"(set -e
place=$1 config=$2 runtime=$3 image=$4; shift 4
mount -t tmpfs -o mode=755,size=16m place "$place"
layer=$("$@" image mount "$image")
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=$layer,upperdir=$place/upper,workdir=$place/work,userxattr" job "$place/root"
ln -s "$config" "$place/config.json"
exec "$runtime" --root "$place/state" run --detach --bundle "$place" --pid-file "$place/pid" job
)";

// What glasscase-enclose says is lines of a word and a number: "pid 7", "began", "ended 0".
std::optional<int> Number(const std::string& said, std::string_view word) {
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line) && !lines.eof();)
    if (line.starts_with(word)) return std::atoi(line.c_str() + word.size());
  return std::nullopt;
}

// Keeps nothing, and passes a wish to cancel on.
class Quiet final : public JobWatcher {
 public:
  explicit Quiet(const JobWatcher* asked) : asked_(asked) {}
  void OnLog(std::string_view) override {}
  int cancel_fd() const override { return asked_ != nullptr ? asked_->cancel_fd() : -1; }

 private:
  const JobWatcher* asked_;
};

struct Outcome {
  JobEnd end;
  bool has_begun = false;            // the container
  std::optional<int> wait_status{};  // nothing when it was killed
  std::string last;                  // line of what it printed

  bool Succeeded() const { return end.ending == Ending::kSucceeded; }
  // By something else than its own exit: a limit, a wish to cancel.
  bool WasEnded() const { return end.ending != Ending::kSucceeded && end.ending != Ending::kFailed; }
};

// An image as the store has it.
struct StoredImage {
  std::string id;
  std::string digest;
  std::map<std::string, std::string> environment{};
};

JobEnd Ended(Ending ending, std::string reason) { return {.ending = ending, .reason = std::move(reason)}; }

JobEnd NotStarted(const std::string& reason) {
  return Ended(Ending::kNotStarted, "the container could not be made: " + reason);
}

class Podman final : public Executor {
 public:
  explicit Podman(PodmanOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "podman"; }

  Status Check() const override {
    for (const std::string* program : {&options_.podman, &options_.runtime, &options_.enclose})
      if (::access(program->c_str(), X_OK) != 0)
        return Fail(Error::Unavailable("images cannot be run: " + *program + " is not there"));
    GC_TRY_VOID(CheckDevices(options_.devices));
    if (options_.images.find_first_of(",:\\") != std::string::npos)
      return Fail(Error::Unavailable("images cannot be kept in a folder with , : or \\ in its name: " +
                                     options_.images));
    GC_TRY(const Outcome seen, Ask({"info", "--format", "{{.Store.GraphDriverName}}"}, kLookMs, nullptr));
    if (seen.Succeeded() && seen.last == "overlay") return Ok();
    return Fail(
        Error::Unavailable("images cannot be run: " + (seen.last.empty() ? seen.end.reason : seen.last)));
  }

  JobEnd Run(const Job& job, JobWatcher& watcher) override {
    const auto name = ImageName::Parse(job.image);
    if (!name) return Ended(Ending::kFailed, name.error().message());
    const Status may_be_taken = CheckRegistry(*name, options_.registries);
    if (!may_be_taken) return Ended(Ending::kFailed, may_be_taken.error().message());
    auto image = Find(*name);
    if (!image) {
      JobEnd fetched = Fetch(*name, watcher);
      if (fetched.ending != Ending::kSucceeded) return fetched;
      image = Find(*name);
    }
    if (!image) return NotStarted(image.error().message());
    return RunIn(*image, job, watcher);
  }

 private:
  // ---- the store ----

  Result<StoredImage> Find(const ImageName& name) const {
    GC_TRY(const Outcome seen,
           Ask({"image", "inspect", "--format",
                R"({"id":{{json .ID}},"digest":{{json .Digest}},"env":{{json .Config.Env}}})", name.text},
               kLookMs, nullptr));
    if (!seen.Succeeded()) return Fail(Error::NotFound(seen.last));
    boost::system::error_code code;
    const bj::value facts = bj::parse(seen.last, code);
    if (code || !facts.is_object())
      return Fail(Error::Internal("podman says of an image: " + Printable(seen.last)));
    const auto text = [&](const char* member) {
      const bj::value* value = facts.as_object().if_contains(member);
      return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
    };
    StoredImage image{.id = text("id"), .digest = text("digest")};
    const bj::value* variables = facts.as_object().if_contains("env");
    if (variables == nullptr || !variables->is_array()) return image;
    for (const bj::value& one : variables->as_array()) {
      const std::string variable = one.is_string() ? std::string(one.as_string()) : "";
      const size_t sign = variable.find('=');
      if (sign != std::string::npos) image.environment[variable.substr(0, sign)] = variable.substr(sign + 1);
    }
    return image;
  }

  JobEnd Fetch(const ImageName& name, const JobWatcher& watcher) const {
    std::vector<std::string> words = {"pull", "--quiet"};
    words.emplace_back(name.IsOnLoopback() ? "--tls-verify=false" : "--tls-verify=true");
    words.emplace_back("--authfile=/proc/self/fd/" + std::to_string(kCredentialsFd));
    words.push_back(name.text);
    const auto outcome = Ask(words, options_.fetch_ms, &watcher);
    if (!outcome) return NotStarted(outcome.error().message());
    if (outcome->Succeeded() || outcome->end.ending == Ending::kCancelled) return outcome->end;
    const std::string what = "the image " + name.text + " could not be fetched: ";
    if (outcome->WasEnded()) return Ended(Ending::kNotStarted, what + outcome->end.reason);
    return Ended(IsRefusalOfRegistry(outcome->last) ? Ending::kFailed : Ending::kNotStarted,
                 what + Printable(outcome->last, 600));
  }

  std::vector<std::string> PodmanWords() const {
    return {options_.podman, "--root", options_.images + "/store", "--runroot",
            kRunning + std::string("/run"), "--tmpdir", kRunning + std::string("/tmp"), "--storage-driver",
            "overlay",
            // Every file of an image belongs to the one user that there is.
            "--storage-opt", "overlay.ignore_chown_errors=true", "--cgroup-manager", "cgroupfs",
            "--events-backend", "none", "--log-level", "error"};
  }

  Result<Outcome> Ask(const std::vector<std::string>& words, int64_t most_ms, const JobWatcher* asked) const {
    std::vector<std::string> command = PodmanWords();
    command.insert(command.end(), words.begin(), words.end());
    const Job job{.folder = options_.images,
                  .command = command,
                  .limits = {.memory_bytes = uint64_t{4} << 30, .log_bytes = 1 << 20, .wall_ms = most_ms}};
    Quiet quiet(asked);
    return Enclose(command, "", job, JobCgroup::None(), quiet);
  }

  // ---- the job ----

  JobEnd RunIn(const StoredImage& image, const Job& job, JobWatcher& watcher) const {
    std::string place = job.folder + "/container-XXXXXX";
    if (::mkdtemp(place.data()) == nullptr || ::chmod(place.c_str(), 0755) != 0)
      return NotStarted("cannot make a folder in " + job.folder);
    const std::string config = place + ".json";
    Bundle bundle{.enclose = options_.enclose, .devices = options_.devices, .environment = image.environment};
    bundle.environment.try_emplace("PATH", kPath);
    for (const auto& [name, value] : job.environment) bundle.environment[name] = value;
    if (!(std::ofstream(config) << DescribeContainer(job, bundle)).flush())
      return NotStarted("cannot write " + config);
    std::vector<std::string> command = {"/bin/sh", "-c",   kStart,           "start",
                                        place,     config, options_.runtime, image.id};
    for (const std::string& word : PodmanWords()) command.push_back(word);
    const JobCgroup cgroup = JobCgroup::Make(options_.cgroups, job.limits, kOwnProcesses);
    auto outcome = Enclose(command, place + "/pid", job, cgroup, watcher);
    ::rmdir(place.c_str());
    ::unlink(config.c_str());
    if (!outcome) return NotStarted(outcome.error().message());
    JobEnd end = Explain(std::move(*outcome));
    end.image = image.digest;
    end.in_force = LimitsInForce(job.limits, "its inputs, its results and the image, nothing of this machine",
                                 options_.devices, cgroup);
    end.missing = LimitsMissing(cgroup);
    return end;
  }

  static JobEnd Explain(Outcome outcome) {
    JobEnd& end = outcome.end;
    if (outcome.WasEnded()) return end;
    if (!outcome.has_begun || !outcome.wait_status) {
      const Usage used = end.usage;
      end = NotStarted(Printable(outcome.last, 600));
      end.usage = used;
    } else if (end.ending == Ending::kFailed) {
      ExplainExit(end, outcome.last);
    }
    return end;
  }

  // ---- both ----

  // Runs a command in namespaces of its own, and what it leaves in `pid_file`.
  Result<Outcome> Enclose(const std::vector<std::string>& command, const std::string& pid_file,
                          const Job& job, const JobCgroup& cgroup, JobWatcher& watcher) const {
    GC_TRY(StatusPipe status, StatusPipe::Make());
    GC_TRY(const Fd credentials, Credentials());
    GC_TRY(Child child,
           StartChild(LaunchOf(command, pid_file, job, status.write_end(), credentials.get(), cgroup.fd())));
    status.CloseWriteEnd();
    const auto first = status.WaitFor([](const std::string& said) { return Number(said, "pid "); });
    const Fd inside = first ? OpenProcess(*first) : Fd();
    const Fd outside(::fcntl(child.handle.get(), F_DUPFD_CLOEXEC, 0));
    const Sandbox sandbox{.own_depth = pid_file.empty() ? kOwnDepth - 1 : kOwnDepth,
                          .kill =
                              [&] {
                                KillProcess(outside);
                                KillProcess(inside);
                              },
                          .ended = [&] { return HasEnded(inside); },
                          .cgroup = cgroup};
    LastWords words(watcher);
    Outcome outcome{.end = Supervise(std::move(child), job, sandbox, words), .last = {}};
    const std::string& said = status.ReadAll();
    outcome.has_begun = said.find("began\n") != std::string::npos;
    outcome.wait_status = Number(said, "ended ");
    outcome.last = words.Line();
    return outcome;
  }

  // In a file without a name. A job's container is made without it.
  Result<Fd> Credentials() const {
    Fd file(::memfd_create("credentials", MFD_CLOEXEC));
    const std::string& text = options_.credentials.empty() ? std::string("{}") : options_.credentials;
    if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      return Fail(Error::FromErrno(errno, "cannot make a file in memory"));
    if (options_.user && ::fchown(file.get(), *options_.user, *options_.user) != 0)
      return Fail(Error::FromErrno(errno, "cannot give a file in memory away"));
    return file;
  }

  Launch LaunchOf(const std::vector<std::string>& command, const std::string& pid_file, const Job& job,
                  int status_fd, int credentials_fd, int cgroup) const {
    const std::string user = std::to_string(options_.user.value_or(::geteuid()));
    Launch launch{.command = {options_.enclose, "outside", std::to_string(kStatusFd), pid_file},
                  // The names by which Podman knows that its namespaces are made already.
                  .environment = {{"PATH", kPath},
                                  {"HOME", options_.images},
                                  {"TMPDIR", options_.images},
                                  {"XDG_RUNTIME_DIR", kRunning},
                                  {"_CONTAINERS_USERNS_CONFIGURED", "done"},
                                  {"_CONTAINERS_ROOTLESS_UID", user},
                                  {"_CONTAINERS_ROOTLESS_GID", user}},
                  .descriptors = {{status_fd, kStatusFd}},
                  .user = options_.user,
                  .limits = {{RLIMIT_CORE, 0}},
                  .cpus = pid_file.empty() ? 0 : job.limits.cpus,
                  .leases = options_.leases,
                  .cgroup = cgroup};
    if (pid_file.empty()) launch.descriptors.emplace_back(credentials_fd, kCredentialsFd);
    launch.command.insert(launch.command.end(), command.begin(), command.end());
    return launch;
  }

  PodmanOptions options_;
};

}  // namespace

std::unique_ptr<Executor> MakePodman(PodmanOptions options) {
  return std::make_unique<Podman>(std::move(options));
}

}  // namespace glasscase::jobs
