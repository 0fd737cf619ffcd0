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

std::string TextOr(const NodeProto& node, std::string_view name, const std::string& otherwise) {
  const AttributeProto* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? otherwise : attribute->s();
}

// The lists of nodes, an entry a node. Borrowed from the graph's node.
struct NodeLists {
  explicit NodeLists(const NodeProto& node)
      : trees(IntegersOf(node, "nodes_treeids")),
        ids(IntegersOf(node, "nodes_nodeids")),
        features(IntegersOf(node, "nodes_featureids")),
        yes(IntegersOf(node, "nodes_truenodeids")),
        no(IntegersOf(node, "nodes_falsenodeids")),
        missing(IntegersOf(node, "nodes_missing_value_tracks_true")),
        modes(FindAttribute(node, "nodes_modes")) {}

  bool HaveLength(size_t values) const {
    const int count = trees.size();
    return modes != nullptr && modes->strings_size() == count && ids.size() == count &&
           features.size() == count && yes.size() == count && no.size() == count && missing.size() == count &&
           values == static_cast<size_t>(count);
  }

  const Integers& trees;
  const Integers& ids;
  const Integers& features;
  const Integers& yes;
  const Integers& no;
  const Integers& missing;
  const AttributeProto* const modes;
};

Status CheckUse(const NodeProto& node) {
  const std::string aggregate = TextOr(node, "aggregate_function", "SUM");
  const bool known = (aggregate == "SUM" || aggregate == "AVERAGE") &&
                     TextOr(node, "post_transform", "NONE") == "NONE" &&
                     FindAttribute(node, "base_values") == nullptr &&
                     FindAttribute(node, "base_values_as_tensor") == nullptr;
  if (known) return Ok();
  return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with " + aggregate + " or a transform"));
}

}  // namespace

// Where a node stands in the lists, whose trees and nodes come in rising order.
class PlainTrees::Places {
 public:
  static Result<Places> Of(const Integers& trees, const Integers& nodes) {
    if (nodes.size() != trees.size()) return Fail(Wrong("lists of nodes of different lengths"));
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
    roots.reserve(firsts_.size());
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

Result<PlainTrees> PlainTrees::Read(const NodeProto& node) {
  GC_TRY_VOID(CheckUse(node));
  PlainTrees trees;
  trees.targets_ = IntegerOr(node, "n_targets", 1);
  trees.averages_ = TextOr(node, "aggregate_function", "SUM") == "AVERAGE";
  GC_TRY(const Places places,
         Places::Of(IntegersOf(node, "nodes_treeids"), IntegersOf(node, "nodes_nodeids")));
  GC_TRY_VOID(trees.ReadNodes(node, places));
  GC_TRY_VOID(trees.ReadWeights(node, places));
  return trees;
}

Status PlainTrees::ReadNodes(const NodeProto& node, const Places& places) {
  const NodeLists lists(node);
  GC_TRY(const auto values, NumbersOf(node, "nodes_values", is_double_));
  if (!lists.HaveLength(values.size())) return Fail(Wrong("lists of nodes of different lengths"));
  roots_ = places.Roots();
  nodes_.resize(values.size());
  for (int i = 0; i < lists.trees.size(); ++i) {
    const std::string& mode = lists.modes->strings(i);
    if (mode == "LEAF") continue;
    if (mode != "BRANCH_LT" && mode != "BRANCH_LEQ")
      return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with the mode " + Printable(mode)));
    const auto yes = places.Find(lists.trees[i], lists.yes[i]);
    const auto no = places.Find(lists.trees[i], lists.no[i]);
    if (!yes || !no) return Fail(Wrong("a branch that leads nowhere"));
    nodes_[static_cast<size_t>(i)] = {.mode = mode == "BRANCH_LT" ? Mode::kLess : Mode::kLessOrEqual,
                                      .missing_true = lists.missing[i] != 0,
                                      .feature = lists.features[i],
                                      .value = values[static_cast<size_t>(i)],
                                      .yes = *yes,
                                      .no = *no};
  }
  return Ok();
}

Status PlainTrees::ReadWeights(const NodeProto& node, const Places& places) {
  GC_TRY(const auto weights, NumbersOf(node, "target_weights", is_double_));
  const Integers& trees = IntegersOf(node, "target_treeids");
  const Integers& nodes = IntegersOf(node, "target_nodeids");
  const Integers& targets = IntegersOf(node, "target_ids");
  if (nodes.size() != trees.size() || targets.size() != trees.size() ||
      weights.size() != static_cast<size_t>(trees.size()))
    return Fail(Wrong("lists of weights of different lengths"));
  for (int i = 0; i < trees.size(); ++i) {
    const auto place = places.Find(trees[i], nodes[i]);
    if (!place || targets[i] < 0 || targets[i] >= targets_) return Fail(Wrong("a weight of no leaf"));
    Node& leaf = nodes_[*place];
    if (leaf.weights == 0) leaf.first_weight = weights_.size();
    if (leaf.first_weight + leaf.weights != weights_.size())
      return Fail(Error(Code::kUnimplemented, "TreeEnsembleRegressor with scattered weights"));
    ++leaf.weights;
    weights_.push_back({targets[i], weights[static_cast<size_t>(i)]});
  }
  return Ok();
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
