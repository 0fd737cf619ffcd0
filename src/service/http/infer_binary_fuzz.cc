// An infer request with binary tensor data: the first byte chooses where the JSON part ends.
#include "infer_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  static const access::VersionRow* version = [] {
    auto* row = new access::VersionRow;
    row->inputs = {{.name = "X", .datatype = DataType::kFp32, .shape = {-1, 2}},
                   {.name = "s", .datatype = DataType::kBytes, .shape = {-1}}};
    row->outputs = {{.name = "y", .datatype = DataType::kFp32, .shape = {-1}}};
    return row;
  }();
  static const access::VersionRow* single = [] {
    auto* row = new access::VersionRow(*version);
    row->inputs.resize(1);
    return row;
  }();
  if (size == 0) return 0;
  static http::InferRequestParser parser;
  static http::InferRequest request;
  const uint64_t json_bytes = data[0] == 255 ? size + 1 : data[0] * (size - 1) / 254;
  std::string body(reinterpret_cast<const char*>(data + 1), size - 1);
  body.append(http::kBodyPadding, '\0');
  const std::string_view view = std::string_view(body).substr(0, size - 1);
  if (!parser.Parse(view, json_bytes, json_bytes == 0 ? *single : *version, request)) return 0;
  Bytes room(request.CallBytes(""));
  GC_CHECK(room.size() < 16 * size + 4096);
  const Result<size_t> used = request.WriteTo(room, 1, Digest{}, Uuid{}, "", 0);
  rpc::CallView call;
  if (used) GC_CHECK(rpc::ParseCall({room.data(), *used}, call));
  return 0;
}
