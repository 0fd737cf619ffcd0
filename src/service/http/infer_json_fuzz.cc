// An infer request as JSON: parsed against a model with all kinds of inputs, written as a call, read back.
#include "infer_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  static const access::VersionRow* version = [] {
    auto* row = new access::VersionRow;
    row->inputs = {{.name = "X", .datatype = DataType::kFp32, .shape = {-1, -1}},
                   {.name = "s", .datatype = DataType::kBytes, .shape = {-1}},
                   {.name = "b", .datatype = DataType::kBool, .shape = {2}},
                   {.name = "i", .datatype = DataType::kInt8, .shape = {-1, 2, 2}}};
    row->outputs = {{.name = "y", .datatype = DataType::kFp32, .shape = {-1}}};
    return row;
  }();
  static http::InferRequestParser parser;
  static http::InferRequest request;
  std::string body(reinterpret_cast<const char*>(data), size);
  body.append(http::kBodyPadding, '\0');
  if (!parser.Parse(std::string_view(body).substr(0, size), std::nullopt, *version, request)) return 0;
  Bytes room(request.CallBytes("1"));
  GC_CHECK(room.size() < 16 * size + 4096);  // a small body must not make us reserve much
  const Result<size_t> used = request.WriteTo(room, 1, Digest{}, Uuid{}, "1", 0);
  rpc::CallView call;
  if (used) GC_CHECK(rpc::ParseCall({room.data(), *used}, call));
  return 0;
}
