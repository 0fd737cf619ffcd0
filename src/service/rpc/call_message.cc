#include <glasscase/rpc/call_message.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace glasscase::rpc {
namespace {

constexpr uint32_t kCallMark = 0x314C4143;    // "CAL1" in memory
constexpr uint32_t kAnswerMark = 0x31534E41;  // "ANS1"

enum class ItemKind : uint8_t { kTensor = 1, kName = 2 };

struct CallHeader {
  uint32_t mark;
  uint16_t inputs;
  uint16_t outputs;
  uint64_t id;
  int64_t deadline_ns;
  uint8_t credential[32];
  uint8_t model[16];
  uint32_t version_bytes;
  uint32_t reserved;
};
static_assert(sizeof(CallHeader) == 80);

// An input or output, with a tensor's data or only a name.
struct ItemHeader {
  uint64_t data_bytes;
  uint16_t name_bytes;
  ItemKind kind;
  uint8_t datatype;
  uint8_t rank;
  uint8_t reserved[3];
};
static_assert(sizeof(ItemHeader) == 16);

struct AnswerHeader {
  uint32_t mark;
  uint16_t outputs;
  uint8_t reason;
  uint8_t has_quota;
  uint64_t id;
  uint32_t code;
  uint32_t message_bytes;
  uint8_t version[16];
  uint64_t quota_period_ns;
  uint64_t quota_reset_ns;
  uint64_t quota_retry_after_ns;
  uint32_t quota_calls;
  uint32_t quota_remaining;
  uint32_t quota_allowed;
  uint32_t reserved;
};
static_assert(sizeof(AnswerHeader) == 80);

constexpr size_t Padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

size_t ItemBytes(size_t name_bytes, size_t rank, size_t data_bytes) {
  return sizeof(ItemHeader) + rank * sizeof(int64_t) + Padded(name_bytes) + Padded(data_bytes);
}

// Copies `bytes` to `to` and zeroes the padding behind it; returns where the next thing goes.
uint8_t* PutPadded(uint8_t* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  std::memset(to + bytes, 0, Padded(bytes) - bytes);
  return to + Padded(bytes);
}

uint8_t* PutItem(uint8_t* to, ItemKind kind, std::string_view name, DataType datatype,
                 std::span<const int64_t> shape, size_t data_bytes) {
  ItemHeader header{};
  header.data_bytes = data_bytes;
  header.name_bytes = static_cast<uint16_t>(name.size());
  header.kind = kind;
  header.datatype = static_cast<uint8_t>(datatype);
  header.rank = static_cast<uint8_t>(shape.size());
  std::memcpy(to, &header, sizeof header);
  to = PutPadded(to + sizeof header, shape.data(), shape.size_bytes());
  return PutPadded(to, name.data(), name.size());
}

Error Broken(std::string_view what) {
  return Error::InvalidArgument("broken call message: " + std::string(what));
}

// Hands out views of what is left; false when it does not suffice.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : left_(bytes) {}

  template <typename T>
  bool Read(T& out) {
    if (left_.size() < sizeof out) return false;
    std::memcpy(&out, left_.data(), sizeof out);
    left_ = left_.subspan(sizeof out);
    return true;
  }
  bool ReadPadded(uint64_t bytes, ByteSpan& out) {
    if (bytes > left_.size() || Padded(bytes) > left_.size()) return false;
    out = left_.first(bytes);
    left_ = left_.subspan(Padded(bytes));
    return true;
  }
  bool empty() const { return left_.empty(); }

 private:
  ByteSpan left_;
};

Status ReadItem(Reader& reader, ItemKind& kind, TensorView& out) {
  ItemHeader header;
  if (!reader.Read(header)) return Fail(Broken("ends before a tensor"));
  if (header.name_bytes > kTensorNameBytesMax) return Fail(Broken("a name is too long"));
  if (header.rank > kRankMax) return Fail(Broken("a tensor has too many dimensions"));
  kind = header.kind;
  const bool has_data = kind == ItemKind::kTensor;
  if (has_data ? !IsDataType(header.datatype) : header.data_bytes != 0 || header.rank != 0) {
    return Fail(Broken("a tensor has no known datatype"));
  }
  ByteSpan dimensions;
  ByteSpan name;
  if (!reader.ReadPadded(header.rank * sizeof(int64_t), dimensions) ||
      !reader.ReadPadded(header.name_bytes, name) || !reader.ReadPadded(header.data_bytes, out.data)) {
    return Fail(Broken("ends inside a tensor"));
  }
  out.name = AsText(name);
  out.datatype = has_data ? static_cast<DataType>(header.datatype) : DataType::kFp32;
  out.rank = header.rank;
  if (!dimensions.empty()) std::memcpy(out.dimensions.data(), dimensions.data(), dimensions.size());
  return Ok();
}

}  // namespace

