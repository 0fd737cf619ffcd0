// The inputs on which source and result are compared, drawn again the same from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <glasscase/translation/evidence.h>
#include <glasscase/translation/model.h>

namespace glasscase::translation {

class EvidenceInputs {
 public:
  EvidenceInputs(const Model& model, const EvidenceOptions& options);

  struct Kind {
    std::string_view name;
    uint64_t rows;
    void (EvidenceInputs::*fill)(uint64_t row, std::span<float> out);
  };
  const std::vector<Kind>& kinds() const { return kinds_; }
  uint64_t rows() const;
  uint64_t thresholds() const { return thresholds_; }
  uint64_t thresholds_tried() const { return thresholds_tried_; }
  const RangeSources& ranges() const { return sources_; }

  // Row `row` of that kind. Rows of a kind are asked for in order: random ones follow one another.
  void Fill(const Kind& kind, uint64_t row, std::span<float> out) { (this->*kind.fill)(row, out); }

 private:
  void FillThresholds(uint64_t row, std::span<float> out);
  void FillRandom(uint64_t row, std::span<float> out);
  void FillZeros(uint64_t row, std::span<float> out);
  void FillDenormals(uint64_t row, std::span<float> out);
  void FillLarge(uint64_t row, std::span<float> out);
  void FillMissing(uint64_t row, std::span<float> out);

  void CollectThresholds(const TreeEnsemble& ensemble);
  void ChooseRanges(const std::vector<EvidenceData>& data, bool parts_only_at_thresholds);
  float RandomOf(uint32_t feature);

  // Per feature: its thresholds and the float32 to either side of each; and from where the rest is drawn.
  std::vector<std::vector<float>> candidates_;
  Ranges ranges_;
  RangeSources sources_;
  std::vector<Kind> kinds_;
  std::mt19937_64 random_;
  uint64_t thresholds_ = 0;
  uint64_t thresholds_tried_ = 0;
};

}  // namespace glasscase::translation
