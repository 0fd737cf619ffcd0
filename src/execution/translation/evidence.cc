#include <glasscase/translation/evidence.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "evidence_inputs.h"

namespace glasscase::translation {
namespace {

constexpr double kFloatUlp = 0x1p-23;
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

bool IsNowhereFinite(const Evidence& evidence) {
  return 2 * evidence.random_finite < RowsOf(evidence, kRandom);
}

class Comparer {
 public:
  Comparer(const Model& model, Evidence& evidence)
      : model_(model), bound_(BoundOf(model)), evidence_(evidence) {}

  Status Add(const EvidenceInputs::Kind& kind, std::span<const float> inputs, const Answers& source,
             const Answers& result) {
    const size_t rows = inputs.size() / model_.features;
    const bool fits = result.width == source.width && result.outputs.size() == source.outputs.size() &&
                      result.classes.size() == source.classes.size();
    if (!fits || source.outputs.size() != rows * source.width)
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
  double BoundAt(double output, double magnitude) const {
    const double bound = bound_.absolute + bound_.ulps * kFloatUlp * magnitude;
    if (model_.head.transform == Transform::kExp) return bound * std::abs(output);
    if (model_.head.transform == Transform::kSignedSquare) return bound * 2 * magnitude;
    return bound;
  }

  void AddRow(const EvidenceInputs::Kind& kind, std::span<const float> input, size_t row,
              const Answers& source, const Answers& result) {
    ++evidence_.rows;
    const size_t width = source.width;
    const std::span<const double> wanted = std::span(source.outputs).subspan(row * width, width);
    const std::span<const double> got = std::span(result.outputs).subspan(row * width, width);
    double largest = 0;
    double share = 0;  // of the bound
    const bool finite =
        std::ranges::all_of(wanted, [](double number) { return std::isfinite(static_cast<float>(number)); });
    if (finite && kind.name == kRandom) ++evidence_.random_finite;
    for (size_t k = 0; k < width; ++k) {
      const double difference = Difference(wanted[k], got[k]);
      if (difference == 0) continue;
      const double bound = BoundAt(wanted[k], source.magnitude[row]);
      const bool is_bounded = std::isfinite(difference) && bound > 0;
      share = std::max(share, is_bounded ? difference / bound : std::numeric_limits<double>::infinity());
      largest = std::max(largest, difference);
      evidence_.relative_max =
          std::max(evidence_.relative_max, difference / std::max(std::abs(wanted[k]), kSmallestSource));
    }
    differences_.push_back(static_cast<float>(largest));
    evidence_.absolute_max = std::max(evidence_.absolute_max, largest);
    if (share > 1) ++evidence_.rows_beyond;
    if (!CompareLabels(row, source, result)) share = std::numeric_limits<double>::infinity();
    if (share > 1) ++rows_apart_;
    if (share > worst_share_ || evidence_.worst.input.empty()) {
      worst_share_ = share;
      evidence_.worst = {std::string(kind.name),
                         {input.begin(), input.end()},
                         {wanted.begin(), wanted.end()},
                         {got.begin(), got.end()}};
    }
  }

  // False when the label is another one and that is no tie.
  bool CompareLabels(size_t row, const Answers& source, const Answers& result) {
    if (source.classes.empty()) return true;
    const uint32_t wanted = source.classes[row];
    const uint32_t got = result.classes[row];
    if (wanted == got) {
      ++evidence_.top_class_same;
      return true;
    }
    const double* outputs = source.outputs.data() + row * source.width;
    const bool known = got < source.width;
    const bool tie =
        known && (std::isnan(outputs[wanted]) ||
                  outputs[wanted] - outputs[got] <= 2 * BoundAt(outputs[wanted], source.magnitude[row]));
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

  // Of the rows, the first few. What it does not know ends it, and is said.
  void Add(const EvidenceInputs::Kind& kind, std::span<const float> rows, Evaluator& source) {
    if (evaluator_ == nullptr || !opinion_.not_run.empty()) return;
    const auto few = rows.first(std::min<size_t>(rows.size(), kSecondRows * model_.features));
    Answers wanted;
    Answers got;
    Status ran = source.Run(few, wanted);
    if (ran) ran = evaluator_->Run(few, got);
    if (ran) ran = comparer_.Add(kind, few, wanted, got);
    if (!ran) opinion_.not_run = ran.error().message();
  }

  SecondOpinion Finish() {
    if (!opinion_.not_run.empty()) return {.evaluator = opinion_.evaluator, .not_run = opinion_.not_run};
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

// Four units in the last place of the largest partial sum for the summation; where exponentials follow, one
// millionth for theirs.
Bound BoundOf(const Model& model) {
  const bool plain =
      model.head.transform == Transform::kIdentity || model.head.transform == Transform::kSignedSquare;
  return {.absolute = plain ? 0.0 : 1e-6, .ulps = 4};
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
  const Bound bound = BoundOf(model);
  evidence.bound_absolute = bound.absolute;
  evidence.bound_ulps = bound.ulps;
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
      if (first == 0) opinion.Add(kind, rows, source);
      if (options.on_progress) options.on_progress(evidence.rows, total);
    }
  }
  comparer.Finish();
  evidence.second = opinion.Finish();
  evidence.holds = evidence.holds && evidence.second.rows_beyond == 0;
  return evidence;
}

std::string WhyNot(const Evidence& evidence) {
  if (evidence.rows_beyond > 0) {
    return std::to_string(evidence.rows_beyond) + " of " + std::to_string(evidence.rows) +
           " inputs give numbers beyond the bound; the largest difference is " +
           std::to_string(evidence.absolute_max);
  }
  if (evidence.second.rows_beyond > 0) {
    return "two evaluators do not agree on the result: " + std::to_string(evidence.second.rows_beyond) +
           " of " + std::to_string(evidence.second.rows) + " inputs differ beyond the bound by " +
           evidence.second.evaluator;
  }
  if (IsNowhereFinite(evidence)) {
    return "the source gives finite numbers for " + std::to_string(evidence.random_finite) + " of " +
           std::to_string(RowsOf(evidence, kRandom)) +
           " random inputs, so nothing shows that both give the same; name data that it takes";
  }
  return "some inputs give another label without being near a tie";
}

}  // namespace glasscase::translation