// ---- calls
// ------------------------------------------------------------------------------------------------------

size_t CallWriter::BytesFor(std::string_view version) { return sizeof(CallHeader) + Padded(version.size()); }

size_t CallWriter::BytesForTensor(std::string_view name, size_t rank, size_t data_bytes) {
  return ItemBytes(name.size(), rank, std::max<size_t>(data_bytes, 8));
}

bool CallWriter::Begin(uint64_t id, const Digest& credential, const Uuid& model, std::string_view version,
                       int64_t deadline_ns) {
  if (version.size() > kVersionBytesMax || room_.size() < BytesFor(version)) return false;
  CallHeader header{};
  header.mark = kCallMark;
  header.id = id;
  header.deadline_ns = deadline_ns;
  std::memcpy(header.credential, credential.data(), sizeof header.credential);
  std::memcpy(header.model, model.bytes.data(), sizeof header.model);
  header.version_bytes = static_cast<uint32_t>(version.size());
  std::memcpy(room_.data(), &header, sizeof header);
  PutPadded(room_.data() + sizeof header, version.data(), version.size());
  used_ = BytesFor(version);
  open_tensor_ = 0;
  inputs_ = 0;
  outputs_ = 0;
  return true;
}

std::span<uint8_t> CallWriter::BeginInput(std::string_view name, DataType datatype,
                                          std::span<const int64_t> shape, size_t data_bytes_max) {
  GC_CHECK(used_ > 0 && open_tensor_ == 0);
  if (inputs_ == kTensorsMax || name.size() > kTensorNameBytesMax || shape.size() > kRankMax) return {};
  const size_t left = room_.size() - used_;
  if (data_bytes_max > left || BytesForTensor(name, shape.size(), data_bytes_max) > left) return {};
  open_tensor_ = used_;
  open_room_ = data_bytes_max;
  uint8_t* data = PutItem(room_.data() + used_, ItemKind::kTensor, name, datatype, shape, 0);
  used_ = static_cast<size_t>(data - room_.data());
  return {data, std::max<size_t>(data_bytes_max, 8)};
}

void CallWriter::EndInput(size_t data_bytes) {
  GC_CHECK(open_tensor_ != 0 && data_bytes <= open_room_);
  const uint64_t bytes = data_bytes;
  std::memcpy(room_.data() + open_tensor_ + offsetof(ItemHeader, data_bytes), &bytes, sizeof bytes);
  std::memset(room_.data() + used_ + data_bytes, 0, Padded(data_bytes) - data_bytes);
  used_ += Padded(data_bytes);
  open_tensor_ = 0;
  ++inputs_;
}

bool CallWriter::AddOutput(std::string_view name) {
  GC_CHECK(used_ > 0 && open_tensor_ == 0);
  if (outputs_ == kTensorsMax || name.size() > kTensorNameBytesMax) return false;
  if (ItemBytes(name.size(), 0, 0) > room_.size() - used_) return false;
  const uint8_t* end = PutItem(room_.data() + used_, ItemKind::kName, name, DataType::kFp32, {}, 0);
  used_ = static_cast<size_t>(end - room_.data());
  ++outputs_;
  return true;
}

size_t CallWriter::Finish() {
  GC_CHECK(used_ > 0 && open_tensor_ == 0);
  const uint16_t counts[2] = {static_cast<uint16_t>(inputs_), static_cast<uint16_t>(outputs_)};
  std::memcpy(room_.data() + offsetof(CallHeader, inputs), counts, sizeof counts);
  return used_;
}

Status ParseCall(ByteSpan bytes, CallView& out) {
  out.inputs.clear();
  out.outputs.clear();
  Reader reader(bytes);
  CallHeader header;
  if (!reader.Read(header)) return Fail(Broken("shorter than its header"));
  if (header.mark != kCallMark) return Fail(Broken("is not a call"));
  if (header.inputs > kTensorsMax || header.outputs > kTensorsMax)
    return Fail(Broken("has too many tensors"));
  ByteSpan version;
  if (header.version_bytes > kVersionBytesMax || !reader.ReadPadded(header.version_bytes, version)) {
    return Fail(Broken("ends inside the version"));
  }
  out.id = header.id;
  out.deadline_ns = header.deadline_ns;
  std::memcpy(out.credential.data(), header.credential, sizeof header.credential);
  std::memcpy(out.model.bytes.data(), header.model, sizeof header.model);
  out.version = AsText(version);
  for (uint32_t i = 0; i < uint32_t{header.inputs} + header.outputs; ++i) {
    ItemKind kind{};
    TensorView tensor;
    GC_TRY_VOID(ReadItem(reader, kind, tensor));
    if (kind == ItemKind::kTensor) {
      out.inputs.push_back(tensor);
    } else if (kind == ItemKind::kName) {
      out.outputs.push_back(tensor.name);
    } else {
      return Fail(Broken("an item is neither a tensor nor a name"));
    }
  }
  if (out.inputs.size() != header.inputs) return Fail(Broken("announces other counts than it has"));
  if (!reader.empty()) return Fail(Broken("bytes follow its end"));
  return Ok();
}

