// Shared-memory channel between an edge and a host: two byte rings, each with one producer and one consumer,
// and an eventfd per direction that is written only when the other side sleeps.
//
// Hostile to both sides: the region's size is fixed by seals, capacities are constants of this header and
// never read from the region, positions are copied once and checked, a record's length is read once and
// checked, and the payload is copied out before anyone parses it. Whatever the peer writes, a consumer
// yields either bytes of the region or an error, after which the channel is dead and its owner asks for a
// new one. (A peer can alter a payload until it is copied; that is why it is copied first.)
//
// Records: u32 length, u32 reserved (0), payload, padding to 8 bytes. A record never wraps: length
// kWrapMark says that the next record starts at offset 0. A producer that is past the first 256 KiB and
// finds the ring drained restarts at offset 0, so that a quiet channel keeps few pages. It says so outside
// the data (a wrap mark would hold the space behind it until the consumer has passed).
//
// One thread per side and direction: one may send (Reserve, Commit, WakePeer) while another receives.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

inline constexpr uint64_t kRingBytes = uint64_t{64} << 20;  // per direction; sparse until used
inline constexpr uint32_t kRecordBytesMax = uint32_t{33} << 20;

// What the supervisor makes and hands to both sides.
struct ChannelFds {
  Fd memory;     // memfd, sealed against shrinking and growing
  Fd wake_host;  // eventfd: requests wait
  Fd wake_edge;  // eventfd: responses wait
};
Result<ChannelFds> MakeChannel();

enum class Side : uint8_t { kEdge, kHost };

class CallChannel {
 public:
  // Size of the shared memory of both directions.
  static off_t RegionBytes();

  // Maps the region. InvalidArgument when the descriptor is not a sealed memfd of the right size.
  static Result<CallChannel> Open(ChannelFds fds, Side side);
  CallChannel(CallChannel&&) noexcept;
  CallChannel& operator=(CallChannel&&) noexcept;
  ~CallChannel();

  // Reserves room for a record of at most `bytes` and returns it; the caller fills it and commits what it
  // used. A second Reserve without Commit replaces the first. InvalidArgument above kRecordBytesMax,
  // ResourceExhausted when the ring is full, DataLoss when the peer broke the ring. A drained ring takes any
  // record.
  Result<std::span<uint8_t>> Reserve(size_t bytes);
  void Commit(size_t used_bytes);

  // Wakes the peer if it sleeps and records were committed since the last call: once per round of the
  // caller's event loop, not per record.
  void WakePeer();

  // Copies the next record into `out` (resized; capacity is kept). False when the ring is empty;
  // DataLoss when the peer broke the ring.
  Result<bool> Receive(Bytes& out);

  // The descriptor to wait on for records from the peer. Sequence for sleeping: PrepareToSleep; if it
  // returns false records came meanwhile, do not sleep; after waking call Awake (clears the eventfd).
  int wake_fd() const;
  bool PrepareToSleep();
  void Awake();
  // Takes PrepareToSleep back without looking at the eventfd: for a loop that was woken by something else and
  // calls Awake when the eventfd is readable. (The peer may take the flag and write a moment later, so the
  // flag does not tell whether there is something to clear.)
  void StayAwake();

 private:
  struct Ring;
  struct Region;
  CallChannel() = default;
  Ring& SendRing() const;
  Ring& ReceiveRing() const;
  uint8_t* SendData() const;
  const uint8_t* ReceiveData() const;
  Status RefreshConsumed();
  Result<bool> SeeMore();
  Status TakeWrapMark(uint64_t* available);
  Error BreakReceiving(const char* why);

  Region* region_ = nullptr;
  Side side_ = Side::kEdge;
  Fd wake_peer_;
  Fd wake_self_;

  // Sending. Ours is the truth; the region's copy is only written.
  uint64_t produced_ = 0;
  uint64_t peer_consumed_ = 0;  // last checked value, at most produced_
  uint64_t restart_ = 0;        // the position that lies at offset 0, but for whole rings
  uint64_t reserved_at_ = 0;
  size_t reserved_bytes_ = 0;
  bool reserved_ = false;
  bool committed_since_wake_ = false;
  bool sending_broken_ = false;

  // Receiving, likewise.
  uint64_t consumed_ = 0;
  uint64_t peer_produced_ = 0;  // last checked value, at least consumed_
  uint64_t peer_restart_ = 0;   // last checked value, at most consumed_
  bool receiving_broken_ = false;
};

}  // namespace glasscase::process
