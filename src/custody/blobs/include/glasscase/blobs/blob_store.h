// Content-addressed bytes: written once, streamed, and found by their SHA-256 from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>
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

// Bytes that arrive in several goes and outlive the process: after a crash what was kept is there, and what
// came after it is cut off. They go when they are committed or discarded, not with the object.
//
// One thread appends and keeps while another may digest what is there already; everything else needs both
// to be still.
class PartialBlob : public StagedBlob {
 public:
  // Makes all bytes so far durable, for good: they are what a later process finds.
  virtual Status Keep() = 0;
  virtual uint64_t kept() const = 0;
  // Forgets the bytes that came after the last Keep.
  virtual Status CutToKept() = 0;
  // Digests the next of the bytes that are there; gives how many, 0 when it has caught up. Finish does what
  // is left of this, which takes long for a large blob that an earlier process received.
  virtual Result<uint64_t> DigestSome() = 0;
  // Durable when it returns. The object can then only be dropped.
  virtual Status Discard() = 0;
};

struct PartialInfo {
  Uuid id;
  std::string note;  // as it was given to StagePartial
  uint64_t kept = 0;
  int64_t changed_micros = 0;  // wall clock of the last Keep
};

// Several threads may use it, and its staged blobs, at once; one blob, and one staged blob, is for one thread
// at a time.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // Whether Open, Size, List and Remove, and Commit of what was staged here, may wait for a network: not on a
  // thread on which revocations wait. Everything else takes as long as a local disk does, also while another
  // thread waits.
  virtual bool MayWait() const { return false; }

  virtual Result<std::unique_ptr<StagedBlob>> Stage() = 0;

  // `note` is kept beside the bytes, durably, for whoever finds them after a restart. AlreadyExists.
  virtual Result<std::unique_ptr<PartialBlob>> StagePartial(const Uuid& id, std::string_view note) = 0;
  // Opens what an earlier process kept. NotFound; DataLoss when there are fewer bytes than were kept.
  virtual Result<std::unique_ptr<PartialBlob>> ResumePartial(const Uuid& id) = 0;
  // In no order.
  virtual Result<std::vector<PartialInfo>> Partials() const = 0;

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
