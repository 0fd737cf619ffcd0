#include <glasscase/jobs/status_pipe.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace glasscase::jobs {
namespace {

constexpr int kSilentMs = 5'000;

}  // namespace

Result<StatusPipe> StatusPipe::Make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "cannot make a pipe"));
  StatusPipe pipe;
  pipe.read_ = Fd(ends[0]);
  pipe.write_ = Fd(ends[1]);
  return pipe;
}

const std::string& StatusPipe::ReadAll() {
  while (ReadSome()) {
  }
  return text_;
}

bool StatusPipe::ReadSoon() {
  pollfd wait{.fd = read_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, kSilentMs) > 0 && ReadSome();
}

bool StatusPipe::ReadSome() {
  std::array<char, 1024> piece{};
  const ssize_t got = ::read(read_.get(), piece.data(), piece.size());
  if (got > 0) text_.append(piece.data(), static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

}  // namespace glasscase::jobs