// ---- answers
// ----------------------------------------------------------------------------------------------------

size_t AnswerBytes(const AnswerView& answer) {
  size_t bytes = sizeof(AnswerHeader) + Padded(std::min(answer.message.size(), kMessageBytesMax));
  for (const TensorView& tensor : answer.outputs) {
    bytes += ItemBytes(tensor.name.size(), tensor.rank, tensor.data.size());
  }
  return bytes;
}

size_t WriteAnswer(const AnswerView& answer, std::span<uint8_t> room) {
  GC_CHECK(answer.outputs.size() <= kTensorsMax && room.size() >= AnswerBytes(answer));
  const std::string_view message = answer.message.substr(0, kMessageBytesMax);
  AnswerHeader header{};
  header.mark = kAnswerMark;
  header.outputs = static_cast<uint16_t>(answer.outputs.size());
  header.reason = static_cast<uint8_t>(answer.reason);
  header.has_quota = answer.has_quota ? 1 : 0;
  header.id = answer.id;
  header.code = answer.code;
  header.message_bytes = static_cast<uint32_t>(message.size());
  std::memcpy(header.version, answer.version.bytes.data(), sizeof header.version);
  if (answer.has_quota) {
    header.quota_calls = answer.quota.calls;
    header.quota_period_ns = answer.quota.period_ns;
    header.quota_allowed = answer.quota_state.allowed ? 1 : 0;
    header.quota_remaining = answer.quota_state.remaining;
    header.quota_reset_ns = answer.quota_state.reset_ns;
    header.quota_retry_after_ns = answer.quota_state.retry_after_ns;
  }
  std::memcpy(room.data(), &header, sizeof header);
  uint8_t* to = PutPadded(room.data() + sizeof header, message.data(), message.size());
  for (const TensorView& tensor : answer.outputs) {
    to = PutItem(to, ItemKind::kTensor, tensor.name, tensor.datatype, tensor.shape(), tensor.data.size());
    to = PutPadded(to, tensor.data.data(), tensor.data.size());
  }
  return static_cast<size_t>(to - room.data());
}

Status ParseAnswer(ByteSpan bytes, AnswerView& out) {
  out.outputs.clear();
  Reader reader(bytes);
  AnswerHeader header;
  if (!reader.Read(header)) return Fail(Broken("shorter than its header"));
  if (header.mark != kAnswerMark) return Fail(Broken("is not an answer"));
  if (header.outputs > kTensorsMax) return Fail(Broken("has too many tensors"));
  if (header.code > static_cast<uint32_t>(Code::kUnauthenticated)) return Fail(Broken("has an unknown code"));
  out.reason = static_cast<access::Reason>(header.reason);
  if (access::ReasonName(out.reason) == "unknown") return Fail(Broken("has an unknown reason"));
  ByteSpan message;
  if (header.message_bytes > kMessageBytesMax || !reader.ReadPadded(header.message_bytes, message)) {
    return Fail(Broken("ends inside the message"));
  }
  out.id = header.id;
  out.code = header.code;
  out.message = AsText(message);
  std::memcpy(out.version.bytes.data(), header.version, sizeof header.version);
  out.has_quota = header.has_quota != 0;
  out.quota = {.calls = header.quota_calls, .period_ns = header.quota_period_ns};
  out.quota_state = {.allowed = header.quota_allowed != 0,
                     .remaining = header.quota_remaining,
                     .reset_ns = header.quota_reset_ns,
                     .retry_after_ns = header.quota_retry_after_ns};
  for (uint32_t i = 0; i < header.outputs; ++i) {
    ItemKind kind{};
    GC_TRY_VOID(ReadItem(reader, kind, out.outputs.emplace_back()));
    if (kind != ItemKind::kTensor) return Fail(Broken("an output has no data"));
  }
  if (!reader.empty()) return Fail(Broken("bytes follow its end"));
  return Ok();
}

}  // namespace glasscase::rpc
