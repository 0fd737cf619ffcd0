#include "serve_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace glasscase::supervision {
namespace {

std::string HolderOf(int file) {
  std::array<char, 16> text{};
  const ssize_t bytes = pread(file, text.data(), text.size() - 1, 0);
  std::string digits;
  for (ssize_t i = 0; i < bytes && text[i] >= '0' && text[i] <= '9'; ++i) digits += text[i];
  return digits.empty() ? "an unknown process" : "process " + digits;
}

}  // namespace

Result<Fd> TakeServeLock(int directory) {
  Fd file(openat(directory, "serve.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "open serve.lock in the data directory"));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Fail(Error::FromErrno(errno, "lock serve.lock"));
    return Fail(Error::FailedPrecondition("the data directory is already served by " + HolderOf(file.get())));
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  const bool written = ftruncate(file.get(), 0) == 0 &&
                       pwrite(file.get(), pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  if (!written) return Fail(Error::FromErrno(errno, "write serve.lock"));
  return file;
}

}  // namespace glasscase::supervision
