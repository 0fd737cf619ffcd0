#include <glasscase/translation/evidence.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "evidence_inputs.h"

namespace glasscase::translation {
namespace {

constexpr double kFloatUlp = 0x1p-23;
constexpr double kDoubleUlp = 0x1p-52;
constexpr double kSmallestFloat = 0x1p-149;
constexpr double kProbabilityMost = 1e-3;
constexpr double kSmallestSource = 1e-30;  // below it a relative difference says nothing
constexpr size_t kBatchNumbers = size_t{1} << 20;
constexpr size_t kBatchRowsMax = 1'024;
constexpr double kQuantile = 0.999;
constexpr std::string_view kRandom = "random";

// The result is float32, so a source that rounds to the same float32 does not differ. NaN is answered by NaN,
// and an infinity by the same one: everything else differs without end.
double Difference(double source, double result) {
  if (std::isnan(source) && std::isnan(result)) return 0;
  if (static_cast<float>(source) == static_cast<float>(result)) return 0;
  const double difference = std::abs(source - result);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

uint64_t RowsOf(const Evidence& evidence, std::string_view kind) {
  const auto found = std::ranges::find(evidence.kinds, kind, &InputKind::name);
  return found == evidence.kinds.end() ? 0 : found->rows;
}

std::string Digits(double number) {
  std::array<char, 32> text{};
  return {text.data(),
          std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::general, 3).ptr};
}

bool IsNowhereFinite(const Evidence& evidence) {
  return 2 * evidence.random_finite < RowsOf(evidence, kRandom);
}

bool HasExponentials(const Head& head) {
  return head.transform != Transform::kIdentity && head.transform != Transform::kSignedSquare;
}

// Of one row of the source, its targets' sums and how far each may be off.
class Sums {
 public:
  Sums(const Model& model, const Bound& bound, const Answers& source, size_t row)
      : head_(model.head), bound_(bound), targets_(model.targets()) {
    margins_ = std::span(source.margins).subspan(row * targets_, targets_);
    magnitude_ = std::span(source.magnitude).subspan(row * targets_, targets_);
  }

  double SlackOf(size_t target) const {
    return (bound_.ulps * kFloatUlp + bound_.double_ulps * kDoubleUlp) * magnitude_[target];
  }

  // Of output `k` among the row's `outputs`.
  double BoundAt(std::span<const double> outputs, size_t k) const {
    const double size = std::abs(outputs[k]);
    const double ulp = bound_.output_ulps * std::max(size * kFloatUlp, kSmallestFloat);
    return std::min(Made(outputs, k) + ulp, bound_.at_most);
  }

  // Whether the other label may be given as well: the two classes' sums are as good as equal.
  bool IsTie(uint32_t wanted, uint32_t got) const {
    if (targets_ > 1) {
      const double apart = margins_[wanted] - margins_[got];
      return std::isnan(apart) || apart <= SlackOf(wanted) + SlackOf(got);
    }
    // Near 0 the probability is 1/2 + slope·z/4, and float32 has no more digits there.
    const double rounded = head_.second_class == SecondClass::kAboveHalf ? 4 * kFloatUlp / head_.slope : 0;
    return std::isnan(margins_[0]) || std::abs(margins_[0]) <= SlackOf(0) + rounded;
  }
  // Then there is one right label, since every evaluator computes the same two numbers.
  bool IsExactlyEqual(uint32_t wanted, uint32_t got) const {
    return targets_ > 1 ? margins_[wanted] == margins_[got] : margins_[0] == 0;
  }

 private:
  // The slack of the sums after the head.
  double Made(std::span<const double> outputs, size_t k) const {
    switch (head_.transform) {
      case Transform::kIdentity: return SlackOf(k);
      case Transform::kLogistic:  // nowhere steeper than a quarter
        return bound_.absolute + head_.slope / 4 * SlackOf(targets_ == 1 ? 0 : k);
      case Transform::kSoftmax: return bound_.absolute + outputs[k] * (SlackOf(k) + MeanSlack(outputs));
      case Transform::kExp: return (bound_.absolute + SlackOf(k)) * std::abs(outputs[k]);
      case Transform::kSignedSquare: return 2 * magnitude_[k] * SlackOf(k);
    }
    return 0;
  }
  double MeanSlack(std::span<const double> shares) const {
    double mean = 0;
    for (size_t k = 0; k < shares.size(); ++k) mean += shares[k] * SlackOf(k);
    return mean;
  }

  const Head& head_;
  const Bound& bound_;
  const size_t targets_;
  std::span<const double> margins_;
  std::span<const double> magnitude_;
};

class Comparer {
 public:
  Comparer(const Model& model, Evidence& evidence)
      : model_(model), bound_(BoundOf(model)), evidence_(evidence) {}

