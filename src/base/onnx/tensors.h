// Tensors stored in a model: what they declare against the bytes that are there, in the file or beside it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/onnx/inspect.h>

#include "schema.h"

namespace glasscase::onnx {

// Checks tensors and remembers which external files they refer to. The files outlive it. Not thread-safe.
class TensorChecker {
 public:
  TensorChecker(std::span<const ExternalFile> files, const Limits& limits);

  // Errors start with the field at fault, for example "dims" or "raw_data"; the caller puts the tensor before
  // it.
  Status Check(const TensorProto& tensor);
  Status Check(const SparseTensorProto& tensor);

  // The values of a checked INT64, INT32 or BOOL tensor of rank 0 or 1 and at most `count_max` elements;
  // empty for every other tensor.
  std::vector<int64_t> SmallIntegers(const TensorProto& tensor, size_t count_max) const;

  std::vector<std::string> ReferredPaths() const;  // sorted

 private:
  struct External {
    std::string_view location;
    uint64_t offset = 0;
    uint64_t length = 0;
    bool has_length = false;
  };

  Status CheckExternal(const TensorProto& tensor, uint64_t wanted_bytes);
  Result<ByteSpan> FindExternal(const TensorProto& tensor) const;
  static Result<External> ReadExternal(const TensorProto& tensor);
  std::vector<int64_t> Integers(const TensorProto& tensor) const;
  Status CheckSparseIndices(const SparseTensorProto& tensor) const;

  std::unordered_map<std::string_view, ByteSpan> files_;
  std::unordered_set<std::string_view> referred_;
  uint64_t external_bytes_ = 0;
  uint64_t external_bytes_max_;
  uint64_t dense_bytes_max_;
};

// The product of `dims`, at most 2^48; an error that starts with "dims".
Result<uint64_t> CountElements(const ::google::protobuf::RepeatedField<int64_t>& dims);

}  // namespace glasscase::onnx
