#include <glasscase/process/call_channel.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace glasscase::process {
namespace {

constexpr uint64_t kRecordHeaderBytes = 8;
constexpr uint32_t kWrapMark = 0xFFFF'FFFF;
constexpr uint64_t kQuietBytes = uint64_t{256} << 10;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

constexpr uint64_t RecordBytes(uint64_t payload_bytes) {
  return kRecordHeaderBytes + (payload_bytes + 7) / 8 * 8;
}

// The peer may change the word at any time: the compiler must load it exactly once.
uint32_t LoadOnce(const uint8_t* word) {
  return __atomic_load_n(reinterpret_cast<const uint32_t*>(word), __ATOMIC_RELAXED);
}

void StoreWord(uint8_t* word, uint32_t value) {
  __atomic_store_n(reinterpret_cast<uint32_t*>(word), value, __ATOMIC_RELAXED);
}

void ClearEventfd(int fd) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t bytes = ::read(fd, &count, sizeof count);  // EAGAIN: nothing to clear
}

}  // namespace

// Positions count bytes since the channel was made and never go back; a position lies at offset
// (position - restart) % kRingBytes.
struct CallChannel::Ring {
  alignas(64) std::atomic<uint64_t> produced;  // written by the producer
  // Changed by the producer only while the consumer has consumed all: the consumer loads it when it sees
  // more, and then it stays until that is consumed.
  std::atomic<uint64_t> restart;
  alignas(64) std::atomic<uint64_t> consumed;  // written by the consumer
  // 1: the consumer sleeps or is about to. Both sides only exchange it: of two exchanges on one word the
  // later one sees the earlier, so either the producer sees the sleeper or the sleeper sees the record.
  alignas(64) std::atomic<uint32_t> sleeping;
};

struct CallChannel::Region {
  Ring rings[2];  // to the host, to the edge
  alignas(4096) uint8_t data[2][kRingBytes];
};

Result<ChannelFds> MakeChannel() {
  ChannelFds fds;
  const int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, Linux 6.3
  fds.memory = Fd(memfd_create("glasscase-calls", flags | kNoExecSeal));
  if (!fds.memory.valid()) fds.memory = Fd(memfd_create("glasscase-calls", flags));
  if (!fds.memory.valid()) return Fail(Error::FromErrno(errno, "memfd_create"));
  if (ftruncate(fds.memory.get(), CallChannel::RegionBytes()) != 0) {
    return Fail(Error::FromErrno(errno, "size the call channel"));
  }
  if (fcntl(fds.memory.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) {
    return Fail(Error::FromErrno(errno, "seal the call channel"));
  }
  fds.wake_host = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  fds.wake_edge = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fds.wake_host.valid() || !fds.wake_edge.valid()) return Fail(Error::FromErrno(errno, "eventfd"));
  return fds;
}

off_t CallChannel::RegionBytes() { return sizeof(Region); }

Result<CallChannel> CallChannel::Open(ChannelFds fds, Side side) {
  struct stat status {};
  const int seals = fcntl(fds.memory.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return Fail(Error::InvalidArgument("a call channel is a memfd sealed against resizing"));
  }
  if (fstat(fds.memory.get(), &status) != 0 || status.st_size != RegionBytes()) {
    return Fail(Error::InvalidArgument("call channel has the wrong size: " + std::to_string(status.st_size)));
  }
  void* const memory =
      mmap(nullptr, sizeof(Region), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds.memory.get(), 0);
  if (memory == MAP_FAILED) return Fail(Error::FromErrno(errno, "map the call channel"));
  CallChannel channel;
  channel.region_ = static_cast<Region*>(memory);
  channel.side_ = side;
  channel.wake_self_ = side == Side::kHost ? std::move(fds.wake_host) : std::move(fds.wake_edge);
  channel.wake_peer_ = side == Side::kHost ? std::move(fds.wake_edge) : std::move(fds.wake_host);
  return channel;
}

