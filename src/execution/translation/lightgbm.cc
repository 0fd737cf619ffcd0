// LightGBM's text: lines `name=values`, first of the model, then of each tree, up to `end of trees`.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include <glasscase/translation/read.h>

namespace glasscase::translation {
namespace {

// Bits of `decision_type`.
constexpr int64_t kCategorical = 1;
constexpr int64_t kDefaultLeft = 2;
constexpr int64_t kMissingShift = 2;
constexpr int64_t kMissingNone = 0;
constexpr int64_t kMissingZero = 1;
constexpr int64_t kMissingNan = 2;

constexpr size_t kLinesMax = 64;       // of one section
constexpr uint32_t kTestedFormat = 4;  // by tests/conformance/test_translation.py

struct Objective {
  std::string_view name;
  Task task;
  Transform transform;
};
constexpr std::array<Objective, 16> kObjectives = {{
    {"binary", Task::kClassifier, Transform::kLogistic},
    {"multiclass", Task::kClassifier, Transform::kSoftmax},
    {"multiclassova", Task::kClassifier, Transform::kLogistic},
    {"regression", Task::kRegressor, Transform::kIdentity},
    {"regression_l1", Task::kRegressor, Transform::kIdentity},
    {"huber", Task::kRegressor, Transform::kIdentity},
    {"fair", Task::kRegressor, Transform::kIdentity},
    {"quantile", Task::kRegressor, Transform::kIdentity},
    {"mape", Task::kRegressor, Transform::kIdentity},
    {"poisson", Task::kRegressor, Transform::kExp},
    {"gamma", Task::kRegressor, Transform::kExp},
    {"tweedie", Task::kRegressor, Transform::kExp},
    {"cross_entropy", Task::kRegressor, Transform::kLogistic},
    {"lambdarank", Task::kRegressor, Transform::kIdentity},
    {"rank_xendcg", Task::kRegressor, Transform::kIdentity},
    {"custom", Task::kRegressor, Transform::kIdentity},
}};

Error Wrong(const std::string& what) { return Error::InvalidArgument("LightGBM model: " + what); }

// LightGBM takes numbers within kZeroMax of 0 as 0, and writes thresholds of exactly that size: what is near
// 0 must go where 0 goes. So a threshold among them is moved to their end, below or above all of them.
float ThresholdOf(double threshold) {
  const float t = LargestNotAbove(threshold);
  if (t >= -kZeroMax && t < 0) return std::nextafter(-kZeroMax, -std::numeric_limits<float>::infinity());
  return t >= 0 && t < kZeroMax ? kZeroMax : t;
}

// Lines of the file, one by one.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool Next(std::string_view& line) {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size();
}

// Lines `name=value` of the model or of one tree. Borrows from the file.
class Section {
 public:
  explicit Section(std::string where) : where_(std::move(where)) {}

  Status Add(std::string_view line) {
    const size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : line.substr(equals + 1);
    if (lines_.size() >= kLinesMax) return Fail(Wrong(where_ + " has too many lines"));
    if (lines_.emplace(name, value).second) return Ok();
    return Fail(Wrong(where_ + ": \"" + Printable(name, 40) + "\" appears twice"));
  }

  bool Has(std::string_view name) const { return lines_.contains(name); }

  Result<std::string_view> Text(std::string_view name) const {
    const auto found = lines_.find(name);
    if (found == lines_.end())
      return Fail(Wrong(where_ + ": \"" + std::string(name) + "\" is missing; is the file cut off?"));
    return found->second;
  }

  Result<uint32_t> Whole(std::string_view name, uint32_t max) const {
    GC_TRY(const std::string_view text, Text(name));
    uint32_t number = 0;
    if (ParseNumber(text, number) && number <= max) return number;
    return Fail(
        Wrong(where_ + ": \"" + std::string(name) + "\" is not a whole number up to " + std::to_string(max)));
  }

  // Exactly `count` numbers with a space between.
  template <typename Number>
  Result<std::vector<Number>> List(std::string_view name, size_t count) const {
    GC_TRY(std::string_view text, Text(name));
    std::vector<Number> numbers;
    while (!text.empty() && numbers.size() <= count) {
      const size_t end = text.find(' ');
      Number number{};
      if (!ParseNumber(text.substr(0, end), number))
        return Fail(Wrong(where_ + ": \"" + std::string(name) + "\" holds \"" +
                          Printable(text.substr(0, end), 40) + "\", which is no number"));
      numbers.push_back(number);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    if (numbers.size() == count) return numbers;
    return Fail(Wrong(where_ + ": \"" + std::string(name) + "\" does not hold " + std::to_string(count) +
                      " numbers; is the file cut off?"));
  }

  const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::map<std::string_view, std::string_view> lines_;
};

// How each feature's missing values are given: LightGBM decides it once for a feature, and writes it at every
// split.
class MissingTypes {
 public:
  explicit MissingTypes(uint32_t features) : types_(features, kUnknown) {}

