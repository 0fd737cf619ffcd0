#include <glasscase/blobs_s3/s3_blob_store.h>

#include <algorithm>
#include <mutex>

#include "s3_cache.h"
#include "s3_client.h"

namespace glasscase::blobs {
namespace {

// A connection to the server, for one thread at a time.
class Line {
 public:
  explicit Line(std::unique_ptr<S3Client> client) : client_(std::move(client)) {}
  template <typename Use>
  auto With(const Use& use) {
    const std::lock_guard lock(mutex_);
    return use(*client_);
  }

 private:
  std::mutex mutex_;  // guards the client, for as long as the network takes
  std::unique_ptr<S3Client> client_;
};

class S3BlobStore final : public BlobStore {
 public:
  S3BlobStore(std::unique_ptr<S3Client> reading, std::unique_ptr<S3Client> writing, S3Cache cache)
      : reading_(std::move(reading)),
        writing_(std::move(writing)),
        cache_(std::move(cache)),
        local_(cache_.local()) {}

  bool MayWait() const override { return true; }
  Result<std::unique_ptr<StagedBlob>> Stage() override;
  Result<std::unique_ptr<PartialBlob>> StagePartial(const Uuid& id, std::string_view note) override;
  Result<std::unique_ptr<PartialBlob>> ResumePartial(const Uuid& id) override;
  Result<std::vector<PartialInfo>> Partials() const override { return local_.Partials(); }
  Result<Fd> Open(const Digest& sha256) const override;
  Result<uint64_t> Size(const Digest& sha256) const override {
    return reading_.With([&](S3Client& client) { return client.Size(sha256); });
  }
  Status Remove(const Digest& sha256) override {
    GC_TRY_VOID(writing_.With([&](S3Client& client) { return client.Remove(sha256); }));
    const std::lock_guard lock(cache_mutex_);
    return cache_.Remove(sha256);
  }
  Result<std::vector<BlobInfo>> List() const override {
    return reading_.With([](S3Client& client) { return client.List(); });
  }
  // The bucket does not say; bytes on their way need room here.
  Result<uint64_t> BytesFree() const override { return local_.BytesFree(); }

  Status Commit(const Digest& sha256, StagedBlob& local);

 private:
  Result<Fd> Download(const Digest& sha256) const;
  Result<std::unique_ptr<StagedBlob>> Fetch(S3Client& client, const Digest& sha256) const;

  // Reading changes what is cached and the state of the connection, none of which callers can see. An upload
  // that takes long must not hold up readers, so they have a line of their own.
  mutable Line reading_;
  Line writing_;
  mutable std::mutex cache_mutex_;  // guards cache_; nobody waits for the network with it
  mutable S3Cache cache_;
  BlobStore& local_;  // the cache's; any thread
};

// The local bytes, and the way to the bucket. `Kind`: StagedBlob or PartialBlob.
template <typename Kind>
class StagedObject : public Kind {
 public:
  StagedObject(S3BlobStore& store, std::unique_ptr<Kind> local) : store_(store), local_(std::move(local)) {}

  Status Append(ByteSpan bytes) override { return local_->Append(bytes); }
  uint64_t bytes() const override { return local_->bytes(); }
  Result<Digest> Finish() override {
    GC_TRY(digest_, local_->Finish());
    return digest_;
  }
  // The local copy of committed bytes may have gone from the cache.
  Result<Fd> Open() const override { return committed_ ? store_.Open(digest_) : local_->Open(); }
  Status Commit() override {
    if (committed_) return Ok();
    GC_TRY_VOID(store_.Commit(digest_, *local_));
    committed_ = true;
    return Ok();
  }

 protected:
  Kind& local() { return *local_; }
  const Kind& local() const { return *local_; }

