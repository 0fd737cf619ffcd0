// One call and its answer, as they travel over the shared-memory channel between edge and host.
//
// Layout (little-endian, host byte order of one machine; not a file format): a fixed header, then for each
// tensor a fixed header, its dimensions, its name and its data, each padded to 8 bytes, so that data lies at
// a multiple of 8 from the start. Parsers take hostile bytes: every length is checked against what is left,
// counts are bounded by kTensorsMax. Whether data suits its datatype and shape is CheckTensorData's question.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <glasscase/access/decide.h>
#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::rpc {

inline constexpr uint32_t kTensorsMax = 256;      // inputs, and outputs, of one call
inline constexpr size_t kVersionBytesMax = 255;   // of a label
inline constexpr size_t kMessageBytesMax = 1024;  // of an answer's error message; longer ones are cut

// A view into somebody's bytes; valid as long as they are.
struct TensorView {
  std::string_view name;
  DataType datatype = DataType::kFp32;
  uint8_t rank = 0;
  std::array<int64_t, kRankMax> dimensions{};
  ByteSpan data;

  std::span<const int64_t> shape() const { return {dimensions.data(), rank}; }
};

struct CallView {
  uint64_t id = 0;      // the edge's; comes back in the answer
  Digest credential{};  // HostCredential(token)
  Uuid model;
  std::string_view version;  // label or UUID as asked for; empty: the default
  int64_t deadline_ns = 0;   // monotonic
  std::vector<TensorView> inputs;
  std::vector<std::string_view> outputs;  // wanted; empty: all
};

struct AnswerView {
  uint64_t id = 0;
  uint32_t code = 0;  // 0, or a canonical code
  access::Reason reason = access::Reason::kAllowedByGrant;
  std::string_view message;  // when code is not 0
  Uuid version;              // that answered
  bool has_quota = false;
  access::Quota quota;
  access::QuotaAnswer quota_state;
  std::vector<TensorView> outputs;
};

// Writes a call piece by piece, so that JSON numbers are parsed straight into the channel.
class CallWriter {
 public:
  explicit CallWriter(std::span<uint8_t> room) : room_(room) {}

  // Each returns false when the room does not suffice or a limit above is passed. Inputs and outputs may
  // come in any order.
  bool Begin(uint64_t id, const Digest& credential, const Uuid& model, std::string_view version,
             int64_t deadline_ns);
  // Starts an input; returns room for its data (at most `data_bytes_max`), to be closed by EndInput with
  // the bytes used. Empty when the room does not suffice; never empty otherwise, also when an input has no
  // elements (then 8 bytes, of which none may be used).
  std::span<uint8_t> BeginInput(std::string_view name, DataType datatype, std::span<const int64_t> shape,
                                size_t data_bytes_max);
  void EndInput(size_t data_bytes);
  bool AddOutput(std::string_view name);
  size_t Finish();  // bytes used

  static size_t BytesFor(std::string_view version);  // without tensors
  static size_t BytesForTensor(std::string_view name, size_t rank, size_t data_bytes);

 private:
  std::span<uint8_t> room_;
  size_t used_ = 0;
  size_t open_tensor_ = 0;  // where its header lies; 0: none is open
  size_t open_room_ = 0;
  uint32_t inputs_ = 0;
  uint32_t outputs_ = 0;
};

// The vectors of `out` are reused. InvalidArgument says what is wrong.
Status ParseCall(ByteSpan bytes, CallView& out);

// Bytes of the answer, and the answer itself. `room` must be at least AnswerBytes(answer).
size_t AnswerBytes(const AnswerView& answer);
size_t WriteAnswer(const AnswerView& answer, std::span<uint8_t> room);
Status ParseAnswer(ByteSpan bytes, AnswerView& out);

}  // namespace glasscase::rpc