  bool Set(uint32_t feature, int64_t type) {
    auto& known = types_[feature];
    if (known == kUnknown) known = static_cast<int8_t>(type);
    return known == type;
  }
  std::vector<bool> ZeroIsMissing() const {
    if (std::find(types_.begin(), types_.end(), kMissingZero) == types_.end()) return {};
    std::vector<bool> zero;
    zero.reserve(types_.size());
    for (const int8_t type : types_) zero.push_back(type == kMissingZero);
    return zero;
  }

 private:
  static constexpr int8_t kUnknown = -1;
  std::vector<int8_t> types_;
};

class TreeReader {
 public:
  TreeReader(TreeEnsemble& ensemble, MissingTypes& missing, uint32_t features)
      : ensemble_(ensemble), missing_(missing), features_(features) {}

  Status Add(const Section& section) {
    GC_TRY(leaves_, section.Whole("num_leaves", static_cast<uint32_t>(kNodesMax)));
    if (leaves_ == 0 || ensemble_.nodes.size() + 2 * uint64_t{leaves_} > kNodesMax)
      return Fail(Wrong(section.where() + ": no leaf, or more than " + std::to_string(kNodesMax) + " nodes"));
    GC_TRY_VOID(RefuseUnsupported(section));
    const auto tree = static_cast<uint32_t>(ensemble_.trees.size());
    ensemble_.trees.push_back(
        {.first = static_cast<uint32_t>(ensemble_.nodes.size()), .target = tree % ensemble_.targets});
    if (leaves_ > 1) GC_TRY_VOID(AddSplits(section));
    GC_TRY(const std::vector<double> values, section.List<double>("leaf_value", leaves_));
    for (const double value : values) {
      Node leaf;
      leaf.left = static_cast<uint32_t>(ensemble_.leaf_values.size());
      ensemble_.leaf_values.push_back(value);
      ensemble_.nodes.push_back(leaf);
    }
    return Ok();
  }

 private:
  static Status RefuseUnsupported(const Section& section) {
    if (section.Has("is_linear")) {
      GC_TRY(const uint32_t linear, section.Whole("is_linear", 1));
      if (linear != 0) return Fail(Wrong(section.where() + ": linear trees are not supported"));
    }
    if (!section.Has("num_cat")) return Ok();
    GC_TRY(const uint32_t categorical, section.Whole("num_cat", static_cast<uint32_t>(kNodesMax)));
    if (categorical == 0) return Ok();
    return Fail(
        Wrong(section.where() +
              ": categorical splits are not supported: train on numbers, such as one column a category"));
  }

  // Inner nodes come first, then the leaves: a negative child is a leaf, counted from -1.
  Status AddSplits(const Section& section) {
    const size_t count = leaves_ - 1;
    GC_TRY(const std::vector<int64_t> features, section.List<int64_t>("split_feature", count));
    GC_TRY(const std::vector<double> thresholds, section.List<double>("threshold", count));
    GC_TRY(const std::vector<int64_t> decisions, section.List<int64_t>("decision_type", count));
    GC_TRY(const std::vector<int64_t> left, section.List<int64_t>("left_child", count));
    GC_TRY(const std::vector<int64_t> right, section.List<int64_t>("right_child", count));
    for (size_t i = 0; i < count; ++i) {
      const std::string where = section.where() + ", split " + std::to_string(i);
      if (features[i] < 0 || features[i] >= features_)
        return Fail(Wrong(where + " uses a feature that does not exist"));
      Node node;
      node.feature = static_cast<uint32_t>(features[i]) & Node::kLeaf;
      node.threshold = ThresholdOf(thresholds[i]);
      node.left = Place(left[i]);
      node.right = Place(right[i]);
      GC_TRY_VOID(SetMissing(where, decisions[i], thresholds[i], node));
      ensemble_.nodes.push_back(node);
    }
    return Ok();
  }

  uint32_t Place(int64_t child) const {
    const int64_t place = child >= 0 ? child : leaves_ - 1 + ~child;
    const bool exists = child >= 0 ? child < leaves_ - 1 : ~child < leaves_;
    return exists ? static_cast<uint32_t>(place) : std::numeric_limits<uint32_t>::max();
  }

