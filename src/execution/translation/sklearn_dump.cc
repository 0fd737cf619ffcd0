// api/formats/sklearn-dump.md.
#include <array>
#include <string>

#include <glasscase/translation/document.h>
#include <glasscase/translation/read.h>

#include "fields.h"
#include "unreadable.h"

namespace glasscase::translation {
namespace {

constexpr uint32_t kVersion = 1;

template <typename T>
struct Named {
  std::string_view name;
  T value;
};
constexpr std::array<Named<Task>, 2> kTasks = {
    {{"classifier", Task::kClassifier}, {"regressor", Task::kRegressor}}};
constexpr std::array<Named<Transform>, 4> kTransforms = {{{"identity", Transform::kIdentity},
                                                          {"logistic", Transform::kLogistic},
                                                          {"softmax", Transform::kSoftmax},
                                                          {"exp", Transform::kExp}}};

template <typename T, size_t N>
Result<T> OneOf(const Fields& fields, std::string_view name, const std::array<Named<T>, N>& table) {
  GC_TRY(const std::string text, fields.Text(name));
  for (const Named<T>& row : table) {
    if (row.name == text) return row.value;
  }
  return Fail(fields.Wrong("\"" + std::string(name) + "\" is \"" + Printable(text, 40) +
                           "\", which this version does not know"));
}

Status ReadLabels(const Fields& document, Head& head) {
  if (head.task == Task::kRegressor) return Ok();
  if (document.Has("zero_is_second")) {  // older dumps are without
    GC_TRY(const bool zero_is_second, document.Flag("zero_is_second"));
    head.second_class = zero_is_second ? SecondClass::kFromZero : SecondClass::kAboveZero;
  }
  if (auto texts = document.Texts("classes")) {
    head.text_labels = std::move(*texts);
    return Ok();
  }
  GC_TRY(const Numbers* numbers, document.List("classes"));
  for (const double number : *numbers) {
    int64_t label = 0;
    if (!ToWhole(number, -(int64_t{1} << 53), int64_t{1} << 53, label))
      return Fail(document.Wrong("a class is neither a whole number nor a text"));
    head.integer_labels.push_back(label);
  }
  return Ok();
}

class TreeReader {
 public:
  explicit TreeReader(TreeEnsemble& ensemble) : ensemble_(ensemble) {}

  Status Add(const Fields& fields) {
    GC_TRY(const uint32_t target, fields.Whole("target", kTargetsMax));
    GC_TRY(const Numbers* left, fields.List("left"));
    const size_t count = left->size();
    const size_t width = ensemble_.leaf_width;
    if (ensemble_.nodes.size() + count > kNodesMax || count > kNodesMax / width)
      return Fail(fields.Wrong("more than " + std::to_string(kNodesMax) + " nodes or values"));
    GC_TRY(const Numbers* right, fields.ListOf("right", count));
    GC_TRY(const Numbers* feature, fields.ListOf("feature", count));
    GC_TRY(const Numbers* threshold, fields.ListOf("threshold", count));
    GC_TRY(const Numbers* missing, fields.ListOf("missing_left", count));
    GC_TRY(const Numbers* value, fields.ListOf("value", count * width));
    ensemble_.trees.push_back({.first = static_cast<uint32_t>(ensemble_.nodes.size()), .target = target});
    for (size_t i = 0; i < count; ++i) {
      const std::string node = "node " + std::to_string(i);
      if ((*left)[i] == -1 && (*right)[i] == -1) {
        AddLeaf(*value, i * width);
      } else if (!AddSplit((*left)[i], (*right)[i], (*feature)[i], (*threshold)[i], (*missing)[i], count)) {
        return Fail(fields.Wrong(node + " is neither a leaf nor a split of two nodes"));
      }
    }
    return Ok();
  }

 private:
  void AddLeaf(const Numbers& values, size_t first) {
    Node node;
    node.left = static_cast<uint32_t>(ensemble_.leaf_values.size());
    for (size_t k = 0; k < ensemble_.leaf_width; ++k) ensemble_.leaf_values.push_back(values[first + k]);
    ensemble_.nodes.push_back(node);
  }

