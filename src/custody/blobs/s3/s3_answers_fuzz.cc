// Whatever an S3 server answers: no crash, and what is believed is whole.
#include "s3_answers.h"

#include <glasscase/core/bytes.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::blobs;
  const std::string_view xml = AsText({data, size});
  const auto page = ReadListPage(xml);
  const auto upload = ReadUploadId(xml);
  const auto error = ReadS3Error(xml);
  GC_CHECK(page || page.error().code() == Code::kDataLoss);
  // One document is at most one kind of answer.
  GC_CHECK(int{page.has_value()} + int{upload.has_value()} + int{error.has_value()} <= 1);
  if (upload) GC_CHECK(!upload->empty());
  if (error) GC_CHECK(!error->code.empty());
  if (upload) CompletionOf({{*upload, ""}});
  return 0;
}
