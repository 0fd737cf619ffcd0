// What the store asks of the server, one function per act, repeated where the server is busy or away.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "s3_address.h"
#include "s3_answers.h"

namespace glasscase::blobs {

// One thread. Errors: s3_blob_store.h.
class S3Client {
 public:
  static Result<std::unique_ptr<S3Client>> Create(S3Options options, const Clock& clock,
                                                  RandomSource& random);

  // Puts the file's bytes there; an object of that name and size is left alone.
  Status Upload(const Digest& sha256, int fd, uint64_t bytes);

  // Calls `begin` before each attempt, then `take` with the pieces. Without a word about their digest.
  struct Download {
    std::function<Status()> begin;
    fetch::Sink take;
  };
  Status Get(const Digest& sha256, const Download& download);

  Result<uint64_t> Size(const Digest& sha256);  // NotFound
  Status Remove(const Digest& sha256);
  Result<std::vector<BlobInfo>> List();

 private:
  struct Call;
  S3Client(S3Options options, S3Address address, std::unique_ptr<fetch::Fetcher> fetcher, const Clock& clock,
           RandomSource& random);

  Result<fetch::Answer> Ask(const Call& call);
  Result<fetch::Answer> AskOnce(const Call& call);
  // After `attempts` of them; false when it is time to give up.
  bool PauseBeforeNext(int attempts, int64_t begun_nanos);
  Error ErrorOf(const fetch::Answer& answer, std::string_view what) const;
  // Of answers to HEAD, which cannot say why.
  Error ErrorOfHead(const fetch::Answer& answer, std::string_view what);

  Result<bool> IsThere(const Digest& sha256, uint64_t bytes);
  Status UploadWhole(const Digest& sha256, int fd, uint64_t bytes, bool replace);
  Status UploadInParts(const Digest& sha256, int fd, uint64_t bytes, bool replace);
  Result<UploadedPart> UploadPart(const Digest& sha256, const std::string& upload_id, size_t number, int fd,
                                  uint64_t begin, uint64_t bytes);
  Status Complete(const Digest& sha256, const std::string& upload_id, const std::vector<UploadedPart>& parts,
                  uint64_t bytes, bool replace);
  void Abort(const Digest& sha256, const std::string& upload_id);
  Result<ListPage> Page(const std::string& token);

  const S3Options options_;
  const S3Address address_;
  fetch::SigV4Credentials credentials_;
  const std::unique_ptr<fetch::Fetcher> fetcher_;
  const Clock& clock_;
  RandomSource& random_;
};

}  // namespace glasscase::blobs
