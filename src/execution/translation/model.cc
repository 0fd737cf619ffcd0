#include <glasscase/translation/model.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace glasscase::translation {
namespace {

Error Wrong(const std::string& what) { return Error::InvalidArgument(what); }

std::string TreeName(size_t tree) { return "tree " + std::to_string(tree); }
std::string NodeName(size_t tree, size_t node) { return TreeName(tree) + ", node " + std::to_string(node); }

// Walks each tree from its root and comes to every node exactly once.
class TreeWalk {
 public:
  TreeWalk(const TreeEnsemble& ensemble, uint32_t features) : ensemble_(ensemble), features_(features) {}

  Status Check(size_t tree) {
    const size_t first = ensemble_.trees[tree].first;
    const size_t end =
        tree + 1 < ensemble_.trees.size() ? ensemble_.trees[tree + 1].first : ensemble_.nodes.size();
    if (end <= first || end > ensemble_.nodes.size()) return Fail(Wrong(TreeName(tree) + " has no node"));
    nodes_ = std::span(ensemble_.nodes).subspan(first, end - first);
    reached_.assign(nodes_.size(), false);
    waiting_.assign(1, {.node = 0, .depth = 1});
    reached_[0] = true;
    while (!waiting_.empty()) {
      const Step step = waiting_.back();
      waiting_.pop_back();
      GC_TRY_VOID(Visit(tree, step));
    }
    const auto lost = std::find(reached_.begin(), reached_.end(), false);
    if (lost == reached_.end()) return Ok();
    const auto node = static_cast<size_t>(lost - reached_.begin());
    return Fail(Wrong(NodeName(tree, node) + ": no path from the root leads there"));
  }

 private:
  struct Step {
    uint32_t node;
    uint32_t depth;
  };

  Status Visit(size_t tree, Step step) {
    const Node& node = nodes_[step.node];
    if (node.is_leaf()) return CheckLeaf(tree, step.node);
    if (step.depth >= kDepthMax)
      return Fail(Wrong(TreeName(tree) + " is deeper than " + std::to_string(kDepthMax) + " nodes"));
    if (std::isnan(node.threshold)) return Fail(Wrong(NodeName(tree, step.node) + ": the threshold is NaN"));
    if (node.feature >= features_)
      return Fail(Wrong(NodeName(tree, step.node) + " splits on feature " + std::to_string(node.feature) +
                        "; the model has " + std::to_string(features_)));
    for (const uint32_t child : {node.left, node.right}) {
      if (child >= nodes_.size())
        return Fail(Wrong(NodeName(tree, step.node) + " has a child " + std::to_string(child) +
                          ", which does not exist"));
      if (reached_[child])
        return Fail(Wrong(NodeName(tree, child) + " has two parents or is below itself: this is no tree"));
      reached_[child] = true;
      waiting_.push_back({.node = child, .depth = step.depth + 1});
    }
    return Ok();
  }

  Status CheckLeaf(size_t tree, uint32_t node) const {
    const size_t first = nodes_[node].left;
    if (first + ensemble_.leaf_width > ensemble_.leaf_values.size())
      return Fail(Wrong(NodeName(tree, node) + ": the leaf has no value"));
    for (size_t i = 0; i < ensemble_.leaf_width; ++i) {
      if (!std::isfinite(ensemble_.leaf_values[first + i]))
        return Fail(Wrong(NodeName(tree, node) + ": the leaf's value is not finite"));
    }
    return Ok();
  }

