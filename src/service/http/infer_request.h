// The body of an infer request (Open Inference Protocol v2, REST, with the binary tensor data extension),
// checked against what the model takes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/access/table.h>
#include <glasscase/core/error.h>
#include <glasscase/rpc/call_message.h>

namespace glasscase::http {

// An input as sent. Views point into the body.
struct InferInput {
  std::string_view name;  // the model's own spelling
  const TensorSpec* spec = nullptr;
  std::array<int64_t, kRankMax> dimensions{};
  uint8_t rank = 0;
  std::string_view json;  // the text of `data`; empty when binary
  ByteSpan binary;
  bool is_binary = false;
  Bytes strings;  // BYTES elements unescaped from `json`
  uint64_t data_bytes = 0;

  std::span<const int64_t> shape() const { return {dimensions.data(), rank}; }
};

struct InferOutput {
  std::string name;
  std::optional<bool> binary;  // when the output says so itself
};

// Reused from request to request.
struct InferRequest {
  std::string id_json;  // the `id` as it is echoed, with its quotes; empty when none was sent
  std::vector<InferInput> inputs;
  std::vector<InferOutput> outputs;  // wanted; empty: all
  bool binary_output = false;        // for outputs that do not say
  uint64_t timeout_micros = 0;       // parameter `timeout`; 0: none

  bool WantsBinary(std::string_view output) const;
  // Bytes that WriteTo needs at most.
  size_t CallBytes(std::string_view version) const;
  // Writes the call; parses the JSON numbers straight into `room`.
  Result<size_t> WriteTo(std::span<uint8_t> room, uint64_t id, const Digest& credential, const Uuid& model,
                         std::string_view version, int64_t deadline_ns) const;
};

// What must be readable after a body for the parser, beyond its end.
inline constexpr size_t kBodyPadding = 64;

// One thread; keeps its buffers.
class InferRequestParser {
 public:
  InferRequestParser();
  ~InferRequestParser();

  // `body` is followed by at least kBodyPadding readable bytes. `json_bytes`: the value of
  // Inference-Header-Content-Length; nullopt: the whole body is JSON; 0: the whole body is the one input's
  // data (raw binary request). InvalidArgument names the member, its value and the limit.
  Status Parse(std::string_view body, std::optional<uint64_t> json_bytes, const access::VersionRow& version,
               InferRequest& out);

 private:
  class Reader;  // simdjson stays out of this header: its types depend on compiler options
  std::unique_ptr<Reader> reader_;
};

}  // namespace glasscase::http
