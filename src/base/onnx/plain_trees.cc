// ai.onnx.ml.TreeEnsembleRegressor-3. A row goes down each tree: in a branch to the true node where its
// feature is less (or equal), or is NaN and nodes_missing_value_tracks_true says 1. Leaves add their weights.
#include <algorithm>
#include <cmath>
#include <optional>

#include "plain_operators.h"

namespace glasscase::onnx {
namespace {

Error Wrong(std::string_view what) {
  return Error::InvalidArgument("TreeEnsembleRegressor: " + std::string(what));
}

using Integers = google::protobuf::RepeatedField<int64_t>;

const Integers& IntegersOf(const NodeProto& node, std::string_view name) {
  static const Integers kNone;
  const AttributeProto* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? kNone : attribute->ints();
}

// As floats, or as a tensor of doubles.
Result<std::vector<double>> NumbersOf(const NodeProto& node, const std::string& name, bool& is_double) {
  if (const AttributeProto* const wide = FindAttribute(node, name + "_as_tensor")) {
    GC_TRY(const PlainTensor tensor, ToPlain(wide->t()));
    const auto* const numbers = std::get_if<std::vector<double>>(&tensor.data);
    if (numbers == nullptr) return Fail(Wrong(name + " are no doubles"));
    is_double = true;
    return *numbers;
  }
  const AttributeProto* const attribute = FindAttribute(node, name);
  if (attribute == nullptr) return Fail(Wrong("no " + name));
  return std::vector<double>(attribute->floats().begin(), attribute->floats().end());
}

// Where a node stands in the lists, whose trees and nodes come in rising order.
class Places {
 public:
  static Result<Places> Of(const Integers& trees, const Integers& nodes) {
    Places places(nodes);
    for (int i = 0; i < trees.size(); ++i) {
      const bool begins = i == 0 || trees[i] != trees[i - 1];
      const bool rises = i == 0 || (begins ? trees[i] > trees[i - 1] : nodes[i] > nodes[i - 1]);
      if (!rises)
        return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with nodes in another order"));
      if (begins) places.firsts_.push_back({trees[i], static_cast<size_t>(i)});
    }
    return places;
  }

  std::optional<size_t> Find(int64_t tree, int64_t node) const {
    const auto at = std::ranges::lower_bound(firsts_, tree, {}, &First::tree);
    if (at == firsts_.end() || at->tree != tree) return std::nullopt;
    const auto end =
        at + 1 == firsts_.end() ? nodes_.end() : nodes_.begin() + static_cast<int>((at + 1)->place);
    const auto found = std::lower_bound(nodes_.begin() + static_cast<int>(at->place), end, node);
    if (found == end || *found != node) return std::nullopt;
    return static_cast<size_t>(found - nodes_.begin());
  }
  std::vector<size_t> Roots() const {
    std::vector<size_t> roots;
    for (const First& first : firsts_) roots.push_back(first.place);
    return roots;
  }

 private:
  struct First {
    int64_t tree;
    size_t place;
  };
  explicit Places(const Integers& nodes) : nodes_(nodes) {}

