#include <glasscase/translation/onnx_file.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <glasscase/onnx/write.h>

namespace glasscase::translation {
namespace {

using onnx::Attribute;
using onnx::ModelWriter;
using Ints = std::vector<int64_t>;

// exp of more is beyond float32, and XGBoost stops there too; or beyond double.
constexpr double kExponentMax = 88.7;
constexpr double kWideExponentMax = 709;

// The lists of one TreeEnsembleRegressor, an entry a node, and an entry a leaf value.
class EnsembleLists {
 public:
  explicit EnsembleLists(const TreeEnsemble& ensemble) : ensemble_(ensemble) {
    const size_t nodes = ensemble.nodes.size() + ensemble.base.size();
    for (Ints* list : {&trees_, &ids_, &features_, &true_, &false_, &missing_}) list->reserve(nodes);
    modes_.reserve(nodes);
    const size_t weights = ensemble.leaf_values.size() + ensemble.base.size();
    for (Ints* list : {&target_trees_, &target_nodes_, &targets_}) list->reserve(weights);
    if (IsDouble()) {
      wide_thresholds_.reserve(nodes);
      wide_weights_.reserve(weights);
    } else {
      thresholds_.reserve(nodes);
      weights_.reserve(weights);
    }
    AddBase();
    for (size_t tree = 0; tree < ensemble.trees.size(); ++tree) AddTree(tree);
  }

  std::vector<Attribute> Take() {
    std::vector<Attribute> attributes;
    attributes.push_back({"n_targets", int64_t{ensemble_.targets}});
    attributes.push_back({"aggregate_function", std::string(DividesItself() ? "AVERAGE" : "SUM")});
    attributes.push_back({"post_transform", std::string("NONE")});
    attributes.push_back({"nodes_treeids", std::move(trees_)});
    attributes.push_back({"nodes_nodeids", std::move(ids_)});
    attributes.push_back({"nodes_featureids", std::move(features_)});
    attributes.push_back({"nodes_modes", std::move(modes_)});
    attributes.push_back({"nodes_truenodeids", std::move(true_)});
    attributes.push_back({"nodes_falsenodeids", std::move(false_)});
    attributes.push_back({"nodes_missing_value_tracks_true", std::move(missing_)});
    attributes.push_back({"target_treeids", std::move(target_trees_)});
    attributes.push_back({"target_nodeids", std::move(target_nodes_)});
    attributes.push_back({"target_ids", std::move(targets_)});
    if (IsDouble()) {
      attributes.push_back({"nodes_values_as_tensor", std::move(wide_thresholds_)});
      attributes.push_back({"target_weights_as_tensor", std::move(wide_weights_)});
    } else {
      attributes.push_back({"nodes_values", std::move(thresholds_)});
      attributes.push_back({"target_weights", std::move(weights_)});
    }
    return attributes;
  }

  // ONNX divides by the number of all trees.
  bool DividesItself() const {
    return ensemble_.average && (ensemble_.leaf_width == ensemble_.targets || ensemble_.targets == 1);
  }

 private:
  bool IsDouble() const { return ensemble_.precision == Precision::kDouble; }

  void AddNodeLists(const Node& node, int64_t id) {
    trees_.push_back(tree_);
    ids_.push_back(id);
    const bool leaf = node.is_leaf();
    features_.push_back(leaf ? 0 : node.feature);
    true_.push_back(leaf ? 0 : node.left);
    false_.push_back(leaf ? 0 : node.right);
    missing_.push_back(leaf ? 0 : node.missing_left);
    modes_.emplace_back(leaf                                        ? "LEAF"
                        : ensemble_.comparison == Comparison::kLess ? "BRANCH_LT"
                                                                    : "BRANCH_LEQ");
    if (IsDouble()) {
      wide_thresholds_.push_back(static_cast<double>(node.threshold));
    } else {
      thresholds_.push_back(node.threshold);
    }
  }

  void AddWeight(int64_t node, int64_t target, double value) {
    target_trees_.push_back(tree_);
    target_nodes_.push_back(node);
    targets_.push_back(target);
    if (IsDouble()) {
      wide_weights_.push_back(value);
    } else {
      weights_.push_back(static_cast<float>(value));
    }
  }

  // A tree of one leaf for each target, before the others.
  void AddBase() {
    for (size_t target = 0; target < ensemble_.base.size(); ++target) {
      if (ensemble_.base[target] == 0) continue;
      AddNodeLists(Node{}, 0);
      AddWeight(0, static_cast<int64_t>(target), ensemble_.base[target]);
      ++tree_;
    }
  }

