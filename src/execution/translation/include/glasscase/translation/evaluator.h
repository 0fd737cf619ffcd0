// Evaluates a model on rows: the source's own way of adding up, or a runtime that an app provides.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/translation/model.h>

namespace glasscase::translation {

// Of `rows` rows. Row r has outputs [r·width, (r+1)·width).
struct Answers {
  uint32_t width = 0;
  std::vector<double> outputs;    // probabilities or values
  std::vector<uint32_t> classes;  // of a classifier: the index of the label
  // [rows][targets], from the source's evaluator only. The sums before the head; and how large what was added
  // up became: with trees the largest partial sum, with linear models the sum of the products' sizes.
  std::vector<double> margins;
  std::vector<double> magnitude;
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // Row-major, `inputs.size()` is a multiple of the model's features. Reuses what `answers` holds.
  virtual Status Run(std::span<const float> inputs, Answers& answers) = 0;
  virtual std::string name() const = 0;  // "ONNX Runtime 1.31.1"
};

// Adds up leaf by leaf in the order and precision of the source library, and applies the head in double.
// `model` has passed Check and outlives the evaluator.
std::unique_ptr<Evaluator> MakeSourceEvaluator(const Model& model);

}  // namespace glasscase::translation