 private:
  S3BlobStore& store_;  // which outlives its staged blobs
  std::unique_ptr<Kind> local_;
  Digest digest_{};
  bool committed_ = false;
};

class PartialObject final : public StagedObject<PartialBlob> {
 public:
  using StagedObject::StagedObject;
  Status Keep() override { return local().Keep(); }
  uint64_t kept() const override { return local().kept(); }
  Status CutToKept() override { return local().CutToKept(); }
  Result<uint64_t> DigestSome() override { return local().DigestSome(); }
  Status Discard() override { return local().Discard(); }
};

Result<std::unique_ptr<StagedBlob>> S3BlobStore::Stage() {
  GC_TRY(auto local, local_.Stage());
  return std::make_unique<StagedObject<StagedBlob>>(*this, std::move(local));
}

Result<std::unique_ptr<PartialBlob>> S3BlobStore::StagePartial(const Uuid& id, std::string_view note) {
  GC_TRY(auto local, local_.StagePartial(id, note));
  return std::make_unique<PartialObject>(*this, std::move(local));
}

Result<std::unique_ptr<PartialBlob>> S3BlobStore::ResumePartial(const Uuid& id) {
  GC_TRY(auto local, local_.ResumePartial(id));
  return std::make_unique<PartialObject>(*this, std::move(local));
}

// Once the server has answered, the blob is in the store. A failure of the cache after that is told all the
// same: the commit can be repeated, and finds the object there.
Status S3BlobStore::Commit(const Digest& sha256, StagedBlob& local) {
  {
    GC_TRY(const Fd fd, local.Open());
    GC_TRY_VOID(
        writing_.With([&](S3Client& client) { return client.Upload(sha256, fd.get(), local.bytes()); }));
  }
  const std::lock_guard lock(cache_mutex_);
  GC_TRY_VOID(local.Commit());
  return cache_.Added(sha256, local.bytes());
}

Result<Fd> S3BlobStore::Open(const Digest& sha256) const {
  {
    const std::lock_guard lock(cache_mutex_);
    auto cached = cache_.Open(sha256);
    if (cached || cached.error().code() != Code::kNotFound) return cached;
  }
  return Download(sha256);
}

Result<Fd> S3BlobStore::Download(const Digest& sha256) const {
  GC_TRY(const std::unique_ptr<StagedBlob> staged,
         reading_.With([&](S3Client& client) { return Fetch(client, sha256); }));
  const std::lock_guard lock(cache_mutex_);
  GC_TRY_VOID(staged->Commit());
  GC_TRY(Fd fd, local_.Open(sha256));  // before it may have to go
  GC_TRY_VOID(cache_.Added(sha256, staged->bytes()));
  return fd;
}

// The whole object, with the right digest.
Result<std::unique_ptr<StagedBlob>> S3BlobStore::Fetch(S3Client& client, const Digest& sha256) const {
  GC_TRY(const uint64_t bytes, client.Size(sha256));
  std::unique_ptr<StagedBlob> staged;
  const Error wrong = Error::DataLoss("the bucket has other bytes under the name of blob " + ToHex(sha256) +
                                      "; publish it again, or restore the object");
  const S3Client::Download into{.begin = [&]() -> Status {
                                  GC_TRY(staged, local_.Stage());
                                  return Ok();
                                },
                                .take = [&](ByteSpan piece) -> Status {
                                  // An answer without end would fill the disk.
                                  if (piece.size() > bytes - staged->bytes()) return Fail(wrong);
                                  return staged->Append(piece);
                                }};
  GC_TRY_VOID(client.Get(sha256, into));
  GC_TRY(const Digest found, staged->Finish());
  if (found != sha256) return Fail(wrong);
  return staged;
}

S3Options CopyOf(const S3Options& options) {
  const auto copy = [](const Secret& secret) { return Secret(std::string(secret.Reveal(RevealToken()))); };
  return {.endpoint = options.endpoint,
          .bucket = options.bucket,
          .region = options.region,
          .prefix = options.prefix,
          .access_key = options.access_key,
          .secret_key = copy(options.secret_key),
          .session_token = copy(options.session_token),
          .path_style = options.path_style,
          .cache_bytes_max = options.cache_bytes_max,
          .multipart_above_bytes = options.multipart_above_bytes,
          .part_bytes_min = options.part_bytes_min,
          .request_timeout_ms = options.request_timeout_ms,
          .retries = options.retries,
          .fetcher = options.fetcher};
}

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenS3BlobStore(S3Options options, S3Surroundings surroundings) {
  const uint64_t cache_bytes_max = options.cache_bytes_max;
  GC_TRY(auto reading, S3Client::Create(CopyOf(options), surroundings.clock, surroundings.random));
  GC_TRY(auto writing, S3Client::Create(std::move(options), surroundings.clock, surroundings.random));
  GC_TRY(S3Cache cache, S3Cache::Over(std::move(surroundings.local), cache_bytes_max));
  return std::make_unique<S3BlobStore>(std::move(reading), std::move(writing), std::move(cache));
}

}  // namespace glasscase::blobs
