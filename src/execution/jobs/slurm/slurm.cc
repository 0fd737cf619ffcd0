#include <glasscase/jobs_slurm/slurm.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <glasscase/core/bytes.h>
#include <glasscase/jobs/child.h>
#include <glasscase/process/file_io.h>

#include "job_file.h"
#include "job_state.h"

namespace glasscase::jobs {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{50};           // for its log and its end, files on the shared system
constexpr milliseconds kAskSlurm{2'000};    // how its job does
constexpr milliseconds kAnswer{30'000};     // the most that one of Slurm's programs may take
constexpr milliseconds kKillAfter{10'000};  // beyond the grace, for a job that does not end
constexpr milliseconds kFinal{10'000};      // until a job that has ended has its last state
constexpr int64_t kMinuteMs = 60'000;
constexpr uint64_t kOwnMemoryMiB = 64;  // of the program on the node, beside the job's

struct Answer {
  int code = -1;
  std::string text;
};

std::string LastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

// One job, from sbatch to its end.
class BatchJob {
 public:
  BatchJob(const SlurmOptions& options, const Job& job, JobWatcher& watcher)
      : options_(options), job_(job), watcher_(watcher) {}

  JobEnd Run() {
    Status submitted = Submit();
    if (!submitted) {
      Remove();
      return {.ending = Ending::kNotStarted, .reason = submitted.error().message()};
    }
    JobEnd end = Wait();
    PassLogOn();
    end.usage.log_bytes = std::max(end.usage.log_bytes, logged_);
    if (end.usage.wall_ms == 0)
      end.usage.wall_ms = std::chrono::duration_cast<milliseconds>(Clock::now() - begun_).count();
    end.in_force.push_back("processors and memory: given by Slurm to its job " + id_);
    Remove();
    return end;
  }

  static Result<Answer> Ask(const SlurmOptions& options, std::vector<std::string> words) {
    words[0] = options.programs + "/" + words[0];
    Launch launch{.command = words, .environment = options.environment};
    launch.environment.try_emplace("PATH", "/usr/bin:/bin");
    GC_TRY(Child child, StartChild(launch));
    Answer answer;
    const auto deadline = Clock::now() + kAnswer;
    for (bool open = true; open;) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
      pollfd wait{.fd = child.output.get(), .events = POLLIN, .revents = 0};
      if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) ::kill(child.pid, SIGKILL);
      char piece[4'096];
      const ssize_t got = ::read(child.output.get(), piece, sizeof piece);
      if (got > 0) answer.text.append(piece, static_cast<size_t>(got));
      open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR) && left > 0);
    }
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    answer.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return answer;
  }

 private:
  // How often we are to be seen alive.
  milliseconds Show() const { return milliseconds(options_.patience_ms / 10); }
  std::string PathOf(const char* name) const { return folder_ + "/" + name; }

  Status Submit() {
    folder_ = job_.folder + "/slurm-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr || ::chmod(folder_.c_str(), 0755) != 0)
      return Fail(Error::FromErrno(errno, "cannot make a folder in " + job_.folder));
    GC_TRY_VOID(WriteText(PathOf(kJobFile), WriteJob({.job = job_, .patience_ms = options_.patience_ms})));
    GC_TRY_VOID(WriteText(PathOf(kAliveFile), ""));
    GC_TRY_VOID(WriteText(PathOf("script"), Script()));
    GC_TRY(const Answer answer, Ask(options_, SubmitWords()));
    // "17", or "17;cluster"
    id_ = answer.text.substr(0, answer.text.find_first_not_of("0123456789"));
    if (answer.code == 0 && !id_.empty()) return Ok();
    return Fail(Error::Unavailable("Slurm did not take the job: " + Printable(LastLine(answer.text), 600)));
  }

  std::string Script() const {
    std::string script = "#!/bin/sh\nexec";
    const auto add = [&](const std::string& word) {
      script += " '";
      for (const char c : word) script += c == '\'' ? std::string("'\\''") : std::string(1, c);
      script += "'";
    };
    for (const std::string& word : options_.on_node) add(word);
    add(PathOf(kJobFile));
    return script + "\n";
  }

  std::vector<std::string> SubmitWords() const {
    const Limits& limits = job_.limits;
    // Ours end the job first, with the reason; Slurm's are for a node where ours do not.
    const int64_t minutes = (limits.wall_ms + limits.grace_ms + 2 * kMinuteMs - 1) / kMinuteMs;
    std::vector<std::string> words = {
        "sbatch",
        "--parsable",
        "--job-name=glasscase",
        "--export=ALL",  // of nothing but PATH: otherwise the node would look for the user's
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        "--input=/dev/null",
        "--chdir=/tmp",
        "--output=" + PathOf(kSlurmFile),
        "--cpus-per-task=" + std::to_string(limits.cpus),
        "--mem=" + std::to_string((limits.memory_bytes >> 20) + kOwnMemoryMiB) + "M",
        "--time=" + std::to_string(minutes)};
    if (!options_.partition.empty()) words.push_back("--partition=" + options_.partition);
    words.insert(words.end(), options_.words.begin(), options_.words.end());
    words.push_back(PathOf("script"));
    return words;
  }

  JobEnd Wait() {
    while (true) {
      WaitForLook();
      const auto now = Clock::now();
      if (now >= show_at_) {
        ::utimensat(AT_FDCWD, PathOf(kAliveFile).c_str(), nullptr, 0);
        show_at_ = now + Show();
      }
      PassLogOn();
      if (auto end = EndThatWasWritten()) return *std::move(end);
      if (kill_at_ && now >= *kill_at_) {
        Tell({"scancel", id_});
        kill_at_ = now + kKillAfter;
      }
      if (now < ask_at_) continue;
      ask_at_ = now + kAskSlurm;
      if (auto end = EndThatSlurmSays()) return *std::move(end);
    }
  }

  void WaitForLook() {
    pollfd wait{.fd = is_cancelled_ ? -1 : watcher_.cancel_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(kLook.count())) <= 0) return;
    is_cancelled_ = true;
    kill_at_ = Clock::now() + milliseconds(job_.limits.grace_ms) + kKillAfter;
    // One that has not begun has nobody to tell.
    if (State().value_or("") == "PENDING") return Tell({"scancel", "--state=PENDING", id_});
    Tell({"scancel", "--batch", "--signal=TERM", id_});
  }
  // What comes of it is seen in the job's state.
  void Tell(const std::vector<std::string>& words) const { (void)Ask(options_, words); }

  void PassLogOn() {
    const Fd file(::open(PathOf(kLogFile).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    char piece[65'536];
    while (file.valid() && logged_ < job_.limits.log_bytes) {
      const ssize_t got = ::pread(file.get(), piece, sizeof piece, static_cast<off_t>(logged_));
      if (got <= 0) return;
      const uint64_t room = std::min<uint64_t>(static_cast<uint64_t>(got), job_.limits.log_bytes - logged_);
      watcher_.OnLog(std::string_view(piece, room));
      logged_ += room;
    }
  }

  std::optional<JobEnd> EndThatWasWritten() const {
    const auto text = process::ReadText(PathOf(kEndFile));
    if (!text) return std::nullopt;
    auto end = ReadEnd(*text);
    if (!end) return JobEnd{.ending = Ending::kNotStarted, .reason = end.error().message()};
    // Told to end, but not by us, or its sandbox went away: Slurm's last state says whether it was Slurm.
    const bool is_open = end->ending == Ending::kCancelled || end->ending == Ending::kNotStarted;
    if (!is_open || is_cancelled_) return *std::move(end);
    const std::string state = FinalState();
    const bool by_itself = state.empty() || state == "COMPLETED" || state == "FAILED";
    if (end->ending == Ending::kNotStarted && by_itself) return *std::move(end);
    JobEnd by_slurm = EndByState(state, id_, false);
    by_slurm.usage = end->usage;
    by_slurm.in_force = end->in_force;
    by_slurm.missing = end->missing;
    return by_slurm;
  }

  // Nothing while it is under way, or while Slurm does not answer: it may be started again meanwhile.
  std::optional<JobEnd> EndThatSlurmSays() {
    const auto state = State();
    if (!state || IsUnderWay(*state)) {
      gone_since_.reset();
      return std::nullopt;
    }
    if (!gone_since_) gone_since_ = Clock::now();
    if (Clock::now() - *gone_since_ < milliseconds(options_.delay_ms) && !is_cancelled_ &&
        *state != "NODE_FAIL")
      return std::nullopt;
    JobEnd end = EndByState(*state, id_, is_cancelled_);
    const std::string said = LastLine(process::ReadText(PathOf(kSlurmFile)).value_or(""));
    if (!said.empty()) end.reason += "; it said last: " + Printable(said, 600);
    return end;
  }

  // Empty: Slurm knows no such job. Fails when nobody answers.
  Result<std::string> State() const {
    GC_TRY(const Answer answer, Ask(options_, {"scontrol", "--oneliner", "show", "job", id_}));
    if (answer.code == 0) return FieldOf(answer.text, "JobState");
    if (answer.text.find("Invalid job id") != std::string::npos) return std::string();
    return Fail(Error::Unavailable(answer.text));
  }
  // A job whose program has ended is not at once in its last state.
  std::string FinalState() const {
    std::string state;
    for (const auto until = Clock::now() + kFinal; Clock::now() < until;) {
      state = State().value_or("");
      if (!IsUnderWay(state)) return state;
      std::this_thread::sleep_for(kLook);
    }
    return state;
  }

  void Remove() const {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  const SlurmOptions& options_;
  const Job& job_;
  JobWatcher& watcher_;
  std::string folder_, id_;
  uint64_t logged_ = 0;
  bool is_cancelled_ = false;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point show_at_ = begun_, ask_at_ = begun_ + kAskSlurm;
  std::optional<Clock::time_point> kill_at_, gone_since_;
};

class Slurm final : public Executor {
 public:
  explicit Slurm(SlurmOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "slurm"; }

  Status Check() const override {
    std::vector<std::string> words = {"sinfo", "--noheader", "--format=%a"};
    if (!options_.partition.empty()) words.push_back("--partition=" + options_.partition);
    const auto answer = BatchJob::Ask(options_, words);
    if (!answer) return Fail(Error::Unavailable("Slurm is not there: " + answer.error().message()));
    if (answer->code != 0)
      return Fail(Error::Unavailable("Slurm does not answer: " + Printable(LastLine(answer->text), 600)));
    if (answer->text.find("up") != std::string::npos) return Ok();
    return Fail(Error::Unavailable(
        "Slurm has no partition that is up" +
        (options_.partition.empty() ? std::string() : " and is called " + options_.partition)));
  }

  JobEnd Run(const Job& job, JobWatcher& watcher) override {
    if (!job.image.empty())
      return {.ending = Ending::kNotStarted, .reason = "on Slurm's nodes no images are run: " + job.image};
    return BatchJob(options_, job, watcher).Run();
  }

 private:
  const SlurmOptions options_;
};

}  // namespace

std::unique_ptr<Executor> MakeSlurm(SlurmOptions options) {
  return std::make_unique<Slurm>(std::move(options));
}

}  // namespace glasscase::jobs