  bool AddSplit(double left, double right, double feature, double threshold, double missing, size_t count) {
    int64_t left_child = 0;
    int64_t right_child = 0;
    int64_t column = 0;
    const auto last = static_cast<int64_t>(count) - 1;
    if (!ToWhole(left, 0, last, left_child) || !ToWhole(right, 0, last, right_child) ||
        !ToWhole(feature, 0, kFeaturesMax, column)) {
      return false;
    }
    Node node;
    node.feature = static_cast<uint32_t>(column) & Node::kLeaf;
    node.threshold = LargestNotAbove(threshold);
    node.missing_left = missing != 0 ? 1 : 0;
    node.left = static_cast<uint32_t>(left_child);
    node.right = static_cast<uint32_t>(right_child);
    ensemble_.nodes.push_back(node);
    return true;
  }

  TreeEnsemble& ensemble_;
};

Result<TreeEnsemble> ReadTrees(const Fields& document) {
  TreeEnsemble ensemble;
  ensemble.comparison = Comparison::kLessOrEqual;
  ensemble.precision = Precision::kDouble;
  GC_TRY(ensemble.targets, document.Whole("outputs", kTargetsMax));
  GC_TRY(ensemble.leaf_width, document.Whole("leaf_width", kTargetsMax));
  if (ensemble.leaf_width == 0) return Fail(document.Wrong("\"leaf_width\" is 0"));
  GC_TRY(ensemble.average, document.Flag("average"));
  GC_TRY(const Numbers* base, document.List("base"));
  ensemble.base = *base;
  GC_TRY(const std::vector<Fields> trees, document.Objects("trees"));
  TreeReader reader(ensemble);
  for (const Fields& tree : trees) GC_TRY_VOID(reader.Add(tree));
  return ensemble;
}

Result<LinearModel> ReadLinear(const Fields& document) {
  LinearModel linear;
  for (const auto& [name, list] :
       {std::pair{"mean", &linear.mean}, std::pair{"scale", &linear.scale},
        std::pair{"coefficients", &linear.coefficients}, std::pair{"intercepts", &linear.intercepts}}) {
    GC_TRY(const Numbers* numbers, document.List(name));
    *list = *numbers;
  }
  return linear;
}

}  // namespace

Result<Model> ReadSklearnDump(ByteSpan file) {
  GC_TRY(const Value value, ParseJson(AsText(file), {}));
  const Fields document(value, "scikit-learn dump");
  GC_TRY(const std::string format, document.Text("format"));
  if (format != kDumpFormat)
    return Fail(document.Wrong("\"format\" is not \"" + std::string(kDumpFormat) + "\""));
  GC_TRY(const uint32_t version, document.Whole("version", std::numeric_limits<uint32_t>::max()));
  if (version != kVersion)
    return Fail(document.Wrong("version " + std::to_string(version) + "; this program reads version " +
                               std::to_string(kVersion)));
  Model model;
  GC_TRY(const std::string library, document.Text("scikit_learn"));
  GC_TRY(const std::string estimator, document.Text("estimator"));
  model.source = "scikit-learn " + Printable(library, 20) + " " + Printable(estimator, 50);
  GC_TRY(model.features, document.Whole("features", kFeaturesMax));
  GC_TRY(model.head.task, OneOf(document, "task", kTasks));
  GC_TRY(model.head.transform, OneOf(document, "transform", kTransforms));
  GC_TRY_VOID(ReadLabels(document, model.head));
  GC_TRY(const std::string kind, document.Text("kind"));
  if (kind == "trees") {
    GC_TRY(model.body, ReadTrees(document));
  } else if (kind == "linear") {
    GC_TRY(model.body, ReadLinear(document));
  } else {
    return Fail(document.Wrong("\"kind\" is neither trees nor linear"));
  }
  GC_TRY_VOID(Check(model));
  return model;
}

}  // namespace glasscase::translation
