#include "comparer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sstream>

#include <glasscase/jobs/supervise.h>
#include <glasscase/json/strict.h>

namespace glasscase::working {
namespace {

namespace bj = boost::json;

constexpr int kFirstFd = 3;
constexpr int kSecondFd = 4;
constexpr int kFilesAreWrong = 1;  // its exit code
constexpr size_t kAnswerBytesMax = size_t{1} << 20;

class Answer final : public jobs::JobWatcher {
 public:
  explicit Answer(int cancel_fd) : cancel_fd_(cancel_fd) {}
  void OnLog(std::string_view bytes) override { text_ += bytes; }
  int cancel_fd() const override { return cancel_fd_; }
  const std::string& text() const { return text_; }

 private:
  const int cancel_fd_;
  std::string text_;
};

std::string Text(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

Error NotCompared(const jobs::JobEnd& end) {
  const std::string what = "what a run left could not be compared: ";
  switch (end.ending) {
    case jobs::Ending::kCancelled: return {Code::kCancelled, what + "it was cancelled"};
    case jobs::Ending::kNotStarted: return Error::Unavailable(what + end.reason);
    // The files are too much for it, and will be again.
    case jobs::Ending::kTimedOut:
    case jobs::Ending::kOverMemory: return Error::FailedPrecondition(what + end.reason);
    default:
      return Error::Internal(what + "the program that does it ended with exit code " +
                             std::to_string(end.exit_code) + ", signal " + std::to_string(end.signal));
  }
}

Result<bj::object> Understood(const jobs::JobEnd& end, const std::string& answer) {
  const auto said = json::Parse(answer, {.bytes_max = kAnswerBytesMax});
  const bj::object* const object = said ? said->if_object() : nullptr;
  if (object != nullptr && end.ending == jobs::Ending::kSucceeded)
    if (const auto* result = object->if_contains("result"); result != nullptr && result->is_object())
      return result->get_object();
  const bool judged = end.ending == jobs::Ending::kFailed && end.exit_code == kFilesAreWrong;
  if (object != nullptr && judged)
    if (const auto* error = object->if_contains("error"); error != nullptr && error->is_string())
      return Fail(Error::FailedPrecondition(Printable(std::string(error->get_string()), 500)));
  return Fail(NotCompared(end));
}

}  // namespace

Result<bj::object> Comparer::Compare(int original, int repeated,
                                     const comparison::Tolerance& tolerance) const {
  return Ask({program_, "compare", Text(tolerance.absolute), Text(tolerance.relative)},
             {{original, kFirstFd}, {repeated, kSecondFd}});
}

Result<bj::object> Comparer::Sample(int file, uint64_t numbers_max) const {
  return Ask({program_, "sample", std::to_string(numbers_max)}, {{file, kFirstFd}});
}

Result<bj::object> Comparer::Ask(std::vector<std::string> words,
                                 std::vector<std::pair<int, int>> files) const {
  // Its folder for results is one that is not there: it writes nothing.
  const jobs::Job job{.folder = "/nonexistent",
                      .command = std::move(words),
                      .limits = {.memory_bytes = kMemoryBytesMax,
                                 .log_bytes = kAnswerBytesMax,
                                 .wall_ms = kWallMsMax,
                                 .grace_ms = 0}};
  auto started = jobs::StartChild({.command = job.command,
                                   .descriptors = std::move(files),
                                   .limits = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}}});
  if (!started) return Fail(Error::Unavailable(started.error().message()));
  jobs::Child child = *std::move(started);
  // It gives up starting processes before it reads the files: when it has ended, nothing is left.
  const Fd handle(::fcntl(child.handle.get(), F_DUPFD_CLOEXEC, 0));
  const jobs::Sandbox sandbox{.kill = [&] { jobs::KillProcess(handle); }, .ended = [] { return true; }};
  Answer answer(cancel_fd_);
  const jobs::JobEnd end = jobs::Supervise(std::move(child), job, sandbox, answer);
  return Understood(end, answer.text());
}

}  // namespace glasscase::working
