#include <algorithm>
#include <cmath>

#include <glasscase/translation/evaluator.h>

namespace glasscase::translation {
namespace {

double Logistic(double z) { return 1.0 / (1.0 + std::exp(-z)); }

// What follows the sums of one row; the library's own functions in double.
class HeadOfRow {
 public:
  explicit HeadOfRow(const Model& model) : head_(model.head), targets_(model.targets()) {}

  void Apply(std::span<const double> margins, Answers& answers) const {
    const size_t first = answers.outputs.size();
    if (head_.task == Task::kClassifier && targets_ == 1) {
      const double p = Logistic(head_.slope * margins[0]);
      answers.outputs.insert(answers.outputs.end(), {1 - p, p});
    } else {
      for (const double z : margins) answers.outputs.push_back(One(z));
      if (head_.transform == Transform::kSoftmax) Softmax(margins, answers, first);
    }
    answers.margins.insert(answers.margins.end(), margins.begin(), margins.end());
    if (head_.task == Task::kClassifier) answers.classes.push_back(TopOf(margins));
  }

 private:
  // By the sums, since probabilities may round two of them to one.
  uint32_t TopOf(std::span<const double> margins) const {
    if (targets_ > 1) return static_cast<uint32_t>(std::ranges::max_element(margins) - margins.begin());
    const double z = margins[0];
    switch (head_.second_class) {
      case SecondClass::kAboveHalf: return static_cast<float>(Logistic(head_.slope * z)) > 0.5F ? 1 : 0;
      case SecondClass::kAboveZero: return z > 0 ? 1 : 0;
      case SecondClass::kFromZero: return z >= 0 ? 1 : 0;
    }
    return 0;
  }
  double One(double z) const {
    switch (head_.transform) {
      case Transform::kLogistic: return Logistic(head_.slope * z);
      case Transform::kExp: return std::exp(z);
      case Transform::kSignedSquare: return z * std::abs(z);
      default: return z;
    }
  }
  static void Softmax(std::span<const double> margins, Answers& answers, size_t first) {
    const double largest = *std::max_element(margins.begin(), margins.end());
    const auto outputs = std::span(answers.outputs).subspan(first);
    double sum = 0;
    for (size_t k = 0; k < margins.size(); ++k) sum += outputs[k] = std::exp(margins[k] - largest);
    for (double& output : outputs) output /= sum;
  }

  const Head& head_;
  const uint32_t targets_;
};

void Clear(const Model& model, Answers& answers) {
  answers.width = model.outputs();
  answers.outputs.clear();
  answers.classes.clear();
  answers.margins.clear();
  answers.magnitude.clear();
}

class EnsembleEvaluator final : public Evaluator {
 public:
  explicit EnsembleEvaluator(const Model& model)
      : model_(model), ensemble_(std::get<TreeEnsemble>(model.body)), head_(model) {}

  Status Run(std::span<const float> inputs, Answers& answers) override {
    Clear(model_, answers);
    for (size_t row = 0; row < inputs.size(); row += model_.features) {
      if (ensemble_.precision == Precision::kSingle) {
        AddUp<float>(inputs.subspan(row, model_.features));
      } else {
        AddUp<double>(inputs.subspan(row, model_.features));
      }
      answers.magnitude.insert(answers.magnitude.end(), largest_.begin(), largest_.end());
      head_.Apply(margins_, answers);
    }
    return Ok();
  }
  std::string name() const override {
    return "glasscase's own reader of the source, in its order of summation";
  }

 private:
  // Into `margins_` and `largest_`.
  template <typename Sum>
  void AddUp(std::span<const float> row) {
    margins_.assign(ensemble_.targets, 0);
    if (!ensemble_.base.empty()) margins_ = ensemble_.base;
    largest_ = margins_;
    for (double& largest : largest_) largest = std::abs(largest);
    for (const Tree& tree : ensemble_.trees) {
      const Node& leaf = FindLeaf(tree, row);
      for (uint32_t k = 0; k < ensemble_.leaf_width; ++k) {
        const uint32_t target = ensemble_.leaf_width == 1 ? tree.target : k;
        double& margin = margins_[target];
        double& largest = largest_[target];
        const auto value = static_cast<Sum>(ensemble_.leaf_values[leaf.left + k]);
        margin = static_cast<double>(static_cast<Sum>(margin) + value);
        largest = std::max({largest, std::abs(margin), std::abs(static_cast<double>(value))});
      }
    }
    if (!ensemble_.average) return;
    const size_t per_target = ensemble_.leaf_width == ensemble_.targets
                                  ? ensemble_.trees.size()
                                  : ensemble_.trees.size() / ensemble_.targets;
    for (double& margin : margins_) margin /= static_cast<double>(per_target);
    for (double& largest : largest_) largest /= static_cast<double>(per_target);
  }

  const Node& FindLeaf(const Tree& tree, std::span<const float> row) const {
    const Node* node = &ensemble_.nodes[tree.first];
    while (!node->is_leaf()) {
      const bool left = GoesLeft(*node, row[node->feature]);
      node = &ensemble_.nodes[tree.first + (left ? node->left : node->right)];
    }
    return *node;
  }

  bool GoesLeft(const Node& node, float x) const {
    const bool near_zero = std::abs(x) <= kZeroMax;
    if (std::isnan(x) ||
        (near_zero && !ensemble_.zero_is_missing.empty() && ensemble_.zero_is_missing[node.feature])) {
      return node.missing_left != 0;
    }
    return ensemble_.comparison == Comparison::kLess ? x < node.threshold : x <= node.threshold;
  }

  const Model& model_;
  const TreeEnsemble& ensemble_;
  const HeadOfRow head_;
  std::vector<double> margins_;  // of the row, per target
  std::vector<double> largest_;  // partial sum
};

class LinearEvaluator final : public Evaluator {
 public:
  explicit LinearEvaluator(const Model& model)
      : model_(model), linear_(std::get<LinearModel>(model.body)), head_(model) {}

  Status Run(std::span<const float> inputs, Answers& answers) override {
    Clear(model_, answers);
    std::vector<double> margins(linear_.intercepts.size());
    for (size_t row = 0; row < inputs.size(); row += model_.features) {
      for (size_t t = 0; t < margins.size(); ++t)
        margins[t] = Score(inputs.subspan(row, model_.features), t, answers.magnitude.emplace_back());
      head_.Apply(margins, answers);
    }
    return Ok();
  }
  std::string name() const override { return "glasscase's own reader of the source, in double precision"; }

 private:
  double Score(std::span<const float> row, size_t target, double& sizes) const {
    double sum = 0;
    sizes = std::abs(linear_.intercepts[target]);
    for (size_t f = 0; f < row.size(); ++f) {
      auto x = static_cast<double>(row[f]);
      if (!linear_.mean.empty()) x -= linear_.mean[f];
      if (!linear_.scale.empty()) x *= linear_.scale[f];
      const double product = x * linear_.coefficients[target * model_.features + f];
      sum += product;
      sizes += std::abs(product);
    }
    return sum + linear_.intercepts[target];
  }

  const Model& model_;
  const LinearModel& linear_;
  const HeadOfRow head_;
};

}  // namespace

std::unique_ptr<Evaluator> MakeSourceEvaluator(const Model& model) {
  if (std::holds_alternative<TreeEnsemble>(model.body)) return std::make_unique<EnsembleEvaluator>(model);
  return std::make_unique<LinearEvaluator>(model);
}

}  // namespace glasscase::translation
