#include "evidence_inputs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace glasscase::translation {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr uint64_t kSidesOfThreshold = 3;  // at it, one float32 below, one above
constexpr std::array<float, 2> kZeros = {0.0F, -0.0F};
constexpr std::array<float, 6> kDenormals = {1.4e-45F, -1.4e-45F,       1e-40F,
                                             -1e-40F,  1.17549421e-38F, -1.17549421e-38F};
constexpr std::array<float, 6> kLarge = {
    1e6F, -1e6F, 1e30F, -1e30F, 3.4028234663852886e38F, -3.4028234663852886e38F};
constexpr Range kGuessed = {.low = -10, .high = 10};
constexpr float kLargestDrawn = 1e30F;
constexpr uint64_t kSpecialRows = 64;
constexpr uint64_t kMissingRows = 500;

// With very many features fewer rows do: what they hold is bounded, and each still tries every feature.
constexpr uint64_t kThresholdNumbersMax = uint64_t{1} << 28;
constexpr uint64_t kNumbersMax = kThresholdNumbersMax / 8;  // of each other kind
constexpr uint64_t kRowsMin = 16;
uint64_t RowsThatFit(uint64_t rows, uint64_t features, uint64_t numbers_max = kNumbersMax) {
  return std::min(rows, std::max(kRowsMin, numbers_max / features));
}

// One row of a single value, then rows that mix it with ordinary ones.
bool IsWholeRow(uint64_t row, size_t values) { return row < values; }

}  // namespace

EvidenceInputs::EvidenceInputs(const Model& model, const EvidenceOptions& options)
    : candidates_(model.features), random_(options.seed) {
  uint64_t longest = 0;
  const uint64_t rows_max = RowsThatFit(options.threshold_rows_max, model.features, kThresholdNumbersMax);
  if (const auto* ensemble = std::get_if<TreeEnsemble>(&model.body)) {
    CollectThresholds(*ensemble);
    for (const auto& list : candidates_) {
      longest = std::max<uint64_t>(longest, list.size());
      thresholds_ += list.size() / kSidesOfThreshold;
      thresholds_tried_ += std::min<uint64_t>(list.size(), rows_max) / kSidesOfThreshold;
    }
  }
  ChooseRanges(options.data, std::holds_alternative<TreeEnsemble>(model.body));
  kinds_ = {{"thresholds", std::min(longest, rows_max), &EvidenceInputs::FillThresholds},
            {"random", RowsThatFit(options.random_rows, model.features), &EvidenceInputs::FillRandom},
            {"zeros", RowsThatFit(kSpecialRows, model.features), &EvidenceInputs::FillZeros},
            {"denormals", RowsThatFit(kSpecialRows, model.features), &EvidenceInputs::FillDenormals},
            {"large", RowsThatFit(kSpecialRows, model.features), &EvidenceInputs::FillLarge},
            {"missing", RowsThatFit(kMissingRows, model.features), &EvidenceInputs::FillMissing}};
}

uint64_t EvidenceInputs::rows() const {
  uint64_t rows = 0;
  for (const Kind& kind : kinds_) rows += kind.rows;
  return rows;
}

void EvidenceInputs::CollectThresholds(const TreeEnsemble& ensemble) {
  for (const Node& node : ensemble.nodes) {
    if (!node.is_leaf()) candidates_[node.feature].push_back(node.threshold);
  }
  for (std::vector<float>& list : candidates_) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    std::vector<float> sides;
    sides.reserve(list.size() * kSidesOfThreshold);
    for (const float threshold : list) {
      for (const float side :
           {std::nextafter(threshold, -kInfinity), threshold, std::nextafter(threshold, kInfinity)})
        sides.push_back(side);
    }
    list = std::move(sides);
  }
}

void EvidenceInputs::FillThresholds(uint64_t row, std::span<float> out) {
  for (size_t f = 0; f < out.size(); ++f)
    out[f] = candidates_[f].empty() ? 0.0F : candidates_[f][row % candidates_[f].size()];
}

// The range of the data is where the model is used; that of the thresholds, and around it, where it parts.
void EvidenceInputs::ChooseRanges(const std::vector<EvidenceData>& data, bool parts_only_at_thresholds) {
  ranges_.resize(candidates_.size());
  for (const EvidenceData& one : data) {
    for (size_t f = 0; f < one.ranges.size() && f < ranges_.size(); ++f) ranges_[f].Add(one.ranges[f]);
  }
  for (size_t f = 0; f < ranges_.size(); ++f) {
    const std::vector<float>& list = candidates_[f];
    if (ranges_[f].is_known()) {
      ++sources_.dataset;
    } else if (list.empty()) {
      ++(parts_only_at_thresholds ? sources_.unused : sources_.guessed);
      ranges_[f] = kGuessed;
    } else {
      ++sources_.thresholds;
      const float low = std::clamp(list.front(), -kLargestDrawn, kLargestDrawn);
      const float high = std::clamp(list.back(), -kLargestDrawn, kLargestDrawn);
      const float margin = 0.1F * (high - low) + 1e-3F;
      ranges_[f] = {.low = low - margin, .high = high + margin};
    }
  }
}

// Half of the time beside a threshold, where there are any.
float EvidenceInputs::RandomOf(uint32_t feature) {
  const std::vector<float>& list = candidates_[feature];
  const uint64_t bits = random_();
  if (!list.empty() && (bits & 1) != 0) return list[(bits >> 1) % list.size()];
  const double unit = static_cast<double>(bits >> 11) * 0x1p-53;
  const auto low = static_cast<double>(ranges_[feature].low);
  const auto high = static_cast<double>(ranges_[feature].high);
  return static_cast<float>(low + unit * (high - low));
}

void EvidenceInputs::FillRandom(uint64_t, std::span<float> out) {
  for (uint32_t f = 0; f < out.size(); ++f) out[f] = RandomOf(f);
}

void EvidenceInputs::FillZeros(uint64_t row, std::span<float> out) {
  FillRandom(row, out);
  for (float& x : out) {
    if (IsWholeRow(row, kZeros.size()) || random_() % 2 == 0) x = kZeros[row % kZeros.size()];
  }
}

void EvidenceInputs::FillDenormals(uint64_t row, std::span<float> out) {
  FillRandom(row, out);
  for (float& x : out) {
    if (IsWholeRow(row, kDenormals.size()) || random_() % 2 == 0)
      x = kDenormals[random_() % kDenormals.size()];
  }
}

void EvidenceInputs::FillLarge(uint64_t row, std::span<float> out) {
  FillRandom(row, out);
  for (float& x : out) {
    if (IsWholeRow(row, kLarge.size())) {
      x = kLarge[row];
    } else if (random_() % 2 == 0) {
      x = kLarge[random_() % kLarge.size()];
    }
  }
}

void EvidenceInputs::FillMissing(uint64_t row, std::span<float> out) {
  FillRandom(row, out);
  for (float& x : out) {
    if (row == 0 || random_() % 3 == 0) x = kNan;
  }
}

}  // namespace glasscase::translation
