#include "partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>

#include <glasscase/core/log.h>
#include <glasscase/crypto/sha256.h>

#include "store_folders.h"

namespace glasscase::blobs {
namespace {

// The disk is told to begin this often, so that Keep has little left to wait for.
constexpr uint64_t kWriteOutBytes = uint64_t{8} << 20;
// Fits a second-level cache: what was read is still there when it is digested.
constexpr size_t kDigestBytes = size_t{256} << 10;
constexpr size_t kStateBytesMax = size_t{64} << 10;
constexpr size_t kOffsetDigits = 20;  // of any 64-bit number, so that the line never changes its length

std::string BytesPath(const Uuid& id) { return std::string(kPartialsFolder) + "/" + id.ToString(); }
std::string StatePath(const Uuid& id) { return BytesPath(id) + ".state"; }

std::string OffsetLine(uint64_t offset) {
  const std::string digits = std::to_string(offset);
  return std::string(kOffsetDigits - digits.size(), '0') + digits + "\n";
}

Status WriteAt(int file, std::string_view bytes, uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(DiskError(errno, "cannot write to " + path));
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return Ok();
}

Result<size_t> ReadAt(int file, char* to, size_t bytes, uint64_t offset, const std::string& path) {
  while (true) {
    const ssize_t got = ::pread(file, to, bytes, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return Fail(DiskError(errno, "cannot read " + path));
  }
}

Status SyncFile(int file, const std::string& path) {
  if (::fdatasync(file) == 0) return Ok();
  return Fail(DiskError(errno, "cannot sync " + path));
}

Result<Fd> OpenFile(int directory, const std::string& path, int flags) {
  Fd file(::openat(directory, path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return Fail(DiskError(errno, "cannot open " + path));
  return file;
}

Status RemoveFile(int directory, const std::string& path) {
  if (::unlinkat(directory, path.c_str(), 0) == 0 || errno == ENOENT) return Ok();
  return Fail(DiskError(errno, "cannot remove " + path));
}

struct State {
  uint64_t kept = 0;
  std::string note;
};

Result<State> ReadState(int file, const std::string& path) {
  std::string text(kStateBytesMax + 1, '\0');
  GC_TRY(const size_t bytes, ReadAt(file, text.data(), text.size(), 0, path));
  text.resize(bytes);
  State state;
  const char* end = text.data() + std::min(bytes, kOffsetDigits);
  const auto parsed = std::from_chars(text.data(), end, state.kept);
  const bool line =
      parsed.ec == std::errc() && parsed.ptr == end && bytes > kOffsetDigits && text[kOffsetDigits] == '\n';
  if (!line || bytes > kStateBytesMax) return Fail(Error::DataLoss(path + " is damaged"));
  state.note = text.substr(kOffsetDigits + 1);
  return state;
}

class PartialFile final : public PartialBlob {
 public:
  PartialFile(int directory, const Uuid& id, Fd file, Fd state, uint64_t kept)
      : directory_(directory),
        id_(id),
        path_(BytesPath(id)),
        file_(std::move(file)),
        state_(std::move(state)),
        bytes_(kept),
        kept_(kept),
        written_out_(kept) {}

  Status Append(ByteSpan bytes) override {
    GC_CHECK(!finished_);
    const uint64_t at = bytes_.load(std::memory_order_relaxed);
    GC_TRY_VOID(WriteAt(file_.get(), AsText(bytes), at, path_));
    const uint64_t now = at + bytes.size();
    bytes_.store(now, std::memory_order_release);
    if (now - written_out_ < kWriteOutBytes) return Ok();
    // Only a hint: Keep is what waits, and what reports errors.
    ::sync_file_range(file_.get(), static_cast<off_t>(written_out_), static_cast<off_t>(now - written_out_),
                      SYNC_FILE_RANGE_WRITE);
    written_out_ = now;
    return Ok();
  }

  uint64_t bytes() const override { return bytes_.load(std::memory_order_acquire); }
  uint64_t kept() const override { return kept_; }

  // The bytes first, then the number that vouches for them.
  Status Keep() override {
    const uint64_t now = bytes();
    if (now == kept_) return Ok();
    GC_TRY_VOID(SyncFile(file_.get(), path_));
    GC_TRY_VOID(WriteAt(state_.get(), OffsetLine(now), 0, StatePath(id_)));
    GC_TRY_VOID(SyncFile(state_.get(), StatePath(id_)));
    kept_ = now;
    return Ok();
  }

  Status CutToKept() override {
    if (bytes() == kept_) return Ok();
    GC_CHECK(!finished_);
    if (::ftruncate(file_.get(), static_cast<off_t>(kept_)) != 0)
      return Fail(DiskError(errno, "cannot shorten " + path_));
    bytes_ = kept_;
    written_out_ = kept_;
    if (digested_ > kept_) {
      hash_ = Sha256Stream();
      digested_ = 0;
    }
    return Ok();
  }

  // From the file, where the bytes have just been written: they are read from memory, and what is digested
  // is what is there.
  Result<uint64_t> DigestSome() override {
    const uint64_t there = bytes();
    uint64_t done = 0;
    if (!finished_ && digested_ < there && buffer_.empty()) buffer_.resize(kDigestBytes);
    if (!finished_ && digested_ < there) {
      const size_t wanted = std::min<uint64_t>(buffer_.size(), there - digested_);
      GC_TRY(done, ReadAt(file_.get(), buffer_.data(), wanted, digested_, path_));
      if (done == 0) return Fail(Error::DataLoss(path_ + " is shorter than it was"));
      hash_.Update(AsBytes({buffer_.data(), done}));
      digested_ += done;
    }
    return done;
  }

  Result<Digest> Finish() override {
    if (finished_) return digest_;
    GC_TRY_VOID(Keep());
    while (true) {
      GC_TRY(const uint64_t more, DigestSome());
      if (more == 0) break;
    }
    // Descriptors given away cannot be reopened to write.
    if (::fchmod(file_.get(), 0400) != 0) return Fail(DiskError(errno, "cannot protect " + path_));
    digest_ = hash_.Finish();
    finished_ = true;
    std::string().swap(buffer_);
    file_ = Fd();  // many finished files may wait for the last one of their model
    state_ = Fd();
    return digest_;
  }

  Result<Fd> Open() const override {
    GC_CHECK(finished_);
    return OpenForReading(directory_, committed_ ? PathOf(digest_) : path_);
  }

  Status Commit() override {
    GC_CHECK(finished_);
    if (committed_) return Ok();
    GC_TRY_VOID(MoveIntoStore(directory_, path_, digest_));
    committed_ = true;
    GC_TRY_VOID(SyncFolder(directory_, FolderOf(digest_)));
    return RemoveFile(directory_, StatePath(id_));
  }

  Status Discard() override {
    GC_TRY_VOID(RemoveFile(directory_, StatePath(id_)));
    if (!committed_) GC_TRY_VOID(RemoveFile(directory_, path_));
    return SyncFolder(directory_, kPartialsFolder);
  }

 private:
  int directory_;  // the store's, which outlives its partial blobs
  Uuid id_;
  std::string path_;
  Fd file_;
  Fd state_;
  std::atomic<uint64_t> bytes_;
  uint64_t kept_;
  uint64_t written_out_;
  bool finished_ = false;
  bool committed_ = false;
  // Of the digesting thread.
  Sha256Stream hash_;
  uint64_t digested_ = 0;
  std::string buffer_;
  Digest digest_{};
};

// A finished file may only be read by now, which is all that is left to do with it.
Result<Fd> OpenBytes(int directory, const std::string& path) {
  auto file = OpenFile(directory, path, O_RDWR);
  if (file || file.error().code() != Code::kPermissionDenied) return file;
  return OpenFile(directory, path, O_RDONLY);
}

Result<uint64_t> SizeOf(int file, const std::string& path) {
  struct stat facts {};
  if (::fstat(file, &facts) != 0) return Fail(DiskError(errno, "cannot look at " + path));
  return static_cast<uint64_t>(facts.st_size);
}

Result<PartialInfo> Look(int directory, const Uuid& id) {
  GC_TRY(const Fd file, OpenFile(directory, StatePath(id), O_RDONLY));
  GC_TRY(State state, ReadState(file.get(), StatePath(id)));
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return Fail(DiskError(errno, "cannot look at " + StatePath(id)));
  return PartialInfo{.id = id,
                     .note = std::move(state.note),
                     .kept = state.kept,
                     .changed_micros = facts.st_mtim.tv_sec * 1'000'000 + facts.st_mtim.tv_nsec / 1000};
}

}  // namespace

Result<std::unique_ptr<PartialBlob>> MakePartialFile(int directory, const Uuid& id, std::string_view note) {
  GC_CHECK(note.size() <= kStateBytesMax - kOffsetDigits - 1);
  GC_TRY(Fd file, OpenFile(directory, BytesPath(id), O_RDWR | O_CREAT | O_EXCL));
  const auto write_state = [&]() -> Result<Fd> {
    GC_TRY(Fd state, OpenFile(directory, StatePath(id), O_RDWR | O_CREAT | O_EXCL));
    GC_TRY_VOID(WriteAt(state.get(), OffsetLine(0) + std::string(note), 0, StatePath(id)));
    GC_TRY_VOID(SyncFile(state.get(), StatePath(id)));
    GC_TRY_VOID(SyncFolder(directory, kPartialsFolder));
    return state;
  };
  Result<Fd> state = write_state();
  if (!state) {
    for (const std::string& path : {StatePath(id), BytesPath(id)})
      if (const Status removed = RemoveFile(directory, path); !removed) LogWarning(removed.error().message());
    return Fail(state.error());
  }
  return std::make_unique<PartialFile>(directory, id, std::move(file), std::move(*state), 0);
}

Result<std::unique_ptr<PartialBlob>> OpenPartialFile(int directory, const Uuid& id) {
  GC_TRY(Fd state_file, OpenFile(directory, StatePath(id), O_RDWR));
  GC_TRY(const State state, ReadState(state_file.get(), StatePath(id)));
  GC_TRY(Fd file, OpenBytes(directory, BytesPath(id)));
  GC_TRY(const uint64_t bytes, SizeOf(file.get(), BytesPath(id)));
  if (bytes < state.kept)
    return Fail(Error::DataLoss(BytesPath(id) + " has fewer bytes than were kept: kept=" +
                                std::to_string(state.kept) + ", there=" + std::to_string(bytes)));
  if (bytes > state.kept && ::ftruncate(file.get(), static_cast<off_t>(state.kept)) != 0)
    return Fail(DiskError(errno, "cannot shorten " + BytesPath(id)));
  return std::make_unique<PartialFile>(directory, id, std::move(file), std::move(state_file), state.kept);
}

Result<std::vector<PartialInfo>> ListPartials(int directory) {
  std::vector<PartialInfo> found;
  GC_TRY_VOID(EachName(directory, kPartialsFolder, [&](const std::string& name) -> Status {
    const auto id = Uuid::Parse(name);
    if (!id) return Ok();
    auto info = Look(directory, *id);
    if (info) {
      found.push_back(std::move(*info));
    } else {
      LogWarning("an upload cannot be taken up again: " + info.error().message());
    }
    return Ok();
  }));
  return found;
}

Status SweepPartials(int directory) {
  return EachName(directory, kPartialsFolder, [&](const std::string& name) -> Status {
    const bool is_state = name.ends_with(".state");
    const auto id = Uuid::Parse(is_state ? name.substr(0, name.size() - 6) : name);
    if (id) {
      const auto opened = OpenPartialFile(directory, *id);
      if (opened) return Ok();
      const Code code = opened.error().code();
      if (code != Code::kNotFound && code != Code::kDataLoss) return Fail(opened.error());
      LogWarning("left-over of an upload removed: " + name + ": " + opened.error().message());
    }
    return RemoveFile(directory, std::string(kPartialsFolder) + "/" + name);
  });
}

}  // namespace glasscase::blobs
