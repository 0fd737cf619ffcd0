// The certificate chain and key, watched for renewal. Private. Holds them open, never reads them.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <string>
#include <utility>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::supervision {

class TlsFiles {
 public:
  static Result<TlsFiles> Open(std::string certificate_path, std::string key_path);

  // True when the files at the paths are others than those held, which they then replace. Both must be
  // readable: a renewal that is half done is looked at again later.
  bool Renew();

  // The held files, each with an offset of its own, to be given away.
  Result<std::pair<Fd, Fd>> Descriptors() const;

 private:
  struct Held {
    Fd fd;
    dev_t device = 0;
    ino_t inode = 0;
    timespec modified{};
    bool IsSameAs(const Held& other) const;
  };
  static Result<Held> OpenFile(const std::string& path);

  std::string certificate_path_;
  std::string key_path_;
  Held certificate_;
  Held key_;
};

}  // namespace glasscase::supervision
