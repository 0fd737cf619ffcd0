// Content-addressed bytes: written once, streamed, and found by their SHA-256 from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::blobs {

struct BlobInfo {
  Digest sha256{};
  uint64_t bytes = 0;
  bool operator==(const BlobInfo&) const = default;
};

// Bytes on their way into the store. Dropped with the object unless committed. Every function fails with
// ResourceExhausted when the store has no room; the object can then only be dropped.
class StagedBlob {
 public:
  virtual ~StagedBlob() = default;

  virtual Status Append(ByteSpan bytes) = 0;
  virtual uint64_t bytes() const = 0;

  // Ends the stream: the bytes are durable, though not yet in the store. Gives their digest; may be called
  // again.
  virtual Result<Digest> Finish() = 0;

  // A read-only descriptor of the bytes, after Finish.
  virtual Result<Fd> Open() const = 0;

  // Puts the bytes into the store, durably, after Finish. Committing what is already there is fine.
  virtual Status Commit() = 0;
};

// One thread.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  virtual Result<std::unique_ptr<StagedBlob>> Stage() = 0;

  // A read-only descriptor that stays good after Remove. NotFound.
  virtual Result<Fd> Open(const Digest& sha256) const = 0;
  // NotFound.
  virtual Result<uint64_t> Size(const Digest& sha256) const = 0;
  // Durable when it returns; removing what is not there is fine.
  virtual Status Remove(const Digest& sha256) = 0;
  // In no order. What is not a blob of this store is passed over.
  virtual Result<std::vector<BlobInfo>> List() const = 0;
  // Room for more, as far as the store can tell.
  virtual Result<uint64_t> BytesFree() const = 0;
};

}  // namespace glasscase::blobs
