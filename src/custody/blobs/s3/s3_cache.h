// Local copies of blobs within a budget of bytes; the least recently used goes first.
#pragma once

#include <map>
#include <memory>

#include <glasscase/blobs/blob_store.h>

namespace glasscase::blobs {

// One thread.
class S3Cache {
 public:
  static Result<S3Cache> Over(std::unique_ptr<BlobStore> local, uint64_t bytes_max);

  BlobStore& local() const { return *local_; }

  // NotFound when it is not cached.
  Result<Fd> Open(const Digest& sha256);
  // Of what was just committed to `local`. Lets others go, and itself where it alone is beyond the budget.
  Status Added(const Digest& sha256, uint64_t bytes);
  Status Remove(const Digest& sha256);

 private:
  struct Copy {
    uint64_t bytes = 0;
    uint64_t last_use = 0;
  };

  S3Cache(std::unique_ptr<BlobStore> local, uint64_t bytes_max)
      : local_(std::move(local)), bytes_max_(bytes_max) {}
  Status KeepToBudget();

  std::unique_ptr<BlobStore> local_;
  uint64_t bytes_max_;
  std::map<Digest, Copy> copies_;
  uint64_t bytes_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace glasscase::blobs
