// Blobs as objects in a bucket, with a cache of local files: README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <glasscase/blobs/blob_store.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>
#include <glasscase/fetch/fetch.h>

namespace glasscase::blobs {

// How often a server that is busy, broken or away is asked again. Pauses double from `first_pause_ms`, each
// cut to a random part of itself, so that many clients do not come back at once.
struct S3Retries {
  int attempts = 5;
  int64_t first_pause_ms = 100;
  int64_t total_ms = 30'000;  // no attempt begins after this, counted from the first
};

struct S3Options {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com": without bucket and path
  std::string bucket;
  std::string region = "us-east-1";
  std::string prefix{};  // of object names, for example "glasscase/"; letters, digits and -._/ only
  std::string access_key;
  Secret secret_key{};
  Secret session_token{};  // only with temporary credentials
  bool path_style = true;  // false: the bucket is a part of the host's name

  uint64_t cache_bytes_max = uint64_t{16} << 30;
  uint64_t multipart_above_bytes = uint64_t{64} << 20;
  uint64_t part_bytes_min = uint64_t{16} << 20;  // larger where 10,000 parts would not suffice
  int64_t request_timeout_ms = 15'000;           // of an answer without a blob; of a stall within a blob
  S3Retries retries{};
  fetch::FetcherOptions fetcher{};
};

struct S3Surroundings {
  std::unique_ptr<BlobStore> local;  // for staging and the cache; used by nobody else
  const Clock& clock;                // outlives the store, as does `random`; several threads use both
  RandomSource& random;
};

// Any thread may use the store. One that reads and one that writes wait for the network beside each other;
// further ones wait for these.
//
// Looks at the options and the local store, not at the server: a store whose server is away still gives what
// is cached. InvalidArgument names the option.
//
// Beyond what BlobStore says, its functions fail with
//   Unavailable         the server was busy, broken or away all the time
//   PermissionDenied    it does not accept the credentials, or they may not do this
//   FailedPrecondition  there is no such bucket, or another setting does not fit the server
//   DataLoss            it sent bytes with another digest, or an answer that is not S3's
Result<std::unique_ptr<BlobStore>> OpenS3BlobStore(S3Options options, S3Surroundings surroundings);

}  // namespace glasscase::blobs
