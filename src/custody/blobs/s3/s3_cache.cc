#include "s3_cache.h"

#include <algorithm>

namespace glasscase::blobs {

Result<S3Cache> S3Cache::Over(std::unique_ptr<BlobStore> local, uint64_t bytes_max) {
  S3Cache cache(std::move(local), bytes_max);
  GC_TRY(const auto found, cache.local_->List());
  for (const BlobInfo& blob : found) {
    cache.copies_[blob.sha256] = {.bytes = blob.bytes};
    cache.bytes_ += blob.bytes;
  }
  GC_TRY_VOID(cache.KeepToBudget());
  return cache;
}

Result<Fd> S3Cache::Open(const Digest& sha256) {
  GC_TRY(Fd fd, local_->Open(sha256));
  if (const auto found = copies_.find(sha256); found != copies_.end()) found->second.last_use = ++uses_;
  return fd;
}

Status S3Cache::Added(const Digest& sha256, uint64_t bytes) {
  const auto [copy, is_new] = copies_.try_emplace(sha256);
  bytes_ += bytes - copy->second.bytes;
  copy->second = {.bytes = bytes, .last_use = ++uses_};
  return KeepToBudget();
}

Status S3Cache::Remove(const Digest& sha256) {
  GC_TRY_VOID(local_->Remove(sha256));
  if (const auto found = copies_.find(sha256); found != copies_.end()) {
    bytes_ -= found->second.bytes;
    copies_.erase(found);
  }
  return Ok();
}

Status S3Cache::KeepToBudget() {
  while (bytes_ > bytes_max_) {
    const auto oldest =
        std::ranges::min_element(copies_, {}, [](const auto& copy) { return copy.second.last_use; });
    GC_CHECK(oldest != copies_.end());
    const Digest sha256 = oldest->first;
    GC_TRY_VOID(Remove(sha256));
  }
  return Ok();
}

}  // namespace glasscase::blobs
