#include "receiving.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace glasscase::operations {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr int kPipeBytes = 1 << 20;  // what the kernel lets everybody have
// A custodian that is killed loses no more than this of what nobody has been told to be kept.
constexpr uint64_t kKeepEveryBytes = uint64_t{64} << 20;

// Digests what has been appended until it is told that nothing more comes, and that is done.
class DigestThread {
 public:
  explicit DigestThread(blobs::PartialBlob& blob) : blob_(blob), thread_([this] { Run(); }) {}
  ~DigestThread() { End(false); }

  void More() {
    {
      const std::lock_guard lock(mutex_);
      more_ = true;
    }
    wake_.notify_one();
  }
  // `catch_up`: only when all is digested.
  void End(bool catch_up) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      catch_up_ = catch_up;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    while (true) {
      const bool last = WaitForMore();
      while (!GivenUp()) {
        const auto digested = blob_.DigestSome();
        if (!digested) return;  // Finish meets the same error and reports it
        if (*digested == 0) break;
      }
      if (last) return;
    }
  }
  bool WaitForMore() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return more_ || ended_; });
    more_ = false;
    return ended_;
  }
  bool GivenUp() {
    const std::lock_guard lock(mutex_);
    return ended_ && !catch_up_;
  }

  blobs::PartialBlob& blob_;
  std::mutex mutex_;  // guards the three below
  bool more_ = true;
  bool ended_ = false;
  bool catch_up_ = false;
  std::condition_variable wake_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

struct Receiving::Work {
  Work(blobs::PartialBlob& target, Delivery what) : blob(target), delivery(std::move(what)) {}

  blobs::PartialBlob& blob;
  const Delivery delivery;
  Fd exit;  // of the pipe
  Fd stop;  // an eventfd
  Received received;

  // The whole blob in one delivery with its SHA-256: the digest that is computed anyway is the checksum's.
  bool IsWholeWithSha256() const {
    return delivery.checksum && delivery.checksum->kind == ChecksumKind::kSha256 && blob.kept() == 0 &&
           delivery.bytes == delivery.blob_bytes;
  }
  void Run();
  Result<uint64_t> Pull(DigestThread* digesting, ChecksumStream* checksum);
  Result<size_t> ReadSome(std::vector<uint8_t>& buffer, uint64_t wanted) const;
  Status Close(bool arrived, bool whole_with_sha256, ChecksumStream* checksum);
};

// 0 at the end of the pipe, and when it is stopped.
Result<size_t> Receiving::Work::ReadSome(std::vector<uint8_t>& buffer, uint64_t wanted) const {
  while (true) {
    pollfd ready[] = {{.fd = exit.get(), .events = POLLIN, .revents = 0},
                      {.fd = stop.get(), .events = POLLIN, .revents = 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents != 0) return 0;
    const ssize_t got = ::read(exit.get(), buffer.data(), std::min<uint64_t>(buffer.size(), wanted));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return Fail(Error::FromErrno(errno, "cannot read what an edge sends"));
  }
}

// Gives how many bytes came.
Result<uint64_t> Receiving::Work::Pull(DigestThread* digesting, ChecksumStream* checksum) {
  std::vector<uint8_t> buffer(std::min<uint64_t>(kReadBytes, std::max<uint64_t>(delivery.bytes, 1)));
  uint64_t came = 0;
  while (came < delivery.bytes) {
    GC_TRY(const size_t got, ReadSome(buffer, delivery.bytes - came));
    if (got == 0) break;
    const ByteSpan piece(buffer.data(), got);
    if (checksum != nullptr) checksum->Update(piece);
    GC_TRY_VOID(blob.Append(piece));
    if (digesting != nullptr) digesting->More();
    came += got;
    if (!delivery.checksum && blob.bytes() - blob.kept() >= kKeepEveryBytes) GC_TRY_VOID(blob.Keep());
  }
  return came;
}

void Receiving::Work::Run() {
  const bool whole_with_sha256 = IsWholeWithSha256();
  std::optional<ChecksumStream> checksum;
  if (delivery.checksum && !whole_with_sha256) checksum.emplace(delivery.checksum->kind);
  std::optional<DigestThread> digesting;
  if (!checksum) digesting.emplace(blob);
  const auto came = Pull(digesting ? &*digesting : nullptr, checksum ? &*checksum : nullptr);
  const bool arrived = came && *came == delivery.bytes;
  const bool complete = arrived && blob.bytes() == delivery.blob_bytes;
  if (digesting) digesting->End(complete);
  exit = Fd();  // an edge that still writes hears of it now
  if (came) {
    received.status = Close(arrived, whole_with_sha256, checksum ? &*checksum : nullptr);
  } else {
    received.status = Fail(came.error());
  }
  if (received.status || received.checksum_mismatch) return;
  const Status cut = blob.CutToKept();  // gives a full disk its room back
  if (!cut) received.status = cut;
}

Status Receiving::Work::Close(bool arrived, bool whole_with_sha256, ChecksumStream* checksum) {
  if (delivery.checksum && !arrived) return blob.CutToKept();
  if (checksum != nullptr && checksum->Finish() != delivery.checksum->digest) {
    received.checksum_mismatch = true;
    return blob.CutToKept();
  }
  if (blob.bytes() < delivery.blob_bytes) return blob.Keep();
  GC_TRY(const Digest sha256, blob.Finish());
  if (whole_with_sha256 && !std::equal(sha256.begin(), sha256.end(), delivery.checksum->digest.begin())) {
    received.checksum_mismatch = received.whole_mismatch = true;
  } else {
    received.sha256 = sha256;
  }
  return Ok();
}

Result<std::unique_ptr<Receiving>> Receiving::Start(process::EventLoop& loop, blobs::PartialBlob& blob,
                                                    Delivery delivery, std::function<void(Received)> done) {
  auto work = std::make_shared<Work>(blob, std::move(delivery));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "cannot make a pipe"));
  work->exit = Fd(ends[0]);
  std::unique_ptr<Receiving> receiving(new Receiving);
  receiving->entrance_ = Fd(ends[1]);
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // a smaller one is slower, no more
  if (::fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
    return Fail(Error::FromErrno(errno, "cannot set up a pipe"));
  work->stop = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!work->stop.valid()) return Fail(Error::FromErrno(errno, "cannot make an eventfd"));
  receiving->work_ = work;
  receiving->job_ = std::make_unique<SideJob>(
      loop, [work] { work->Run(); }, [work, done = std::move(done)] { done(std::move(work->received)); });
  return receiving;
}

void Receiving::Stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(work_->stop.get(), &one, sizeof one);
}

Receiving::~Receiving() {
  if (job_) Stop();
}

}  // namespace glasscase::operations