  const Integers& nodes_;
  std::vector<First> firsts_;
};

std::string TextOr(const NodeProto& node, std::string_view name, const std::string& otherwise) {
  const AttributeProto* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? otherwise : attribute->s();
}

}  // namespace

Result<PlainTrees> PlainTrees::Read(const NodeProto& node) {
  PlainTrees trees;
  trees.targets_ = IntegerOr(node, "n_targets", 1);
  const std::string aggregate = TextOr(node, "aggregate_function", "SUM");
  trees.averages_ = aggregate == "AVERAGE";
  if ((aggregate != "SUM" && !trees.averages_) || TextOr(node, "post_transform", "NONE") != "NONE" ||
      FindAttribute(node, "base_values") != nullptr ||
      FindAttribute(node, "base_values_as_tensor") != nullptr)
    return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with " + aggregate + " or a transform"));
  GC_TRY(const auto values, NumbersOf(node, "nodes_values", trees.is_double_));
  GC_TRY(const auto weights, NumbersOf(node, "target_weights", trees.is_double_));
  const Integers& tree_ids = IntegersOf(node, "nodes_treeids");
  const Integers& node_ids = IntegersOf(node, "nodes_nodeids");
  const Integers& features = IntegersOf(node, "nodes_featureids");
  const Integers& yes = IntegersOf(node, "nodes_truenodeids");
  const Integers& no = IntegersOf(node, "nodes_falsenodeids");
  const Integers& missing = IntegersOf(node, "nodes_missing_value_tracks_true");
  const AttributeProto* const modes = FindAttribute(node, "nodes_modes");
  const int count = tree_ids.size();
  if (modes == nullptr || modes->strings_size() != count || node_ids.size() != count ||
      features.size() != count || yes.size() != count || no.size() != count || missing.size() != count ||
      values.size() != static_cast<size_t>(count))
    return Fail(Wrong("lists of nodes of different lengths"));
  GC_TRY(const Places places, Places::Of(tree_ids, node_ids));
  trees.roots_ = places.Roots();
  trees.nodes_.resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Node& one = trees.nodes_[static_cast<size_t>(i)];
    const std::string& mode = modes->strings(i);
    if (mode == "LEAF") continue;
    if (mode != "BRANCH_LT" && mode != "BRANCH_LEQ")
      return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with the mode " + Printable(mode)));
    const auto to_yes = places.Find(tree_ids[i], yes[i]);
    const auto to_no = places.Find(tree_ids[i], no[i]);
    if (!to_yes || !to_no) return Fail(Wrong("a branch that leads nowhere"));
    one = {.mode = mode == "BRANCH_LT" ? Mode::kLess : Mode::kLessOrEqual,
           .missing_true = missing[i] != 0,
           .feature = features[i],
           .value = values[static_cast<size_t>(i)],
           .yes = *to_yes,
           .no = *to_no};
  }
  const Integers& weight_trees = IntegersOf(node, "target_treeids");
  const Integers& weight_nodes = IntegersOf(node, "target_nodeids");
  const Integers& weight_targets = IntegersOf(node, "target_ids");
  if (weight_nodes.size() != weight_trees.size() || weight_targets.size() != weight_trees.size() ||
      weights.size() != static_cast<size_t>(weight_trees.size()))
    return Fail(Wrong("lists of weights of different lengths"));
  for (int i = 0; i < weight_trees.size(); ++i) {
    const auto place = places.Find(weight_trees[i], weight_nodes[i]);
    if (!place || weight_targets[i] < 0 || weight_targets[i] >= trees.targets_)
      return Fail(Wrong("a weight of no leaf"));
    Node& leaf = trees.nodes_[*place];
    if (leaf.weights == 0) leaf.first_weight = trees.weights_.size();
    if (leaf.first_weight + leaf.weights != trees.weights_.size())
      return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with scattered weights"));
    ++leaf.weights;
    trees.weights_.push_back({weight_targets[i], weights[static_cast<size_t>(i)]});
  }
  return trees;
}

Result<const PlainTrees::Node*> PlainTrees::FindLeaf(size_t root, const std::vector<double>& row) const {
  size_t place = root;
  for (size_t steps = 0; nodes_[place].mode != Mode::kLeaf; ++steps) {
    const Node& node = nodes_[place];
    if (steps > nodes_.size()) return Fail(Wrong("a tree that goes in circles"));
    if (node.feature < 0 || node.feature >= static_cast<int64_t>(row.size()))
      return Fail(Wrong("a feature that the input has not"));
    const double x = row[static_cast<size_t>(node.feature)];
    const bool is_true = std::isnan(x)              ? node.missing_true
                         : node.mode == Mode::kLess ? x < node.value
                                                    : x <= node.value;
    place = is_true ? node.yes : node.no;
  }
  return &nodes_[place];
}

Result<PlainTensor> PlainTrees::Run(const PlainTensor& input) const {
  const auto* const narrow = std::get_if<std::vector<float>>(&input.data);
  const auto* const wide = std::get_if<std::vector<double>>(&input.data);
  if ((narrow == nullptr && wide == nullptr) || input.shape.size() != 2)
    return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor of such an input"));
  const auto rows = static_cast<size_t>(input.shape[0]);
  const auto columns = static_cast<size_t>(input.shape[1]);
  std::vector<float> sums;
  std::vector<double> row(columns);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c)
      row[c] = narrow != nullptr ? static_cast<double>((*narrow)[r * columns + c]) : (*wide)[r * columns + c];
    std::vector<double> sum(static_cast<size_t>(targets_));
    for (const size_t root : roots_) {
      GC_TRY(const Node* leaf, FindLeaf(root, row));
      for (size_t w = leaf->first_weight; w < leaf->first_weight + leaf->weights; ++w) {
        double& to = sum[static_cast<size_t>(weights_[w].target)];
        to += weights_[w].value;
        if (!is_double_) to = static_cast<double>(static_cast<float>(to));
      }
    }
    for (const double one : sum)
      sums.push_back(static_cast<float>(averages_ ? one / static_cast<double>(roots_.size()) : one));
  }
  return PlainTensor{.shape = {input.shape[0], targets_}, .data = std::move(sums)};
}

}  // namespace glasscase::onnx
