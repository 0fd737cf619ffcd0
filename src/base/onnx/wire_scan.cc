#include "wire_scan.h"

#include <array>
#include <limits>
#include <string>
#include <string_view>

#include "schema.h"

namespace glasscase::onnx {
namespace {

// What the parsed model and our own tables may take: a floor for small files, and a multiple of the size.
constexpr uint64_t kMemoryFloorBytes = uint64_t{64} << 20;
constexpr uint64_t kMemoryPerByte = 10;

// Rough costs: an allocation's header and its place in a growing pointer array; a std::string; an entry in
// one of our tables of names, made for each value that a node reads or writes.
constexpr uint64_t kAllocationBytes = 32;
constexpr uint64_t kStringBytes = sizeof(std::string) + kAllocationBytes;
constexpr uint64_t kNumberBytes = 16;
constexpr uint64_t kReadNameBytes = 96;
constexpr uint64_t kWrittenNameBytes = 320;
// Device configurations, sharding and the like are not looked into: a message, and per byte of content what
// the smallest messages in there can cost.
constexpr uint64_t kOtherBytes = 160;
constexpr uint64_t kOtherBytesPerByte = 64;

enum class Kind : uint8_t { kMessage, kText, kReadName, kWrittenName, kNumbers };

enum Shape : uint8_t {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparse,
  kValueInfo,
  kType,
  kTensorType,
  kWrapperType,
  kMapType,
  kShape,
  kDimension,
  kEntry,
  kOpset,
  kFunction,
  kAnnotation,
  kTraining,
  kOther,
  kShapes
};

struct Field {
  uint32_t number;
  Kind kind;
  Shape shape = kOther;
};

struct Message {
  std::string_view name;
  uint64_t bytes;
  std::array<Field, 18> fields;
};

template <typename Proto>
constexpr uint64_t CostOf() {
  return sizeof(Proto) + kAllocationBytes;
}

constexpr Field Sub(uint32_t number, Shape shape) { return {number, Kind::kMessage, shape}; }
constexpr Field Text(uint32_t number) { return {number, Kind::kText}; }
constexpr Field Numbers(uint32_t number) { return {number, Kind::kNumbers}; }

// Indexed by Shape. Fields that are not here are single numbers or unknown: they cost what they weigh.
constexpr std::array<Message, kShapes> kMessages = {{
    {"model",
     CostOf<ModelProto>(),
     {{Text(2), Text(3), Text(4), Text(6), Sub(7, kGraph), Sub(8, kOpset), Sub(14, kEntry),
       Sub(20, kTraining), Sub(25, kFunction), Sub(26, kOther)}}},
    {"graph",
     CostOf<GraphProto>(),
     {{Sub(1, kNode), Text(2), Sub(5, kTensor), Text(10), Sub(11, kValueInfo), Sub(12, kValueInfo),
       Sub(13, kValueInfo), Sub(14, kAnnotation), Sub(15, kSparse), Sub(16, kEntry)}}},
    {"node",
     CostOf<NodeProto>(),
     {{{1, Kind::kReadName},
       {2, Kind::kWrittenName},
       Text(3),
       Text(4),
       Sub(5, kAttribute),
       Text(6),
       Text(7),
       Text(8),
       Sub(9, kEntry),
       Sub(10, kOther)}}},
    {"attribute",
     CostOf<AttributeProto>(),
     {{Text(1), Text(4), Sub(5, kTensor), Sub(6, kGraph), Numbers(7), Numbers(8), Text(9), Sub(10, kTensor),
       Sub(11, kGraph), Text(13), Sub(14, kType), Sub(15, kType), Text(21), Sub(22, kSparse),
       Sub(23, kSparse)}}},
    {"tensor",
     CostOf<TensorProto>(),
     {{Numbers(1), Sub(3, kOther), Numbers(4), Numbers(5), Text(6), Numbers(7), Text(8), Text(9), Numbers(10),
       Numbers(11), Text(12), Sub(13, kEntry), Sub(16, kEntry)}}},
    {"sparse tensor", CostOf<SparseTensorProto>(), {{Sub(1, kTensor), Sub(2, kTensor), Numbers(3)}}},
    {"value info",
     CostOf<ValueInfoProto>(),
     {{{1, Kind::kWrittenName}, Sub(2, kType), Text(3), Sub(4, kEntry)}}},
    {"type",
     CostOf<::onnx::TypeProto>(),
     {{Sub(1, kTensorType), Sub(4, kWrapperType), Sub(5, kMapType), Text(6), Sub(7, kOther),
       Sub(8, kTensorType), Sub(9, kWrapperType)}}},
    {"tensor type", CostOf<::onnx::TypeProto_Tensor>(), {{Sub(2, kShape)}}},
    {"element type", CostOf<::onnx::TypeProto_Sequence>(), {{Sub(1, kType)}}},
    {"map type", CostOf<::onnx::TypeProto_Map>(), {{Sub(2, kType)}}},
    {"shape", CostOf<::onnx::TensorShapeProto>(), {{Sub(1, kDimension)}}},
    {"dimension", CostOf<::onnx::TensorShapeProto_Dimension>(), {{Text(2), Text(3)}}},
    {"key-value entry", CostOf<::onnx::StringStringEntryProto>(), {{Text(1), Text(2)}}},
    {"opset import", CostOf<::onnx::OperatorSetIdProto>(), {{Text(1)}}},
    {"function",
     CostOf<FunctionProto>(),
     {{Text(1),
       {4, Kind::kWrittenName},
       {5, Kind::kReadName},
       Text(6),
       Sub(7, kNode),
       Text(8),
       Sub(9, kOpset),
       Text(10),
       Sub(11, kAttribute),
       Sub(12, kValueInfo),
       Text(13),
       Sub(14, kEntry)}}},
    {"quantization annotation", CostOf<::onnx::TensorAnnotation>(), {{Text(1), Sub(2, kEntry)}}},
    {"training info",
     CostOf<::onnx::TrainingInfoProto>(),
     {{Sub(1, kGraph), Sub(2, kGraph), Sub(3, kEntry), Sub(4, kEntry)}}},
    {"message", kOtherBytes, {}},
}};

const Field* FindField(const Message& message, uint32_t number) {
  for (const Field& field : message.fields) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

class Scanner {
 public:
  Scanner(ByteSpan model, const Limits& limits)
      : model_(model),
        nodes_max_(limits.nodes_max),
        nesting_max_(MessageNestingMax(limits)),
        memory_max_(kMemoryFloorBytes + kMemoryPerByte * model.size()) {}

  Status ScanMessage(Shape shape, size_t begin, size_t end, uint32_t depth) {
    const Message& message = kMessages[shape];
    if (depth > nesting_max_) {
      return Refuse(std::string(message.name) + ": messages are nested more than " +
                    std::to_string(nesting_max_) + " deep at byte " + std::to_string(begin));
    }
    if (shape == kNode && ++nodes_ > nodes_max_) {
      return Refuse("graph: more than " + std::to_string(nodes_max_) + " nodes");
    }
    GC_TRY_VOID(Spend(message, message.bytes));
    for (size_t at = begin; at < end;) {
      GC_TRY(const uint64_t tag, ReadVarint(message, at, end));
      const auto wire_type = static_cast<uint32_t>(tag & 7);
      if (tag >> 3 == 0 || tag > std::numeric_limits<uint32_t>::max()) return NotProtobuf(message, at);
      const Field* field = FindField(message, static_cast<uint32_t>(tag >> 3));
      GC_TRY_VOID(ScanField(message, shape, field, wire_type, at, end, depth));
    }
    return Ok();
  }

 private:
  // Moves `at` behind the field.
  Status ScanField(const Message& message, Shape shape, const Field* field, uint32_t wire_type, size_t& at,
                   size_t end, uint32_t depth) {
    if (wire_type == 0) {
      GC_TRY_VOID(ReadVarint(message, at, end));
      return Spend(message, kNumberBytes);
    }
    if (wire_type == 1 || wire_type == 5) {
      const size_t size = wire_type == 1 ? 8 : 4;
      if (end - at < size) return EndsInside(message);
      at += size;
      return Spend(message, kNumberBytes);
    }
    if (wire_type != 2) return NotProtobuf(message, at);  // groups: no ONNX message has one

    GC_TRY(const uint64_t length, ReadVarint(message, at, end));
    if (length > end - at) return EndsInside(message);
    const size_t begin = at;
    at += length;
    if (shape == kOther) return Spend(message, kOtherBytes + kOtherBytesPerByte * length);
    if (field == nullptr) return Spend(message, kStringBytes + 2 * length);
    switch (field->kind) {
      case Kind::kMessage: return ScanMessage(field->shape, begin, at, depth + 1);
      case Kind::kText: return Spend(message, kStringBytes + length);
      case Kind::kReadName: return Spend(message, kStringBytes + length + kReadNameBytes);
      case Kind::kWrittenName: return Spend(message, kStringBytes + length + kWrittenNameBytes);
      case Kind::kNumbers: return Spend(message, PackedBytes(shape, field->number, begin, at));
    }
    return Ok();
  }

  // A packed array: fixed-width numbers keep their size, each varint becomes a number of its own.
  uint64_t PackedBytes(Shape shape, uint32_t number, size_t begin, size_t end) const {
    const bool fixed_width =
        (shape == kTensor && (number == 4 || number == 10)) || (shape == kAttribute && number == 7);
    if (fixed_width) return end - begin;
    uint64_t numbers = 0;
    for (size_t i = begin; i < end; ++i) numbers += model_[i] < 0x80 ? 1 : 0;
    return numbers * kNumberBytes;
  }

  Result<uint64_t> ReadVarint(const Message& message, size_t& at, size_t end) const {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at >= end) return EndsInside(message);
      const uint8_t byte = model_[at++];
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return NotProtobuf(message, at);
  }

  Status Spend(const Message& message, uint64_t bytes) {
    memory_ += bytes;
    if (memory_ <= memory_max_) return Ok();
    return Refuse(std::string(message.name) + ": too many small parts for a file of " +
                  std::to_string(model_.size()) + " bytes; reading it would take more than " +
                  std::to_string(memory_max_) + " bytes of memory");
  }

  static tl::unexpected<Error> EndsInside(const Message& message) {
    return Refuse(std::string(message.name) +
                  ": the file ends inside it; it is cut off or not an ONNX model");
  }
  static tl::unexpected<Error> NotProtobuf(const Message& message, size_t at) {
    return Refuse(std::string(message.name) + ": byte " + std::to_string(at) +
                  " is not protobuf; this is not an ONNX model");
  }

  ByteSpan model_;
  uint64_t nodes_max_;
  uint32_t nesting_max_;
  uint64_t memory_max_;
  uint64_t nodes_ = 0;
  uint64_t memory_ = 0;
};

}  // namespace

Status ScanWire(ByteSpan model, const Limits& limits) {
  if (model.empty()) return Refuse("model: the file is empty");
  return Scanner(model, limits).ScanMessage(kModel, 0, model.size(), 0);
}

}  // namespace glasscase::onnx