CallChannel::CallChannel(CallChannel&& other) noexcept { *this = std::move(other); }

CallChannel& CallChannel::operator=(CallChannel&& other) noexcept {
  if (this == &other) return *this;
  if (region_ != nullptr) munmap(region_, sizeof(Region));
  region_ = std::exchange(other.region_, nullptr);
  side_ = other.side_;
  wake_peer_ = std::move(other.wake_peer_);
  wake_self_ = std::move(other.wake_self_);
  produced_ = other.produced_;
  peer_consumed_ = other.peer_consumed_;
  restart_ = other.restart_;
  reserved_at_ = other.reserved_at_;
  reserved_bytes_ = other.reserved_bytes_;
  reserved_ = other.reserved_;
  committed_since_wake_ = other.committed_since_wake_;
  sending_broken_ = other.sending_broken_;
  consumed_ = other.consumed_;
  peer_produced_ = other.peer_produced_;
  peer_restart_ = other.peer_restart_;
  receiving_broken_ = other.receiving_broken_;
  return *this;
}

CallChannel::~CallChannel() {
  if (region_ != nullptr) munmap(region_, sizeof(Region));
}

CallChannel::Ring& CallChannel::SendRing() const { return region_->rings[side_ == Side::kEdge ? 0 : 1]; }
CallChannel::Ring& CallChannel::ReceiveRing() const { return region_->rings[side_ == Side::kEdge ? 1 : 0]; }
uint8_t* CallChannel::SendData() const { return region_->data[side_ == Side::kEdge ? 0 : 1]; }
const uint8_t* CallChannel::ReceiveData() const { return region_->data[side_ == Side::kEdge ? 1 : 0]; }

Status CallChannel::RefreshConsumed() {
  const uint64_t consumed = SendRing().consumed.load(std::memory_order_acquire);
  // Also refuses a position that went back: peer_consumed_ never does.
  if (sending_broken_ || consumed < peer_consumed_ || consumed > produced_) {
    sending_broken_ = true;
    return Fail(Error::DataLoss("the peer broke the call channel: consumed=" + std::to_string(consumed) +
                                ", produced=" + std::to_string(produced_)));
  }
  peer_consumed_ = consumed;
  return Ok();
}

Result<std::span<uint8_t>> CallChannel::Reserve(size_t bytes) {
  reserved_ = false;
  if (bytes > kRecordBytesMax) {
    return Fail(Error::InvalidArgument("record too large for the call channel: " + std::to_string(bytes)));
  }
  const uint64_t need = RecordBytes(bytes);
  uint64_t offset = (produced_ - restart_) % kRingBytes;
  const auto start = [&] {
    return need > kRingBytes - offset ? produced_ + (kRingBytes - offset) : produced_;
  };
  const auto fits = [&] { return start() + need - peer_consumed_ <= kRingBytes; };
  if (sending_broken_ || offset >= kQuietBytes || !fits()) GC_TRY_VOID(RefreshConsumed());
  if (offset >= kQuietBytes && peer_consumed_ == produced_) {
    restart_ = produced_;
    offset = 0;
    SendRing().restart.store(restart_, std::memory_order_relaxed);  // published with `produced`
  }
  if (!fits()) return Fail(Error::ResourceExhausted("the call channel is full"));
  reserved_ = true;
  reserved_at_ = start();
  reserved_bytes_ = bytes;
  return std::span<uint8_t>(SendData() + (reserved_at_ - restart_) % kRingBytes + kRecordHeaderBytes, bytes);
}

void CallChannel::Commit(size_t used_bytes) {
  GC_CHECK(reserved_ && used_bytes <= reserved_bytes_);
  reserved_ = false;
  if (reserved_at_ != produced_) {
    uint8_t* const mark = SendData() + (produced_ - restart_) % kRingBytes;
    StoreWord(mark, kWrapMark);
    StoreWord(mark + 4, 0);
  }
  uint8_t* const header = SendData() + (reserved_at_ - restart_) % kRingBytes;
  StoreWord(header, static_cast<uint32_t>(used_bytes));
  StoreWord(header + 4, 0);
  produced_ = reserved_at_ + RecordBytes(used_bytes);
  SendRing().produced.store(produced_, std::memory_order_release);
  committed_since_wake_ = true;
}

