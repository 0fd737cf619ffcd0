// Evidence that a translation gives what its source gives: both are run on the same inputs, drawn at random
// and chosen to be hard, and the differences are recorded. api/formats/translation-evidence.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/model.h>

namespace glasscase::translation {

struct EvidenceOptions {
  uint64_t seed = 1;
  uint64_t random_rows = 2'000;             // within and around the range of the thresholds
  uint64_t threshold_rows_max = 1'000'000;  // thresholds ± 1 ulp; what does not fit is counted as not tried
  std::function<void(uint64_t done, uint64_t total)> on_progress{};
};

// One kind of input and how many rows of it were run.
struct InputKind {
  std::string name;  // "random", "thresholds", "zeros", "denormals", "large", "missing"
  uint64_t rows = 0;
};

// The row with the largest difference, in units of its bound.
struct WorstInput {
  std::string kind;
  std::vector<float> input;
  std::vector<double> source;
  std::vector<double> result;
};

struct Evidence {
  std::string source_evaluator;
  std::string result_evaluator;
  uint64_t seed = 0;
  uint64_t rows = 0;
  std::vector<InputKind> kinds;
  uint64_t thresholds = 0;        // different ones, over all features
  uint64_t thresholds_tried = 0;  // at the threshold and one float32 to either side
  double absolute_max = 0;
  double relative_max = 0;  // of |difference| / max(|source|, 1e-30), where the difference is not 0
  double absolute_p999 = 0;
  uint64_t top_class_same = 0;  // of a classifier: rows with the same label
  uint64_t top_class_ties =
      0;                      // other label, but the source's two outputs are within the bound of each other
  double bound_absolute = 0;  // the class's bound: see `Bound`
  double bound_ulps = 0;
  uint64_t rows_beyond = 0;
  WorstInput worst;
  bool holds = false;  // no row is beyond the bound and every other label is a tie
};

// A row may differ by absolute + ulps · 2^-23 · (largest partial sum), times what the transform makes of it.
struct Bound {
  double absolute = 0;
  double ulps = 0;
};
Bound BoundOf(const Model& model);

// Runs both on the same rows. Fails only when one of them cannot be run.
Result<Evidence> Compare(const Model& model, Evaluator& source, Evaluator& result,
                         const EvidenceOptions& options);

// What is said of the translation beside the numbers.
struct Subject {
  std::string source;         // "XGBoost 3.2.0"
  std::string source_sha256;  // hexadecimal
  std::string result_sha256;
};
// Canonical JSON, one line.
Result<std::string> ToJson(const Evidence& evidence, const Subject& subject);

// One sentence: why it does not hold.
std::string WhyNot(const Evidence& evidence);

}  // namespace glasscase::translation
