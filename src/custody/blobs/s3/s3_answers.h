// The XML that an S3 server answers with. Whatever it sends is bounded; what is not well-formed or not the
// expected answer is DataLoss.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::blobs {

struct ListedObject {
  std::string name;
  uint64_t bytes = 0;
};

// One page of ListObjectsV2.
struct ListPage {
  std::vector<ListedObject> objects;
  std::string next;  // the continuation token; empty on the last page
};
Result<ListPage> ReadListPage(std::string_view xml);

// Of InitiateMultipartUploadResult.
Result<std::string> ReadUploadId(std::string_view xml);

struct S3Error {
  std::string code;  // "NoSuchKey"
  std::string message;
};
Result<S3Error> ReadS3Error(std::string_view xml);

// The document that ends an upload in parts; etags are escaped.
struct UploadedPart {
  std::string etag;
  std::string sha256_base64;
};
std::string CompletionOf(const std::vector<UploadedPart>& parts);

}  // namespace glasscase::blobs
