// Writes ONNX files of our own making. The same calls give the same bytes: names, order and versions are the
// caller's, and nothing of the machine or the time goes in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::onnx {

// The versions that are written: every runtime of the last years reads them, and no later one changed the
// operators that we use.
inline constexpr int64_t kWrittenIrVersion = 8;
inline constexpr int64_t kWrittenOpset = 17;
inline constexpr int64_t kWrittenMlOpset = 3;

inline constexpr std::string_view kAiOnnxMl = "ai.onnx.ml";

// Doubles become a tensor (what the `_as_tensor` attributes take), the other lists a list. Views must live
// until the call they are given to returns.
using AttributeValue = std::variant<int64_t, std::string, std::vector<int64_t>, std::vector<float>,
                                    std::vector<double>, std::vector<std::string_view>>;
struct Attribute {
  std::string_view name;
  AttributeValue value;
};

struct NodeSpec {
  std::string_view type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Attribute> attributes{};
  std::string_view domain{};  // "": ai.onnx
};

// One graph. Not thread-safe. Names are checked by nobody here: `Inspect` reads what was written.
class ModelWriter {
 public:
  // `origin` goes into the file's producer: from what the model was translated.
  ModelWriter(std::string_view graph_name, std::string_view origin);
  ~ModelWriter();
  ModelWriter(const ModelWriter&) = delete;
  ModelWriter& operator=(const ModelWriter&) = delete;

  void AddInput(const TensorSpec& spec);   // dimension -1 is named "n"
  void AddOutput(const TensorSpec& spec);  // in the order of the file
  void AddNode(NodeSpec node);
  void AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                   const std::vector<float>& values);
  void AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                   const std::vector<double>& values);
  void AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                   const std::vector<int64_t>& values);
  void AddConstant(std::string_view name, const std::vector<int64_t>& shape, const std::vector<bool>& values);
  void AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                   const std::vector<std::string>& values);

  // The file's bytes; the writer is empty afterwards. ResourceExhausted when they pass what the format takes.
  Result<std::string> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glasscase::onnx
