// What every source becomes before it is ONNX: an ensemble of trees or a linear model, and a head.
//
// All comparisons are made in float32, the element type of the one input. So that no float32 input takes
// another branch than in the source:
//   x <  t, t float32 (XGBoost)             is kept as it is;
//   x <= t, t double (LightGBM, scikit-learn: they widen x, which is exact) is x <= the largest float32 that
//     is not above t: no float32 lies between the two, so the same inputs pass. Rounding t to the nearest
//     float32 would let through, or stop, the one input that lies between t and its rounding.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::translation {

// A tree is at most this deep: runtimes walk them recursively when they load them.
inline constexpr uint32_t kDepthMax = 1'000;
inline constexpr uint32_t kFeaturesMax = 1'000'000;
inline constexpr uint32_t kTargetsMax = 10'000;
inline constexpr uint64_t kNodesMax = 20'000'000;  // of all trees

enum class Comparison : uint8_t { kLess, kLessOrEqual };  // what leads to the left child
enum class Precision : uint8_t { kSingle, kDouble };      // in which the source adds up

// A split, or a leaf: then `left` is the index of its first value in `leaf_values`.
struct Node {
  static constexpr uint32_t kLeaf = (uint32_t{1} << 31) - 1;

  float threshold = 0;
  uint32_t feature : 31 = kLeaf;
  uint32_t missing_left : 1 = 0;  // where an input that is NaN goes
  uint32_t left = 0;              // children are counted from the tree's first node
  uint32_t right = 0;

  bool is_leaf() const { return feature == kLeaf; }
};

// Nodes [first, first of the next tree), in the source's order; the first is the root.
struct Tree {
  uint32_t first = 0;
  uint32_t target = 0;  // to which its leaves add; with leaves of several values, to all from 0
};

struct TreeEnsemble {
  Comparison comparison = Comparison::kLess;
  Precision precision = Precision::kSingle;
  uint32_t targets = 1;
  uint32_t leaf_width = 1;   // 1, or `targets`
  bool average = false;      // divide by the number of trees
  std::vector<double> base;  // per target: what the sum starts with; empty: 0
  std::vector<Node> nodes;
  std::vector<Tree> trees;
  std::vector<double> leaf_values;
  std::vector<bool>
      zero_is_missing;  // per feature: numbers within kZeroMax of 0 go where NaN goes; empty: none
};

// LightGBM's kZeroThreshold, a float32.
inline constexpr float kZeroMax = 1e-35F;

// ((x - mean) * scale) · coefficients + intercept, in double.
struct LinearModel {
  std::vector<double> mean;          // per feature; empty: none
  std::vector<double> scale;         // per feature; empty: none
  std::vector<double> coefficients;  // [targets][features]
  std::vector<double> intercepts;    // per target
};

enum class Task : uint8_t { kClassifier, kRegressor };
enum class Transform : uint8_t {
  kIdentity,
  kLogistic,  // 1 / (1 + exp(-slope·z)); a classifier with one target has two classes
  kSoftmax,
  kExp,
  kSignedSquare,  // z·|z|
};

// Where a classifier with one sum z answers its second class: at z = 0 the libraries differ.
enum class SecondClass : uint8_t {
  kAboveHalf,  // 1 / (1 + exp(-z)) > 0.5, in float32, where sums near 0 round to 0.5: XGBoost
  kAboveZero,  // z > 0
  kFromZero,   // z >= 0: scikit-learn's GradientBoostingClassifier
};

struct Head {
  Task task = Task::kRegressor;
  Transform transform = Transform::kIdentity;
  double slope = 1;  // of the logistic function
  SecondClass second_class = SecondClass::kAboveZero;
  std::vector<int64_t> integer_labels{};   // of a classifier: these, or
  std::vector<std::string> text_labels{};  // these

  size_t classes() const { return integer_labels.size() + text_labels.size(); }
};

struct Model {
  std::string source;                // "XGBoost 3.2.0", printable
  std::vector<std::string> notes{};  // where the library may answer otherwise than the file: a sentence each
  uint32_t features = 0;
  std::variant<TreeEnsemble, LinearModel> body;
  Head head;

  uint32_t targets() const;
  // Columns of `probabilities` or `value`.
  uint32_t outputs() const;
};

// Checks what the other functions of this module rely on: each tree is one (no node without a parent, with
// two, or below itself), at most kDepthMax deep, with finite leaves, thresholds that are not NaN and features
// that exist; targets, labels and base values fit each other. InvalidArgument names tree and node.
Status Check(const Model& model);

// Gives a classifier the labels 0, 1, ... of libraries that know no others.
void CountLabels(uint32_t targets, Head& head);

// The largest float32 that is not above `threshold`; NaN and infinities stay.
float LargestNotAbove(double threshold);

}  // namespace glasscase::translation
