// Operators of ai.onnx.ml: what scikit-learn's exported models are made of.
#include <algorithm>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

// Most kernels take a matrix of samples; given a vector, they take all of it for one sample.
bool IsSampleMatrix(const Value& value) { return value.IsRows() && value.rank() == 2 && value.axis == 0; }

Outcome NotSamples() { return Outcome::Refused("does not have the rows as its samples"); }

bool HasSamples(const NodeView& node) {
  return node.InputCount() == 1 && node.Has(0) && IsSampleMatrix(node.In(0));
}

// Of the same shape: scaled, normalised or filled in per sample.
Outcome PerSample(const NodeView& node) {
  if (!HasSamples(node)) return NotSamples();
  return Outcome::Of(node.In(0));
}

// A label per sample and a score per sample and class.
Outcome ClassifierWith(const NodeView& node, int64_t scores) {
  if (!HasSamples(node)) return NotSamples();
  const int64_t block = node.In(0).block;
  const int64_t width = scores > 0 ? scores : kUnknownDim;
  return {{Value::Rows({kUnknownDim}, 0, block), Value::Rows({kUnknownDim, width}, 0, block)}, {}};
}

int64_t Labels(const NodeView& node, std::string_view integers) {
  const AttributeProto* strings = node.Attribute("classlabels_strings");
  if (strings != nullptr && strings->strings_size() != 0) return strings->strings_size();
  const AttributeProto* ints = node.Attribute(integers);
  return ints == nullptr ? 0 : ints->ints_size();
}

// One column per intercept, or two where a single one tells two classes apart.
Outcome LinearClassifier(const NodeView& node) {
  const AttributeProto* intercepts = node.Attribute("intercepts");
  const int64_t columns = intercepts == nullptr ? 0 : intercepts->floats_size();
  return ClassifierWith(node, columns == 1 && Labels(node, "classlabels_ints") == 2 ? 2 : columns);
}

Outcome TreeEnsembleClassifier(const NodeView& node) {
  return ClassifierWith(node, Labels(node, "classlabels_int64s"));
}

// A column per class or per pair of classes, by attributes that are not followed.
Outcome SvmClassifier(const NodeView& node) { return ClassifierWith(node, kUnknownDim); }

Outcome RegressorWith(const NodeView& node, int64_t targets) {
  if (!HasSamples(node)) return NotSamples();
  return Outcome::Of(Value::Rows({kUnknownDim, targets > 0 ? targets : kUnknownDim}, 0, node.In(0).block));
}

Outcome TreeEnsembleRegressor(const NodeView& node) {
  return RegressorWith(node, node.Int("n_targets", kUnknownDim));
}
Outcome LinearRegressor(const NodeView& node) {
  return RegressorWith(node, node.Int("targets", kUnknownDim));
}
Outcome SvmRegressor(const NodeView& node) { return RegressorWith(node, 1); }
Outcome TreeEnsemble(const NodeView& node) { return RegressorWith(node, kUnknownDim); }

Outcome TfIdfVectorizer(const NodeView& node) { return RegressorWith(node, kUnknownDim); }

// Adds a dimension of categories at the end.
Outcome OneHotEncoder(const NodeView& node) {
  if (node.InputCount() != 1 || !node.Has(0) || !node.In(0).IsRows()) return NotSamples();
  Value out = node.In(0);
  if (out.rank() >= kProofRankMax) return Outcome::Refused("has too many dimensions");
  int64_t categories = kUnknownDim;
  for (const std::string_view name : {"cats_int64s", "cats_strings"}) {
    const AttributeProto* attribute = node.Attribute(name);
    if (attribute == nullptr) continue;
    if (categories != kUnknownDim) return Outcome::Refused("has two lists of categories");
    categories = std::max(attribute->ints_size(), attribute->strings_size());
  }
  out.dims.push_back(categories > 0 ? categories : kUnknownDim);
  return Outcome::Of(std::move(out));
}

// Takes the elements of X's last dimension that Y, read as one list, names. A vector X counts as a matrix of
// one row: so the label path of scikit-learn's classifiers puts the samples into dimension 1.
Outcome ArrayFeatureExtractor(const NodeView& node) {
  if (node.InputCount() != 2 || !node.Has(0) || !node.Has(1))
    return Outcome::Refused("does not have two inputs");
  const Value& data = node.In(0);
  const Value& indices = node.In(1);
  if (!data.has_rank || !indices.has_rank || data.rank() == 0) {
    return Outcome::Refused("picks from a constant of unknown shape");
  }
  if (data.CountsRows() || indices.CountsRows())
    return Outcome::Refused("uses the number of rows as a value");
  if (data.IsRows() && indices.IsRows()) return Outcome::Refused("picks from rows by values of rows");
  const auto last = data.dims.size() - 1;
  if (data.IsRows()) {
    if (data.axis == static_cast<int>(last)) return Outcome::Refused("picks some of the rows");
    const auto numbers = indices.KnownNumbers();
    if (numbers && std::any_of(numbers->begin(), numbers->end(), [](int64_t n) { return n < 0; })) {
      return Outcome::Refused("has an index outside its input");
    }
    Value out = data;
    out.dims[last] = Product(indices.dims).value_or(kUnknownDim);
    return Outcome::Of(std::move(out));
  }
  const auto rows = indices.dims.begin() + indices.axis;
  const auto inside = Product(std::span(indices.dims).subspan(static_cast<size_t>(indices.axis) + 1));
  const int64_t block = inside ? Multiply(*inside, indices.block).value_or(0) : 0;
  const bool outermost = std::all_of(indices.dims.begin(), rows, [](int64_t dim) { return dim == 1; });
  if (!outermost || block < 1 || block > kBlockMax) {
    return Outcome::Refused("reads indices whose rows may not be in one piece");
  }
  std::vector<int64_t> dims = data.dims;
  if (dims.size() == 1) dims.insert(dims.begin(), 1);
  const int axis = static_cast<int>(dims.size()) - 1;
  return Outcome::Of(Value::Rows(std::move(dims), axis, block));
}

}  // namespace

std::vector<Operator> MlOperators() {
  return {
      {kMlDomain, "LinearClassifier", LinearClassifier},
      {kMlDomain, "SVMClassifier", SvmClassifier},
      {kMlDomain, "TreeEnsembleClassifier", TreeEnsembleClassifier},
      {kMlDomain, "LinearRegressor", LinearRegressor},
      {kMlDomain, "SVMRegressor", SvmRegressor},
      {kMlDomain, "TreeEnsembleRegressor", TreeEnsembleRegressor},
      {kMlDomain, "TreeEnsemble", TreeEnsemble},
      {kMlDomain, "Scaler", PerSample},
      {kMlDomain, "Normalizer", PerSample},
      {kMlDomain, "Imputer", PerSample},
      {kMlDomain, "OneHotEncoder", OneHotEncoder},
      {kMlDomain, "ArrayFeatureExtractor", ArrayFeatureExtractor},
      {kOnnxDomain, "TfIdfVectorizer", TfIdfVectorizer},
  };
}

}  // namespace glasscase::onnx