  void AddTree(size_t tree) {
    const size_t first = ensemble_.trees[tree].first;
    const size_t end =
        tree + 1 < ensemble_.trees.size() ? ensemble_.trees[tree + 1].first : ensemble_.nodes.size();
    for (size_t i = first; i < end; ++i) {
      const Node& node = ensemble_.nodes[i];
      const auto id = static_cast<int64_t>(i - first);
      AddNodeLists(node, id);
      if (!node.is_leaf()) continue;
      for (uint32_t k = 0; k < ensemble_.leaf_width; ++k) {
        const int64_t target = ensemble_.leaf_width == 1 ? ensemble_.trees[tree].target : k;
        AddWeight(id, target, ensemble_.leaf_values[node.left + k]);
      }
    }
    ++tree_;
  }

  const TreeEnsemble& ensemble_;
  int64_t tree_ = 0;
  Ints trees_, ids_, features_, true_, false_, missing_, target_trees_, target_nodes_, targets_;
  std::vector<std::string_view> modes_;
  std::vector<float> thresholds_, weights_;
  std::vector<double> wide_thresholds_, wide_weights_;
};

// Writes a graph operator by operator; values are named after what they hold.
class GraphWriter {
 public:
  explicit GraphWriter(const Model& model) : model_(model), writer_("model", model.source) {}

  Result<std::string> Write() {
    writer_.AddInput({.name = kInputName, .datatype = DataType::kFp32, .shape = {-1, model_.features}});
    const bool trees = std::holds_alternative<TreeEnsemble>(model_.body);
    const std::string margin = trees ? WriteTrees(std::get<TreeEnsemble>(model_.body))
                                     : WriteLinear(std::get<LinearModel>(model_.body));
    if (model_.head.task == Task::kRegressor) {
      Finish(WriteTransform(margin), kValueName, DataType::kFp32, {-1, model_.outputs()});
    } else {
      WriteClassifier(margin);
    }
    return writer_.Finish();
  }

 private:
  std::string Op(std::string_view type, std::vector<std::string> inputs, std::string output,
                 std::vector<Attribute> attributes = {}, std::string_view domain = {}) {
    writer_.AddNode({.type = type,
                     .inputs = std::move(inputs),
                     .outputs = {output},
                     .attributes = std::move(attributes),
                     .domain = domain});
    return output;
  }
  // A number in the type in which the graph computes there.
  std::string Number(const std::string& name, double number) {
    if (is_double_) {
      writer_.AddConstant(name, {1}, std::vector<double>{number});
    } else {
      writer_.AddConstant(name, {1}, std::vector<float>{static_cast<float>(number)});
    }
    return name;
  }
  void Finish(const std::string& value, const char* name, DataType type, Ints shape) {
    if (type == DataType::kFp32) {
      Op("Cast", {value}, name, {{"to", int64_t{1}}});  // FLOAT
    } else {
      Op("Identity", {value}, name);
    }
    writer_.AddOutput({.name = name, .datatype = type, .shape = std::move(shape)});
  }
  std::string Widened(const std::string& value) {
    return Op("Cast", {value}, value + "_wide", {{"to", int64_t{11}}});  // DOUBLE
  }