  Status SetMissing(const std::string& where, int64_t decision, double threshold, Node& node) {
    if (decision < 0 || (decision & kCategorical) != 0)
      return Fail(Wrong(where + " is categorical, or of an unknown kind: not supported"));
    const int64_t type = decision >> kMissingShift;
    if (type > kMissingNan) return Fail(Wrong(where + " has an unknown way to treat missing values"));
    if (!missing_.Set(node.feature, type))
      return Fail(Wrong(where + " treats missing values otherwise than other splits of its feature"));
    // Where none were seen in training, LightGBM takes NaN for 0.
    const bool left = type == kMissingNone ? 0.0 <= threshold : (decision & kDefaultLeft) != 0;
    node.missing_left = left ? 1 : 0;
    return Ok();
  }

  TreeEnsemble& ensemble_;
  MissingTypes& missing_;
  const int64_t features_;
  uint32_t leaves_ = 0;
};

// "binary sigmoid:1", "multiclass num_class:3", "regression sqrt".
Status ReadObjective(std::string_view text, Head& head) {
  const size_t end = text.find(' ');
  const std::string_view name = text.substr(0, end);
  const auto found = std::find_if(kObjectives.begin(), kObjectives.end(),
                                  [name](const Objective& objective) { return objective.name == name; });
  if (found == kObjectives.end()) {
    std::string supported;
    for (const Objective& one : kObjectives) supported.append(supported.empty() ? "" : ", ").append(one.name);
    return Fail(Wrong("the objective \"" + Printable(name, 60) + "\" is not supported: train with one of " +
                      supported));
  }
  head.task = found->task;
  head.transform = found->transform;
  std::string_view rest = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  while (!rest.empty()) {
    const size_t stop = rest.find(' ');
    const std::string_view word = rest.substr(0, stop);
    rest.remove_prefix(stop == std::string_view::npos ? rest.size() : stop + 1);
    if (word == "sqrt") head.transform = Transform::kSignedSquare;
    if (word.starts_with("sigmoid:") && !ParseNumber(word.substr(8), head.slope))
      return Fail(Wrong("the slope of the sigmoid is no number"));
  }
  return Ok();
}

// Lines up to an empty one.
Result<Section> ReadSection(Lines& lines, std::string where) {
  Section section(std::move(where));
  std::string_view line;
  while (lines.Next(line) && !line.empty()) GC_TRY_VOID(section.Add(line));
  return section;
}

// "v4"; one that is no number is as unknown as a newer one.
std::string SourceName(std::string_view version) {
  std::string name = "LightGBM, format " + Printable(version, 10);
  uint32_t number = 0;
  const bool is_number = version.starts_with('v') && ParseNumber(version.substr(1), number);
  if (!is_number || number > kTestedFormat)
    name += ", newer than v" + std::to_string(kTestedFormat) + ", the last that was tested";
  return name;
}

Status ReadHead(const Section& section, Model& model, TreeEnsemble& ensemble) {
  GC_TRY(const std::string_view version, section.Text("version"));
  model.source = SourceName(version);
  GC_TRY(const uint32_t last_feature, section.Whole("max_feature_idx", kFeaturesMax - 1));
  model.features = last_feature + 1;
  GC_TRY(ensemble.targets, section.Whole("num_tree_per_iteration", kTargetsMax));
  if (ensemble.targets == 0) return Fail(Wrong("no tree per iteration"));
  // A model that was trained with an objective of the caller's own has no such line.
  if (section.Has("objective")) {
    GC_TRY(const std::string_view objective, section.Text("objective"));
    GC_TRY_VOID(ReadObjective(objective, model.head));
  }
  ensemble.average = section.Has("average_output");
  CountLabels(ensemble.targets, model.head);
  return Ok();
}

}  // namespace

Result<Model> ReadLightgbm(ByteSpan file) {
  Lines lines(AsText(file));
  std::string_view line;
  if (!lines.Next(line) || line != "tree") return Fail(Wrong("the first line is not \"tree\""));
  GC_TRY(const Section head, ReadSection(lines, "the head"));
  Model model;
  TreeEnsemble ensemble;
  ensemble.comparison = Comparison::kLessOrEqual;
  ensemble.precision = Precision::kDouble;
  GC_TRY_VOID(ReadHead(head, model, ensemble));
  MissingTypes missing(model.features);
  TreeReader reader(ensemble, missing, model.features);
  while (true) {
    if (!lines.Next(line)) return Fail(Wrong("\"end of trees\" does not come: the file is cut off"));
    if (line.empty()) continue;
    if (line == "end of trees") break;
    const std::string name = "Tree=" + std::to_string(ensemble.trees.size());
    if (line != name) return Fail(Wrong("\"" + Printable(line, 40) + "\" where " + name + " is expected"));
    GC_TRY(const Section tree, ReadSection(lines, name));
    GC_TRY_VOID(reader.Add(tree));
  }
  ensemble.zero_is_missing = missing.ZeroIsMissing();
  model.body = std::move(ensemble);
  GC_TRY_VOID(Check(model));
  return model;
}

}  // namespace glasscase::translation
