// What tests of any blob store need.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include <glasscase/blobs/blob_store.h>

namespace glasscase::blobs::testing {

// An empty store that can be closed and opened again as a later process would.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual std::unique_ptr<BlobStore> Open() = 0;
};
using MakeFixture = std::function<std::unique_ptr<StoreFixture>()>;

inline std::string ReadAll(int fd) {
  std::string all;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(all.size()))) > 0)
    all.append(buffer, static_cast<size_t>(got));
  return all;
}

}  // namespace glasscase::blobs::testing