  // Numbers near 0 become NaN in the columns where they stand for what is missing.
  std::string WithMissing(const std::vector<bool>& zero_is_missing) {
    if (zero_is_missing.empty()) return kInputName;
    writer_.AddConstant("zero_is_missing", {1, model_.features}, zero_is_missing);
    writer_.AddConstant("missing", {1}, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
    writer_.AddConstant("zero_max", {1}, std::vector<float>{kZeroMax});
    Op("Abs", {kInputName}, "x_size");
    Op("LessOrEqual", {"x_size", "zero_max"}, "x_is_zero");
    Op("And", {"x_is_zero", "zero_is_missing"}, "x_is_missing");
    return Op("Where", {"x_is_missing", "missing", kInputName}, "x_with_missing");
  }

  std::string WriteTrees(const TreeEnsemble& ensemble) {
    std::string input = WithMissing(ensemble.zero_is_missing);
    if (ensemble.precision == Precision::kDouble) input = Widened(input);
    EnsembleLists lists(ensemble);
    const bool divides = ensemble.average && !lists.DividesItself();
    std::string sum = Op("TreeEnsembleRegressor", {input}, "trees", lists.Take(), onnx::kAiOnnxMl);
    if (!divides) return sum;
    const size_t trees = ensemble.trees.size() / ensemble.targets;
    return Op("Div", {sum, Number("trees_per_output", static_cast<double>(trees))}, "average");
  }

  std::string WriteLinear(const LinearModel& linear) {
    is_double_ = true;
    std::string value = Widened(kInputName);
    if (!linear.mean.empty()) {
      writer_.AddConstant("mean", {1, model_.features}, linear.mean);
      value = Op("Sub", {value, "mean"}, "x_centred");
    }
    if (!linear.scale.empty()) {
      writer_.AddConstant("scale", {1, model_.features}, linear.scale);
      value = Op("Mul", {value, "scale"}, "x_scaled");
    }
    const size_t targets = linear.intercepts.size();
    std::vector<double> columns(linear.coefficients.size());  // [features][targets]
    for (size_t t = 0; t < targets; ++t) {
      for (size_t f = 0; f < model_.features; ++f)
        columns[f * targets + t] = linear.coefficients[t * model_.features + f];
    }
    writer_.AddConstant("coefficients", {model_.features, static_cast<int64_t>(targets)}, columns);
    writer_.AddConstant("intercepts", {1, static_cast<int64_t>(targets)}, linear.intercepts);
    value = Op("MatMul", {value, "coefficients"}, "products");
    return Op("Add", {value, "intercepts"}, "scores");
  }

  std::string WriteLogistic(const std::string& margin) {
    std::string z = margin;
    if (model_.head.slope != 1) z = Op("Mul", {z, Number("slope", model_.head.slope)}, "sloped");
    z = Op("Neg", {z}, "negated");
    z = Op("Min", {z, Number("exponent_max", is_double_ ? kWideExponentMax : kExponentMax)}, "exponent");
    z = Op("Exp", {z}, "odds_against");
    z = Op("Add", {z, Number("one", 1)}, "denominator");
    return Op("Reciprocal", {z}, "logistic");
  }

  std::string WriteTransform(const std::string& margin) {
    switch (model_.head.transform) {
      case Transform::kIdentity: return margin;
      case Transform::kLogistic: return WriteLogistic(margin);
      case Transform::kSoftmax: return Op("Softmax", {margin}, "softmax", {{"axis", int64_t{1}}});
      case Transform::kExp: return Op("Exp", {margin}, "exponential");
      case Transform::kSignedSquare:
        Op("Abs", {margin}, "size");
        return Op("Mul", {margin, "size"}, "signed_square");
    }
    return margin;
  }

  void WriteClassifier(const std::string& margin) {
    std::string probabilities = WriteTransform(margin);
    if (model_.targets() == 1) {
      Op("Sub", {"one", probabilities}, "complement");
      probabilities = Op("Concat", {"complement", probabilities}, "both", {{"axis", int64_t{1}}});
    }
    WriteLabel(WriteTop(margin, probabilities));
    Finish(probabilities, kProbabilitiesName, DataType::kFp32, {-1, model_.outputs()});
  }

  // By the sums, since probabilities may round two of them to one. Of one sum, z and -z are compared.
  std::string WriteTop(const std::string& margin, const std::string& probabilities) {
    std::vector<Attribute> attributes = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}};
    if (model_.targets() > 1) return Op("ArgMax", {margin}, "top", std::move(attributes));
    if (model_.head.second_class == SecondClass::kAboveHalf)
      return Op("ArgMax", {probabilities}, "top", std::move(attributes));
    if (model_.head.second_class == SecondClass::kFromZero)
      attributes.push_back({"select_last_index", int64_t{1}});
    Op("Neg", {margin}, "against_second");
    Op("Concat", {"against_second", margin}, "for_each_class", {{"axis", int64_t{1}}});
    return Op("ArgMax", {"for_each_class"}, "top", std::move(attributes));
  }

  void WriteLabel(const std::string& top) {
    const Head& head = model_.head;
    const auto classes = static_cast<int64_t>(head.classes());
    Ints indices(head.classes());
    std::iota(indices.begin(), indices.end(), 0);
    if (head.integer_labels == indices) return Finish(top, kLabelName, DataType::kInt64, {-1});
    if (head.text_labels.empty()) {
      writer_.AddConstant("labels", {classes}, head.integer_labels);
    } else {
      writer_.AddConstant("labels", {classes}, head.text_labels);
    }
    Op("Gather", {"labels", top}, kLabelName, {{"axis", int64_t{0}}});
    const DataType type = head.text_labels.empty() ? DataType::kInt64 : DataType::kBytes;
    writer_.AddOutput({.name = kLabelName, .datatype = type, .shape = {-1}});
  }

  const Model& model_;
  ModelWriter writer_;
  bool is_double_ = false;  // from the widened input of a linear model on
};

}  // namespace

Result<std::string> WriteOnnx(const Model& model) { return GraphWriter(model).Write(); }

}  // namespace glasscase::translation
