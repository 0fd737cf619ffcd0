#include <glasscase/blobs_filesystem/filesystem_blob_store.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <string>

#include <glasscase/core/ids.h>
#include <glasscase/crypto/sha256.h>

#include "partial_file.h"
#include "store_folders.h"

namespace glasscase::blobs {
namespace {

// Dirty bytes are written out this often, so that the last sync of a large file has little left to do.
constexpr uint64_t kSyncEveryBytes = uint64_t{4} << 20;

constexpr char kStagingFolder[] = "staging";

class StagedFile final : public StagedBlob {
 public:
  StagedFile(int directory, std::string path, Fd file)
      : directory_(directory), path_(std::move(path)), file_(std::move(file)) {}
  ~StagedFile() override {
    if (!committed_) ::unlinkat(directory_, path_.c_str(), 0);
  }

  Status Append(ByteSpan bytes) override {
    GC_CHECK(!finished_);
    hash_.Update(bytes);
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail(DiskError(errno, "cannot write to " + path_));
      bytes = bytes.subspan(static_cast<size_t>(written));
      bytes_ += static_cast<uint64_t>(written);
      unsynced_bytes_ += static_cast<uint64_t>(written);
    }
    return unsynced_bytes_ < kSyncEveryBytes ? Ok() : Sync();
  }

  uint64_t bytes() const override { return bytes_; }

  Result<Digest> Finish() override {
    if (finished_) return digest_;
    GC_TRY_VOID(Sync());
    digest_ = hash_.Finish();
    finished_ = true;
    file_ = Fd();  // thousands of finished files may wait for their last one
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
    return SyncFolder(directory_, FolderOf(digest_));
  }

 private:
  Status Sync() {
    if (::fdatasync(file_.get()) != 0) return Fail(DiskError(errno, "cannot sync " + path_));
    unsynced_bytes_ = 0;
    return Ok();
  }

  int directory_;  // the store's, which outlives its staged blobs
  std::string path_;
  Fd file_;
  Sha256Stream hash_;
  Digest digest_{};
  uint64_t bytes_ = 0;
  uint64_t unsynced_bytes_ = 0;
  bool finished_ = false;
  bool committed_ = false;
};

class FilesystemBlobStore final : public BlobStore {
 public:
  explicit FilesystemBlobStore(Fd directory) : directory_(std::move(directory)) {}

  Status Prepare(const FilesystemOptions& options) {
    GC_TRY_VOID(MakeFolder(directory_.get(), "blobs"));
    GC_TRY_VOID(MakeFolder(directory_.get(), kBlobsFolder));
    GC_TRY_VOID(MakeFolder(directory_.get(), kStagingFolder));
    GC_TRY_VOID(MakeFolder(directory_.get(), kPartialsFolder));
    if (!options.sweep_staging) return Ok();
    GC_TRY_VOID(SweepPartials(directory_.get()));
    return EachName(directory_.get(), kStagingFolder, [this](const std::string& name) -> Status {
      const std::string path = std::string(kStagingFolder) + "/" + name;
      if (::unlinkat(directory_.get(), path.c_str(), 0) != 0)
        return Fail(DiskError(errno, "cannot remove the left-over " + path));
      return Ok();
    });
  }

  Result<std::unique_ptr<StagedBlob>> Stage() override {
    std::string path = std::string(kStagingFolder) + "/" + Uuid::Random().ToString();
    // Readable by the owner alone and writable by nobody: descriptors given away cannot be reopened to write.
    Fd file(
        ::openat(directory_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (!file.valid()) return Fail(DiskError(errno, "cannot make " + path));
    return std::make_unique<StagedFile>(directory_.get(), std::move(path), std::move(file));
  }

  Result<std::unique_ptr<PartialBlob>> StagePartial(const Uuid& id, std::string_view note) override {
    return MakePartialFile(directory_.get(), id, note);
  }
  Result<std::unique_ptr<PartialBlob>> ResumePartial(const Uuid& id) override {
    return OpenPartialFile(directory_.get(), id);
  }
  Result<std::vector<PartialInfo>> Partials() const override { return ListPartials(directory_.get()); }

  Result<Fd> Open(const Digest& sha256) const override {
    return OpenForReading(directory_.get(), PathOf(sha256));
  }

  Result<uint64_t> Size(const Digest& sha256) const override {
    struct stat facts {};
    const std::string path = PathOf(sha256);
    if (::fstatat(directory_.get(), path.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0)
      return Fail(DiskError(errno, "cannot look at " + path));
    return static_cast<uint64_t>(facts.st_size);
  }

  Status Remove(const Digest& sha256) override {
    const std::string path = PathOf(sha256);
    if (::unlinkat(directory_.get(), path.c_str(), 0) != 0)
      return errno == ENOENT ? Ok() : Status(Fail(DiskError(errno, "cannot remove " + path)));
    return SyncFolder(directory_.get(), FolderOf(sha256));
  }

  Result<std::vector<BlobInfo>> List() const override {
    std::vector<BlobInfo> found;
    const auto add = [&](const std::string& name) -> Status {
      const auto digest = DigestFromHex(name);
      if (!digest) return Ok();
      GC_TRY(const uint64_t bytes, Size(*digest));
      found.push_back({*digest, bytes});
      return Ok();
    };
    GC_TRY_VOID(EachName(directory_.get(), kBlobsFolder, [&](const std::string& folder) -> Status {
      if (folder.size() != 2) return Ok();
      return EachName(directory_.get(), std::string(kBlobsFolder) + "/" + folder, add);
    }));
    return found;
  }

  Result<uint64_t> BytesFree() const override {
    struct statvfs facts {};
    if (::fstatvfs(directory_.get(), &facts) != 0)
      return Fail(DiskError(errno, "cannot ask for the free space of the data directory"));
    return static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize;
  }

 private:
  Fd directory_;
};

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenFilesystemBlobStore(Fd data_directory, FilesystemOptions options) {
  auto store = std::make_unique<FilesystemBlobStore>(std::move(data_directory));
  GC_TRY_VOID(store->Prepare(options));
  return store;
}

}  // namespace glasscase::blobs