  Status Add(const EvidenceInputs::Kind& kind, std::span<const float> inputs, const Answers& source,
             const Answers& result) {
    const size_t rows = inputs.size() / model_.features;
    const bool fits = result.width == source.width && result.outputs.size() == source.outputs.size() &&
                      result.classes.size() == source.classes.size();
    const size_t sums = rows * model_.targets();
    if (!fits || source.outputs.size() != rows * source.width || source.margins.size() != sums ||
        source.magnitude.size() != sums)
      return Fail(Error::Internal("the result has other outputs than the source"));
    for (size_t row = 0; row < rows; ++row)
      AddRow(kind, inputs.subspan(row * model_.features, model_.features), row, source, result);
    return Ok();
  }

  void Finish() {
    const auto place = static_cast<size_t>(kQuantile * static_cast<double>(differences_.size() - 1));
    std::nth_element(differences_.begin(), differences_.begin() + static_cast<std::ptrdiff_t>(place),
                     differences_.end());
    evidence_.absolute_p999 = static_cast<double>(differences_[place]);
    const uint64_t other = evidence_.rows - evidence_.top_class_same - evidence_.top_class_ties;
    const bool labels_hold = model_.head.task == Task::kRegressor || other == 0;
    evidence_.holds = evidence_.rows_beyond == 0 && labels_hold && !IsNowhereFinite(evidence_);
  }

  // Beyond the bound, or with another label that is no tie.
  uint64_t rows_apart() const { return rows_apart_; }

 private:
  void AddRow(const EvidenceInputs::Kind& kind, std::span<const float> input, size_t row,
              const Answers& source, const Answers& result) {
    ++evidence_.rows;
    const size_t width = source.width;
    const std::span<const double> wanted = std::span(source.outputs).subspan(row * width, width);
    const std::span<const double> got = std::span(result.outputs).subspan(row * width, width);
    const Sums sums(model_, bound_, source, row);
    double largest = 0;
    double share = 0;  // of the bound
    const bool finite =
        std::ranges::all_of(wanted, [](double number) { return std::isfinite(static_cast<float>(number)); });
    if (finite && kind.name == kRandom) ++evidence_.random_finite;
    for (size_t k = 0; k < width; ++k) {
      const double difference = Difference(wanted[k], got[k]);
      if (difference == 0) continue;
      const double bound = sums.BoundAt(wanted, k);
      const bool is_bounded = std::isfinite(difference) && bound > 0;
      share = std::max(share, is_bounded ? difference / bound : std::numeric_limits<double>::infinity());
      largest = std::max(largest, difference);
      evidence_.relative_max =
          std::max(evidence_.relative_max, difference / std::max(std::abs(wanted[k]), kSmallestSource));
    }
    differences_.push_back(static_cast<float>(largest));
    evidence_.absolute_max = std::max(evidence_.absolute_max, largest);
    if (share > 1) ++evidence_.rows_beyond;
    if (!source.classes.empty() && !SameOrTie(sums, source.classes[row], result.classes[row], largest == 0))
      share = std::numeric_limits<double>::infinity();
    if (share > 1) ++rows_apart_;
    if (share > worst_share_ || evidence_.worst.input.empty()) {
      worst_share_ = share;
      evidence_.worst = {std::string(kind.name),
                         {input.begin(), input.end()},
                         {wanted.begin(), wanted.end()},
                         {got.begin(), got.end()}};
    }
  }

  bool SameOrTie(const Sums& sums, uint32_t wanted, uint32_t got, bool same_numbers) {
    if (wanted == got) {
      ++evidence_.top_class_same;
      return true;
    }
    // Products of a linear model may be added up in another order, and cancel out in one of them only.
    const bool trees = std::holds_alternative<TreeEnsemble>(model_.body);
    const bool tie = got < model_.outputs() && sums.IsTie(wanted, got) &&
                     !(trees && same_numbers && sums.IsExactlyEqual(wanted, got));
    if (tie) ++evidence_.top_class_ties;
    return tie;
  }

  const Model& model_;
  const Bound bound_;
  Evidence& evidence_;
  std::vector<float> differences_;
  double worst_share_ = -1;
  uint64_t rows_apart_ = 0;
};

class SecondComparer {
 public:
  SecondComparer(const Model& model, Evaluator* evaluator)
      : model_(model), evaluator_(evaluator), comparer_(model, evidence_) {
    if (evaluator_ != nullptr) opinion_.evaluator = evaluator_->name();
  }

