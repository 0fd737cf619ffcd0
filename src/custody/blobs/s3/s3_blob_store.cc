#include <glasscase/blobs_s3/s3_blob_store.h>

#include <algorithm>

#include "s3_cache.h"
#include "s3_client.h"

namespace glasscase::blobs {
namespace {

class S3BlobStore final : public BlobStore {
 public:
  S3BlobStore(std::unique_ptr<S3Client> client, S3Cache cache)
      : client_(std::move(client)), cache_(std::move(cache)) {}

  Result<std::unique_ptr<StagedBlob>> Stage() override;
  Result<std::unique_ptr<PartialBlob>> StagePartial(const Uuid& id, std::string_view note) override;
  Result<std::unique_ptr<PartialBlob>> ResumePartial(const Uuid& id) override;
  Result<std::vector<PartialInfo>> Partials() const override { return cache_.local().Partials(); }
  Result<Fd> Open(const Digest& sha256) const override;
  Result<uint64_t> Size(const Digest& sha256) const override { return client_->Size(sha256); }
  Status Remove(const Digest& sha256) override {
    GC_TRY_VOID(client_->Remove(sha256));
    return cache_.Remove(sha256);
  }
  Result<std::vector<BlobInfo>> List() const override { return client_->List(); }
  // The bucket does not say; bytes on their way need room here.
  Result<uint64_t> BytesFree() const override { return cache_.local().BytesFree(); }

  Status Commit(const Digest& sha256, StagedBlob& local);

 private:
  Result<Fd> Download(const Digest& sha256) const;

  // Reading changes what is cached and the state of the connection, none of which callers can see.
  const std::unique_ptr<S3Client> client_;
  mutable S3Cache cache_;
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
  GC_TRY(auto local, cache_.local().Stage());
  return std::make_unique<StagedObject<StagedBlob>>(*this, std::move(local));
}

Result<std::unique_ptr<PartialBlob>> S3BlobStore::StagePartial(const Uuid& id, std::string_view note) {
  GC_TRY(auto local, cache_.local().StagePartial(id, note));
  return std::make_unique<PartialObject>(*this, std::move(local));
}

Result<std::unique_ptr<PartialBlob>> S3BlobStore::ResumePartial(const Uuid& id) {
  GC_TRY(auto local, cache_.local().ResumePartial(id));
  return std::make_unique<PartialObject>(*this, std::move(local));
}

// Once the server has answered, the blob is in the store. A failure of the cache after that is told all the
// same: the commit can be repeated, and finds the object there.
Status S3BlobStore::Commit(const Digest& sha256, StagedBlob& local) {
  {
    GC_TRY(const Fd fd, local.Open());
    GC_TRY_VOID(client_->Upload(sha256, fd.get(), local.bytes()));
  }
  GC_TRY_VOID(local.Commit());
  return cache_.Added(sha256, local.bytes());
}

Result<Fd> S3BlobStore::Open(const Digest& sha256) const {
  auto cached = cache_.Open(sha256);
  if (cached || cached.error().code() != Code::kNotFound) return cached;
  return Download(sha256);
}

Result<Fd> S3BlobStore::Download(const Digest& sha256) const {
  GC_TRY(const uint64_t bytes, client_->Size(sha256));
  std::unique_ptr<StagedBlob> staged;
  const Error wrong = Error::DataLoss("the bucket has other bytes under the name of blob " + ToHex(sha256) +
                                      "; publish it again, or restore the object");
  const S3Client::Download into{.begin = [&]() -> Status {
                                  GC_TRY(staged, cache_.local().Stage());
                                  return Ok();
                                },
                                .take = [&](ByteSpan piece) -> Status {
                                  // An answer without end would fill the disk.
                                  if (piece.size() > bytes - staged->bytes()) return Fail(wrong);
                                  return staged->Append(piece);
                                }};
  GC_TRY_VOID(client_->Get(sha256, into));
  GC_TRY(const Digest found, staged->Finish());
  if (found != sha256) return Fail(wrong);
  GC_TRY_VOID(staged->Commit());
  GC_TRY(Fd fd, cache_.local().Open(sha256));  // before it may have to go
  GC_TRY_VOID(cache_.Added(sha256, bytes));
  return fd;
}

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenS3BlobStore(S3Options options, S3Surroundings surroundings) {
  const uint64_t cache_bytes_max = options.cache_bytes_max;
  GC_TRY(auto client, S3Client::Create(std::move(options), surroundings.clock, surroundings.random));
  GC_TRY(S3Cache cache, S3Cache::Over(std::move(surroundings.local), cache_bytes_max));
  return std::make_unique<S3BlobStore>(std::move(client), std::move(cache));
}

}  // namespace glasscase::blobs
