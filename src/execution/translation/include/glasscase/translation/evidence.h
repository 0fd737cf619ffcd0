// Evidence that a translation gives what its source gives: both are run on the same inputs, drawn at random
// and chosen to be hard, and the differences are recorded. api/formats/translation-evidence.md.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/model.h>
#include <glasscase/translation/ranges.h>

namespace glasscase::translation {

// A dataset from whose range inputs are drawn, or why they are not.
struct EvidenceData {
  std::string name;  // "ada/rain@2"
  Ranges ranges{};   // one a feature; empty: it could not be read
  std::string why_not{};
};

struct EvidenceOptions {
  uint64_t seed = 1;
  uint64_t random_rows = 2'000;      // within the range of the data, else of the thresholds
  std::vector<EvidenceData> data{};  // that the model was trained and tested on
  uint64_t threshold_rows_max =
      1'000'000;  // thresholds ± 1 ulp, at most 2^28 numbers; the rest is counted as not tried
  std::function<void(uint64_t done, uint64_t total)> on_progress{};
};

// One kind of input and how many rows of it were run.
struct InputKind {
  std::string name;  // "random", "thresholds", "zeros", "denormals", "large", "missing"
  uint64_t rows = 0;
};

// For how many features the ranges came from where.
struct RangeSources {
  uint64_t dataset = 0;
  uint64_t thresholds = 0;
  uint64_t guessed = 0;  // -10 to 10: nobody says
  uint64_t unused = 0;   // no tree looks at them
};

// The row with the largest difference, in units of its bound.
struct WorstInput {
  std::string kind;
  std::vector<float> input;
  std::vector<double> source;
  std::vector<double> result;
};

// What another program made of the result, on a few rows of each kind.
struct SecondOpinion {
  std::string evaluator;  // empty: there was none
  std::string not_run{};  // why, where it does not know the result's operators
  std::string failed{};  // why, where it could not run it for another reason: then the evidence does not hold
  uint64_t rows = 0;
  uint64_t rows_beyond = 0;  // or with another label that is no tie
  double absolute_max = 0;
};

// How far a row may differ: in the sums before the head, times what the head makes of it; then in the output.
struct Bound {
  double absolute = 0;     // where exponentials follow the sum
  double ulps = 0;         // times 2^-23 and the target's largest partial sum
  double double_ulps = 0;  // times 2^-52 and the sum of the sizes of what the target adds up
  double output_ulps = 0;  // times the distance of the output to the next float32
  double at_most = std::numeric_limits<double>::infinity();  // of probabilities
};
Bound BoundOf(const Model& model);

struct Evidence {
  std::string source_evaluator;
  std::string result_evaluator;
  SecondOpinion second;
  uint64_t seed = 0;
  uint64_t rows = 0;
  std::vector<InputKind> kinds;
  uint64_t random_finite = 0;  // rows of the kind "random" for which the source gives finite numbers
  RangeSources ranges;
  std::vector<EvidenceData> data;
  uint64_t thresholds = 0;        // different ones, over all features
  uint64_t thresholds_tried = 0;  // at the threshold and one float32 to either side
  double absolute_max = 0;
  double relative_max = 0;  // of |difference| / max(|source|, 1e-30), where the difference is not 0
  double absolute_p999 = 0;
  uint64_t top_class_same = 0;  // of a classifier: rows with the same label
  uint64_t top_class_ties = 0;  // other label, but the source's two sums are within the bound of each other
  Bound bound;
  uint64_t rows_beyond = 0;
  WorstInput worst;
  // By both evaluators: no row is beyond the bound, every other label is a tie, and at least half of the
  // random rows have finite numbers: a model that answers NaN throughout was compared with nothing.
  bool holds = false;
};

// Runs both on the same rows, and `second`, where there is one, on kSecondRows of each kind: an evaluator of
// the result that shares nothing with the first. Fails only when source or result cannot be run.
inline constexpr uint64_t kSecondRows = 16;
Result<Evidence> Compare(const Model& model, Evaluator& source, Evaluator& result, Evaluator* second,
                         const EvidenceOptions& options);

// What is said of the translation beside the numbers.
struct Subject {
  std::string source;         // "XGBoost 3.2.0"
  std::string source_sha256;  // hexadecimal
  std::string result_sha256;
  std::vector<std::string> notes{};  // of the model
};
// Canonical JSON, one line.
Result<std::string> ToJson(const Evidence& evidence, const Subject& subject);

// One sentence: why it does not hold.
std::string WhyNot(const Evidence& evidence);

}  // namespace glasscase::translation