  // Of the rows, the first few. What it does not know, or where it fails, ends it and is said.
  Status Add(const EvidenceInputs::Kind& kind, std::span<const float> rows, Evaluator& source) {
    if (evaluator_ == nullptr || !opinion_.not_run.empty() || !opinion_.failed.empty()) return Ok();
    const auto few = rows.first(std::min<size_t>(rows.size(), kSecondRows * model_.features));
    Answers wanted;
    Answers got;
    GC_TRY_VOID(source.Run(few, wanted));
    Status ran = evaluator_->Run(few, got);
    if (ran) ran = comparer_.Add(kind, few, wanted, got);
    if (ran) return Ok();
    const bool unknown = ran.error().code() == Code::kUnimplemented;
    (unknown ? opinion_.not_run : opinion_.failed) = ran.error().message();
    return Ok();
  }

  SecondOpinion Finish() {
    opinion_.rows = evidence_.rows;
    opinion_.rows_beyond = comparer_.rows_apart();
    opinion_.absolute_max = evidence_.absolute_max;
    return opinion_;
  }

 private:
  const Model& model_;
  Evaluator* const evaluator_;
  Evidence evidence_;
  Comparer comparer_;
  SecondOpinion opinion_;
};

}  // namespace

// Of trees, four units in the last place of the largest partial sum for the summation, and where exponentials
// follow in float32 one millionth for theirs. Linear models are double throughout until the output is
// rounded: there, products may be added up in any order.
Bound BoundOf(const Model& model) {
  Bound bound;
  if (std::holds_alternative<TreeEnsemble>(model.body)) {
    bound = {.absolute = HasExponentials(model.head) ? 1e-6 : 0, .ulps = 4};
  } else {
    bound = {.absolute = HasExponentials(model.head) ? 1e-12 : 0,
             .double_ulps = static_cast<double>(model.features) + 1,
             .output_ulps = 1};
  }
  const bool probabilities = model.head.task == Task::kClassifier ||
                             model.head.transform == Transform::kLogistic ||
                             model.head.transform == Transform::kSoftmax;
  if (probabilities) bound.at_most = kProbabilityMost;
  return bound;
}

Result<Evidence> Compare(const Model& model, Evaluator& source, Evaluator& result, Evaluator* second,
                         const EvidenceOptions& options) {
  EvidenceInputs inputs(model, options);
  Evidence evidence;
  evidence.source_evaluator = source.name();
  evidence.result_evaluator = result.name();
  evidence.seed = options.seed;
  evidence.ranges = inputs.ranges();
  evidence.data = options.data;
  evidence.thresholds = inputs.thresholds();
  evidence.thresholds_tried = inputs.thresholds_tried();
  evidence.bound = BoundOf(model);
  Comparer comparer(model, evidence);
  SecondComparer opinion(model, second);
  const size_t batch_rows = std::clamp<size_t>(kBatchNumbers / model.features, 1, kBatchRowsMax);
  std::vector<float> rows;
  Answers wanted;
  Answers got;
  const uint64_t total = inputs.rows();
  for (const EvidenceInputs::Kind& kind : inputs.kinds()) {
    evidence.kinds.push_back({std::string(kind.name), kind.rows});
    for (uint64_t first = 0; first < kind.rows; first += batch_rows) {
      const size_t count = std::min<uint64_t>(batch_rows, kind.rows - first);
      rows.resize(count * model.features);
      for (size_t r = 0; r < count; ++r)
        inputs.Fill(kind, first + r, std::span(rows).subspan(r * model.features, model.features));
      GC_TRY_VOID(source.Run(rows, wanted));
      GC_TRY_VOID(result.Run(rows, got));
      GC_TRY_VOID(comparer.Add(kind, rows, wanted, got));
      if (first == 0) GC_TRY_VOID(opinion.Add(kind, rows, source));
      if (options.on_progress) options.on_progress(evidence.rows, total);
    }
  }
  comparer.Finish();
  evidence.second = opinion.Finish();
  evidence.holds = evidence.holds && evidence.second.rows_beyond == 0 && evidence.second.failed.empty();
  return evidence;
}

std::string WhyNot(const Evidence& evidence) {
  if (evidence.rows_beyond > 0) {
    return std::to_string(evidence.rows_beyond) + " of " + std::to_string(evidence.rows) +
           " inputs give numbers beyond the bound; the largest difference is " +
           Digits(evidence.absolute_max);
  }
  if (evidence.second.rows_beyond > 0) {
    return "two evaluators do not agree on the result: " + std::to_string(evidence.second.rows_beyond) +
           " of " + std::to_string(evidence.second.rows) + " inputs differ beyond the bound by " +
           evidence.second.evaluator;
  }
  if (!evidence.second.failed.empty())
    return "the second evaluator failed, so nothing confirms the result: " + evidence.second.failed;
  if (IsNowhereFinite(evidence)) {
    return "the source gives finite numbers for " + std::to_string(evidence.random_finite) + " of " +
           std::to_string(RowsOf(evidence, kRandom)) +
           " random inputs, so nothing shows that both give the same; name data that it takes";
  }
  return "some inputs give another label without being near a tie";
}

}  // namespace glasscase::translation
