#include "run_events.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include <boost/json/serialize.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>
#include <glasscase/process/file_io.h>

namespace glasscase::operations {
namespace {

using catalog::Run;
using catalog::RunState;

std::string FileOf(const Uuid& run) { return run.ToString() + ".events"; }

RunEvent EventOf(const Run& run, int64_t at_micros) {
  return {.at_micros = at_micros,
          .state = std::string(NameOf(run.state)),
          .attempt = run.attempts,
          .worker = run.worker,
          .reason = run.reason};
}

bool SayTheSame(const RunEvent& one, const RunEvent& other) {
  return one.state == other.state && one.attempt == other.attempt && one.worker == other.worker &&
         one.reason == other.reason;
}

std::string LineOf(const RunEvent& event) {
  return boost::json::serialize(boost::json::object{{"at", event.at_micros},
                                                    {"attempt", event.attempt},
                                                    {"reason", event.reason},
                                                    {"state", event.state},
                                                    {"worker", event.worker}}) +
         "\n";
}

Result<RunEvent> EventIn(const std::string& line) {
  GC_TRY(const auto value, json::Parse(line, {.bytes_max = RunEvents::kBytesMax}));
  GC_TRY(const auto reader, json::ObjectReader::Open(value, "event"));
  RunEvent event;
  GC_TRY(const uint64_t at, reader.Whole("at"));
  GC_TRY(const uint64_t attempt, reader.Whole("attempt"));
  event.at_micros = static_cast<int64_t>(at);
  event.attempt = static_cast<int64_t>(attempt);
  GC_TRY(event.state, reader.String("state"));
  GC_TRY(event.worker, reader.String("worker"));
  GC_TRY(event.reason, reader.String("reason"));
  return event;
}

}  // namespace

std::string_view NameOf(RunState state) {
  switch (state) {
    case RunState::kQueued: return "queued";
    case RunState::kPreparing: return "preparing";
    case RunState::kRunning: return "running";
    case RunState::kRecording: return "recording";
    case RunState::kSucceeded: return "succeeded";
    case RunState::kFailed: return "failed";
    case RunState::kCancelled: return "cancelled";
  }
  return "";
}

Status RunEvents::Add(const Run& run, int64_t at_micros) const {
  GC_TRY(const auto before, Read(run));
  const RunEvent event = EventOf(run, at_micros);
  if (SayTheSame(before.back(), event)) return Ok();
  const Fd file(::openat(folder_.get(), FileOf(run.id).c_str(),
                         O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid())
    return Fail(Error::Internal(Error::FromErrno(errno, "cannot keep what became of a run").message()));
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file.get(), &last, 1, size - 1) != 1)
    return Fail(Error::Internal(Error::FromErrno(errno, "cannot read what became of a run").message()));
  const std::string line = (last == '\n' ? "" : "\n") + LineOf(event);
  if (size < 0 || static_cast<uint64_t>(size) + line.size() > kBytesMax) return Ok();
  return process::WriteAll(file.get(), AsBytes(line), "cannot keep what became of a run");
}

Result<std::vector<RunEvent>> RunEvents::Read(const Run& run) const {
  std::vector<RunEvent> events = {{.at_micros = run.created_micros, .state = "queued"}};
  const Fd file(::openat(folder_.get(), FileOf(run.id).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return events;
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open what became of the run"));
  GC_TRY(const std::string text, process::ReadText(file, "what became of the run", kBytesMax));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (auto event = EventIn(line)) events.push_back(*std::move(event));
  return events;
}

}  // namespace glasscase::operations