void CallChannel::WakePeer() {
  if (!std::exchange(committed_since_wake_, false)) return;
  if (SendRing().sleeping.exchange(0, std::memory_order_acq_rel) == 0) return;
  const uint64_t one = 1;
  // Non-blocking: a counter that is full wakes the peer as well.
  [[maybe_unused]] const ssize_t bytes = ::write(wake_peer_.get(), &one, sizeof one);
}

Error CallChannel::BreakReceiving(const char* why) {
  receiving_broken_ = true;
  return Error::DataLoss(std::string("the peer broke the call channel: ") + why);
}

// True when there is a record at consumed_.
Result<bool> CallChannel::SeeMore() {
  if (receiving_broken_) return Fail(BreakReceiving("earlier"));
  if (peer_produced_ != consumed_) return true;
  const uint64_t produced = ReceiveRing().produced.load(std::memory_order_acquire);
  if (produced == consumed_) return false;
  const uint64_t restart = ReceiveRing().restart.load(std::memory_order_relaxed);
  // The first difference wraps to a huge number when the position went back.
  if (produced - consumed_ > kRingBytes || produced % 8 != 0 || restart > consumed_ || restart % 8 != 0) {
    return Fail(BreakReceiving("bad position"));
  }
  peer_produced_ = produced;
  peer_restart_ = restart;
  return true;
}

Status CallChannel::TakeWrapMark(uint64_t* available) {
  const uint64_t offset = (consumed_ - peer_restart_) % kRingBytes;
  if (LoadOnce(ReceiveData() + offset) != kWrapMark) return Ok();
  const uint64_t to_end = kRingBytes - offset;
  if (offset == 0 || to_end >= *available) return Fail(BreakReceiving("misplaced wrap mark"));
  consumed_ += to_end;
  *available -= to_end;
  return Ok();
}

Result<bool> CallChannel::Receive(Bytes& out) {
  GC_TRY(const bool more, SeeMore());
  if (!more) return false;
  uint64_t available = peer_produced_ - consumed_;  // a multiple of 8, at least 8
  GC_TRY_VOID(TakeWrapMark(&available));
  const uint64_t offset = (consumed_ - peer_restart_) % kRingBytes;
  const uint8_t* const header = ReceiveData() + offset;
  const uint32_t length = LoadOnce(header);
  if (length > kRecordBytesMax) return Fail(BreakReceiving("record too long"));
  const uint64_t record_bytes = RecordBytes(length);
  if (record_bytes > available || record_bytes > kRingBytes - offset) {
    return Fail(BreakReceiving("record beyond the end"));
  }
  if (LoadOnce(header + 4) != 0) return Fail(BreakReceiving("reserved word is not zero"));
  const uint8_t* const payload = header + kRecordHeaderBytes;
  out.assign(payload, payload + length);
  consumed_ += record_bytes;
  ReceiveRing().consumed.store(consumed_, std::memory_order_release);
  return true;
}

int CallChannel::wake_fd() const { return wake_self_.get(); }

bool CallChannel::PrepareToSleep() {
  ReceiveRing().sleeping.exchange(1, std::memory_order_acq_rel);
  if (ReceiveRing().produced.load(std::memory_order_acquire) == consumed_ && !receiving_broken_) return true;
  ReceiveRing().sleeping.exchange(0, std::memory_order_acq_rel);
  return false;
}

void CallChannel::Awake() {
  ReceiveRing().sleeping.exchange(0, std::memory_order_acq_rel);
  ClearEventfd(wake_self_.get());
}

void CallChannel::StayAwake() { ReceiveRing().sleeping.exchange(0, std::memory_order_acq_rel); }

}  // namespace glasscase::process
