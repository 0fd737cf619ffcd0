#include "tls_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace glasscase::supervision {
namespace {

// A descriptor of the same file with an offset of its own; works also when its name has gone.
Result<Fd> Reopen(const Fd& fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  Fd again(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!again.valid()) return Fail(Error::FromErrno(errno, "open a TLS file again"));
  return again;
}

}  // namespace

bool TlsFiles::Held::IsSameAs(const Held& other) const {
  return device == other.device && inode == other.inode && modified.tv_sec == other.modified.tv_sec &&
         modified.tv_nsec == other.modified.tv_nsec;
}

Result<TlsFiles::Held> TlsFiles::OpenFile(const std::string& path) {
  Held held;
  held.fd = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!held.fd.valid() || fstat(held.fd.get(), &status) != 0) {
    return Fail(Error::FromErrno(errno, "open " + path));
  }
  if (!S_ISREG(status.st_mode)) return Fail(Error::InvalidArgument("not a file: " + path));
  held.device = status.st_dev;
  held.inode = status.st_ino;
  held.modified = status.st_mtim;
  return held;
}

Result<TlsFiles> TlsFiles::Open(std::string certificate_path, std::string key_path) {
  TlsFiles files;
  files.certificate_path_ = std::move(certificate_path);
  files.key_path_ = std::move(key_path);
  GC_TRY(files.certificate_, OpenFile(files.certificate_path_));
  GC_TRY(files.key_, OpenFile(files.key_path_));
  return files;
}

bool TlsFiles::Renew() {
  Result<Held> certificate = OpenFile(certificate_path_);
  Result<Held> key = OpenFile(key_path_);
  if (!certificate || !key) return false;
  if (certificate->IsSameAs(certificate_) && key->IsSameAs(key_)) return false;
  certificate_ = std::move(*certificate);
  key_ = std::move(*key);
  return true;
}

Result<std::pair<Fd, Fd>> TlsFiles::Descriptors() const {
  GC_TRY(Fd certificate, Reopen(certificate_.fd));
  GC_TRY(Fd key, Reopen(key_.fd));
  return std::pair<Fd, Fd>(std::move(certificate), std::move(key));
}

}  // namespace glasscase::supervision
