// The bytes of one request on their way into a partial blob: from a pipe to the disk on one thread, digested
// on a second one, so that neither waits for the other and the custodian's thread for neither.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <glasscase/blobs/blob_store.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/checksum.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>

#include "side_job.h"

namespace glasscase::operations {

struct Checksum {
  ChecksumKind kind = ChecksumKind::kSha256;
  Bytes digest;
};

// What shall come.
struct Delivery {
  uint64_t bytes = 0;
  uint64_t blob_bytes = 0;           // of the blob when it is whole
  std::optional<Checksum> checksum;  // of these bytes
};

// What came. A pipe that ends early is no error: what came is kept, except where a checksum was to vouch for
// it.
struct Received {
  Status status;
  bool checksum_mismatch = false;  // nothing of the delivery was kept
  bool whole_mismatch = false;     // ... which was the whole blob: it can only be discarded
  std::optional<Digest> sha256;    // when the blob is whole
};

class Receiving {
 public:
  // `blob` outlives this and is nobody else's until `done` is called, on the loop.
  static Result<std::unique_ptr<Receiving>> Start(process::EventLoop& loop, blobs::PartialBlob& blob,
                                                  Delivery delivery, std::function<void(Received)> done);
  // Ends the delivery where it is.
  ~Receiving();

  // The writing end, once: non-blocking, for the edge.
  Fd TakeEntrance() { return std::move(entrance_); }
  // Ends it where it is; `done` is called.
  void Stop();

 private:
  struct Work;
  Receiving() = default;

  Fd entrance_;
  std::shared_ptr<Work> work_;  // with the thread
  std::unique_ptr<SideJob> job_;
};

}  // namespace glasscase::operations
