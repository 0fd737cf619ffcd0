// An S3 store over a folder of its own, for tests.
#pragma once

#include <fcntl.h>

#include <filesystem>

#include <glasscase/blobs/testing/store_fixture.h>
#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/blobs_s3/s3_blob_store.h>
#include <glasscase/core/ids.h>

#include "versitygw_test.h"

namespace glasscase::blobs::testing {

class S3Fixture final : public StoreFixture {
 public:
  S3Fixture()
      : folder(std::filesystem::temp_directory_path() / ("gc-s3-cache-" + Uuid::Random().ToString())) {
    std::filesystem::create_directory(folder);
    options.access_key = Versitygw::kAccessKey;
    options.secret_key = Secret(Versitygw::kSecretKey);
    options.prefix = "glasscase/";
    options.retries = {.attempts = 3, .first_pause_ms = 1, .total_ms = 5'000};
    options.request_timeout_ms = 5'000;
  }
  ~S3Fixture() override { std::filesystem::remove_all(folder); }

  // On the real server, in a bucket of its own.
  S3Fixture& OnVersitygw() {
    options.endpoint = Versitygw::Instance().url();
    options.bucket = Versitygw::Instance().MakeBucket();
    return *this;
  }
  S3Fixture& At(std::string endpoint) {
    options.endpoint = std::move(endpoint);
    options.bucket = "bucket";
    return *this;
  }

  std::unique_ptr<BlobStore> Open() override {
    S3Options copy{.endpoint = options.endpoint,
                   .bucket = options.bucket,
                   .region = options.region,
                   .prefix = options.prefix,
                   .access_key = options.access_key,
                   .cache_bytes_max = options.cache_bytes_max,
                   .multipart_above_bytes = options.multipart_above_bytes,
                   .part_bytes_min = options.part_bytes_min,
                   .request_timeout_ms = options.request_timeout_ms,
                   .retries = options.retries};
    copy.secret_key = Secret(std::string(options.secret_key.Reveal(RevealToken())));
    Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return OpenS3BlobStore(std::move(copy), {.local = OpenFilesystemBlobStore(std::move(directory)).value(),
                                             .clock = clock,
                                             .random = random})
        .value();
  }

  std::filesystem::path CachedFileOf(const Digest& sha256) const {
    const std::string hex = ToHex(sha256);
    return folder / "blobs" / "sha256" / hex.substr(0, 2) / hex;
  }
  bool IsCached(const Digest& sha256) const { return std::filesystem::exists(CachedFileOf(sha256)); }
  // Of the real server's object.
  std::filesystem::path ObjectOf(const Digest& sha256) const {
    const std::string hex = ToHex(sha256);
    return Versitygw::Instance().FolderOf(options.bucket) / (options.prefix + "sha256") / hex.substr(0, 2) /
           hex;
  }

  const std::filesystem::path folder;
  S3Options options;

 private:
  SystemClock clock;
  SystemRandom random;
};

inline Result<Digest> TryPut(BlobStore& store, std::string_view bytes) {
  GC_TRY(auto staged, store.Stage());
  GC_TRY_VOID(staged->Append(AsBytes(bytes)));
  GC_TRY(const Digest digest, staged->Finish());
  GC_TRY_VOID(staged->Commit());
  return digest;
}

}  // namespace glasscase::blobs::testing
