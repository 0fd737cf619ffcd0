// Which URL an object has.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glasscase/blobs_s3/s3_blob_store.h>

namespace glasscase::blobs {

using Query = std::vector<std::pair<std::string, std::string>>;

class S3Address {
 public:
  // InvalidArgument names the option that cannot be.
  static Result<S3Address> Of(const S3Options& options);

  // Names are made of characters that stand for themselves in a URL: what is signed is what is sent.
  std::string UrlOf(const Digest& sha256, const Query& query = {}) const;
  std::string UrlOfBucket(const Query& query) const;

  // What all names of blobs begin with.
  const std::string& names_begin() const { return names_begin_; }
  // Of the blob whose object has that name; NotFound when it is not the name of a blob of this store.
  Result<Digest> BlobNamed(std::string_view name) const;

  const std::string& host() const { return host_; }      // "host:port", for messages
  const std::string& bucket() const { return bucket_; }  // for messages

 private:
  S3Address() = default;
  std::string bucket_url_;  // ends in "/"
  std::string names_begin_;
  std::string host_;
  std::string bucket_;
};

}  // namespace glasscase::blobs