  const TreeEnsemble& ensemble_;
  const uint32_t features_;
  std::span<const Node> nodes_;
  std::vector<bool> reached_;
  std::vector<Step> waiting_;
};

bool AllFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

Status CheckTargets(const TreeEnsemble& ensemble) {
  if (ensemble.targets == 0 || ensemble.targets > kTargetsMax)
    return Fail(Wrong(std::to_string(ensemble.targets) + " outputs; from 1 to " +
                      std::to_string(kTargetsMax) + " are supported"));
  if (ensemble.leaf_width != 1 && ensemble.leaf_width != ensemble.targets)
    return Fail(Wrong("leaves of " + std::to_string(ensemble.leaf_width) + " values for " +
                      std::to_string(ensemble.targets) + " outputs"));
  if (!ensemble.base.empty() && ensemble.base.size() != ensemble.targets)
    return Fail(Wrong(std::to_string(ensemble.base.size()) + " base values for " +
                      std::to_string(ensemble.targets) + " outputs"));
  if (!AllFinite(ensemble.base)) return Fail(Wrong("a base value is not finite"));
  const size_t groups = ensemble.leaf_width == 1 ? ensemble.targets : 1;
  if (ensemble.average && (!ensemble.base.empty() || ensemble.trees.size() % groups != 0))
    return Fail(Wrong("an average of trees, with base values or not of equally many for each output"));
  for (size_t i = 0; i < ensemble.trees.size(); ++i) {
    if (ensemble.trees[i].target >= groups)
      return Fail(Wrong(TreeName(i) + " adds to output " + std::to_string(ensemble.trees[i].target) +
                        "; there are " + std::to_string(groups)));
  }
  return Ok();
}

Status CheckEnsemble(const TreeEnsemble& ensemble, uint32_t features) {
  if (ensemble.trees.empty()) return Fail(Wrong("the model has no tree"));
  if (ensemble.nodes.size() > kNodesMax || ensemble.leaf_values.size() > kNodesMax)
    return Fail(Wrong("more than " + std::to_string(kNodesMax) + " nodes or leaf values"));
  if (!ensemble.zero_is_missing.empty() && ensemble.zero_is_missing.size() != features)
    return Fail(Wrong("missing values are described for another number of features"));
  if (ensemble.trees.front().first != 0)
    return Fail(Wrong("the first tree does not begin at the first node"));
  GC_TRY_VOID(CheckTargets(ensemble));
  TreeWalk walk(ensemble, features);
  for (size_t tree = 0; tree < ensemble.trees.size(); ++tree) GC_TRY_VOID(walk.Check(tree));
  return Ok();
}

Status CheckLinear(const LinearModel& linear, uint32_t features) {
  const size_t targets = linear.intercepts.size();
  if (targets == 0 || targets > kTargetsMax)
    return Fail(Wrong("a linear model without outputs, or too many"));
  if (linear.coefficients.size() != targets * features)
    return Fail(Wrong(std::to_string(linear.coefficients.size()) + " coefficients for " +
                      std::to_string(targets) + " outputs of " + std::to_string(features) + " features"));
  for (const auto* list : {&linear.mean, &linear.scale}) {
    if (!list->empty() && list->size() != features)
      return Fail(Wrong("the scaler has " + std::to_string(list->size()) + " features, the model " +
                        std::to_string(features)));
    if (!AllFinite(*list)) return Fail(Wrong("the scaler has a number that is not finite"));
  }
  if (!AllFinite(linear.coefficients) || !AllFinite(linear.intercepts))
    return Fail(Wrong("a coefficient or intercept is not finite"));
  return Ok();
}

Status CheckHead(const Head& head, uint32_t targets) {
  if (!std::isfinite(head.slope) || head.slope <= 0)
    return Fail(Wrong("the slope of the logistic function is not above 0"));
  if (head.task == Task::kRegressor) return Ok();
  const size_t classes = head.classes();
  if (!head.integer_labels.empty() && !head.text_labels.empty())
    return Fail(Wrong("labels that are numbers and texts"));
  const bool has_two_of_one = head.transform == Transform::kLogistic && targets == 1 && classes == 2;
  if (has_two_of_one || (classes == targets && classes >= 2)) return Ok();
  return Fail(Wrong(std::to_string(classes) + " classes for " + std::to_string(targets) + " outputs"));
}

}  // namespace

uint32_t Model::targets() const {
  if (const auto* ensemble = std::get_if<TreeEnsemble>(&body)) return ensemble->targets;
  return static_cast<uint32_t>(std::get<LinearModel>(body).intercepts.size());
}

uint32_t Model::outputs() const {
  return head.task == Task::kClassifier ? static_cast<uint32_t>(head.classes()) : targets();
}

void CountLabels(uint32_t targets, Head& head) {
  if (head.task != Task::kClassifier) return;
  head.integer_labels.resize(targets == 1 ? 2 : targets);
  std::iota(head.integer_labels.begin(), head.integer_labels.end(), 0);
}

float LargestNotAbove(double threshold) {
  const auto nearest = static_cast<float>(threshold);
  if (static_cast<double>(nearest) <= threshold || std::isnan(threshold)) return nearest;
  return std::nextafter(nearest, -std::numeric_limits<float>::infinity());
}

Status Check(const Model& model) {
  if (model.features == 0 || model.features > kFeaturesMax)
    return Fail(Wrong(std::to_string(model.features) + " features; from 1 to " +
                      std::to_string(kFeaturesMax) + " are supported"));
  if (const auto* ensemble = std::get_if<TreeEnsemble>(&model.body)) {
    GC_TRY_VOID(CheckEnsemble(*ensemble, model.features));
  } else {
    GC_TRY_VOID(CheckLinear(std::get<LinearModel>(model.body), model.features));
  }
  return CheckHead(model.head, model.targets());
}

}  // namespace glasscase::translation
