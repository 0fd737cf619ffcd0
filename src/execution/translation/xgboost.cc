// XGBoost's model schema (doc/model.schema of XGBoost; JSON and UBJSON hold the same document). Numbers of
// its trees are float32, written with the fewest digits that read back to the same.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

#include <glasscase/translation/document.h>
#include <glasscase/translation/read.h>

#include "fields.h"
#include "unreadable.h"

namespace glasscase::translation {
namespace {

// Not needed for predictions; a third of the file.
constexpr std::array<std::string_view, 4> kUnwanted = {"base_weights", "loss_changes", "sum_hessian",
                                                       "parents"};
constexpr std::array<int, 2> kTested = {3, 2};  // by tests/conformance/test_translation.py
constexpr double kDeleted = 2'147'483'647;      // the split feature of a node that pruning took away

struct Objective {
  std::string_view name;
  Task task;
  Transform transform;
  Transform base;  // by which base_score was made of the margin that trees start from
};
constexpr std::array<Objective, 17> kObjectives = {{
    {"binary:logistic", Task::kClassifier, Transform::kLogistic, Transform::kLogistic},
    {"multi:softprob", Task::kClassifier, Transform::kSoftmax, Transform::kIdentity},
    {"multi:softmax", Task::kClassifier, Transform::kSoftmax, Transform::kIdentity},
    {"binary:logitraw", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:logistic", Task::kRegressor, Transform::kLogistic, Transform::kLogistic},
    {"reg:squarederror", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:linear", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:squaredlogerror", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:absoluteerror", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:pseudohubererror", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"reg:quantileerror", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"count:poisson", Task::kRegressor, Transform::kExp, Transform::kExp},
    {"reg:gamma", Task::kRegressor, Transform::kExp, Transform::kExp},
    {"reg:tweedie", Task::kRegressor, Transform::kExp, Transform::kExp},
    {"rank:pairwise", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"rank:ndcg", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
    {"rank:map", Task::kRegressor, Transform::kIdentity, Transform::kIdentity},
}};

Result<const Objective*> FindObjective(const Fields& learner) {
  GC_TRY(const Fields object, learner.Object("objective"));
  GC_TRY(const std::string name, object.Text("name"));
  const auto found = std::find_if(kObjectives.begin(), kObjectives.end(),
                                  [&](const Objective& objective) { return objective.name == name; });
  if (found != kObjectives.end()) return &*found;
  std::string supported;
  for (const Objective& one : kObjectives) supported.append(supported.empty() ? "" : ", ").append(one.name);
  return Fail(Error::InvalidArgument("the objective \"" + Printable(name, 60) +
                                     "\" is not supported: train with one of " + supported));
}

// "5E-1", or "[5E-1,2E0]" since XGBoost 3.1. One value stands for all targets.
Result<std::vector<double>> ParseBaseScore(const Fields& parameters, uint32_t targets) {
  GC_TRY(std::string text, parameters.Text("base_score"));
  const Error wrong = parameters.Wrong("\"base_score\" is not a number or a list of them");
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  std::vector<double> scores;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    float score = 0;
    const auto [stop, problem] = std::from_chars(at, end, score);
    if (problem != std::errc()) return Fail(wrong);
    scores.push_back(static_cast<double>(score));
    if (stop == end) break;
    if (*stop != ',' || scores.size() > kTargetsMax) return Fail(wrong);
    at = stop + 1;
  }
  if (scores.size() == 1) scores.resize(targets, scores.front());
  if (scores.size() != targets) return Fail(wrong);
  return scores;
}

// The share of the second class, of which the margin is infinite where all rows are of one class.
Status CheckShare(const Fields& parameters, const Objective& objective, double score) {
  if (objective.base != Transform::kLogistic || (score > 0 && score < 1)) return Ok();
  return Fail(
      parameters.Wrong("\"base_score\" is not between 0 and 1, as " + std::string(objective.name) +
                       " needs it; it is 0 or 1 where the training set has one class only: train with "
                       "rows of both"));
}

// In float32, as XGBoost does it.
double ToMargin(double score, Transform transform) {
  const auto p = static_cast<float>(score);
  if (transform == Transform::kLogistic) return static_cast<double>(-std::log(1.0F / p - 1.0F));
  if (transform == Transform::kExp) return static_cast<double>(std::log(p));
  return score;
}

struct TreeFields {
  const Numbers& left;
  const Numbers& right;
  const Numbers& feature;
  const Numbers& threshold;
  const Numbers& default_left;
};

Status RefuseCategories(const Fields& fields) {
  for (const std::string_view name : {"split_type", "categories_nodes"}) {
    if (!fields.Has(name)) continue;
    GC_TRY(const Numbers* list, fields.List(name));
    const bool is_type = name == "split_type";
    const bool any = is_type ? std::any_of(list->begin(), list->end(), [](double type) { return type != 0; })
                             : !list->empty();
    if (any)
      return Fail(fields.Wrong(
          "categorical splits are not supported: train on numbers, such as one column a category"));
  }
  return Ok();
}

// Adds the trees of one model to an ensemble.
class TreeReader {
 public:
  explicit TreeReader(TreeEnsemble& ensemble) : ensemble_(ensemble) {}

  Status Add(const Fields& fields, uint32_t target, float weight) {
    GC_TRY_VOID(RefuseCategories(fields));
    GC_TRY(const Fields parameters, fields.Object("tree_param"));
    if (parameters.Has("size_leaf_vector")) {
      GC_TRY(const uint32_t leaf_values, parameters.Whole("size_leaf_vector", kTargetsMax));
      if (leaf_values > 1) return Fail(fields.Wrong("trees with vector leaves are not supported"));
    }
    GC_TRY(const Numbers* left, fields.List("left_children"));
    const size_t count = left->size();
    if (ensemble_.nodes.size() + count > kNodesMax)
      return Fail(fields.Wrong("more than " + std::to_string(kNodesMax) + " nodes"));
    GC_TRY(const Numbers* right, fields.ListOf("right_children", count));
    GC_TRY(const Numbers* feature, fields.ListOf("split_indices", count));
    GC_TRY(const Numbers* threshold, fields.ListOf("split_conditions", count));
    GC_TRY(const Numbers* default_left, fields.ListOf("default_left", count));
    ensemble_.trees.push_back({.first = static_cast<uint32_t>(ensemble_.nodes.size()), .target = target});
    const TreeFields lists{*left, *right, *feature, *threshold, *default_left};
    NumberKept(lists);
    for (size_t i = 0; i < count; ++i) {
      if (place_[i] == kGone) continue;
      if (!AddNode(lists, i, weight))
        return Fail(
            fields.Wrong("node " + std::to_string(i) + " is neither a leaf nor a split of two nodes"));
    }
    return Ok();
  }

 private:
  static constexpr uint32_t kGone = std::numeric_limits<uint32_t>::max();

  // Pruning leaves holes; the others move up and keep their order.
  void NumberKept(const TreeFields& lists) {
    place_.clear();
    uint32_t next = 0;
    for (size_t i = 0; i < lists.left.size(); ++i) {
      const bool gone = i > 0 && lists.left[i] < 0 && lists.feature[i] == kDeleted;
      place_.push_back(gone ? kGone : next++);
    }
  }

  bool AddNode(const TreeFields& lists, size_t i, float weight) {
    const auto last = static_cast<int64_t>(place_.size()) - 1;
    int64_t left = 0;
    int64_t right = 0;
    int64_t feature = 0;
    if (!ToWhole(lists.left[i], -1, last, left) || !ToWhole(lists.right[i], -1, last, right)) return false;
    Node node;
    node.threshold = static_cast<float>(lists.threshold[i]);
    if (left == -1 && right == -1) {
      node.left = static_cast<uint32_t>(ensemble_.leaf_values.size());
      ensemble_.leaf_values.push_back(static_cast<double>(node.threshold * weight));
      node.threshold = 0;
    } else {
      if (left < 0 || right < 0 || !ToWhole(lists.feature[i], 0, kFeaturesMax, feature)) return false;
      node.feature = static_cast<uint32_t>(feature) & Node::kLeaf;
      node.missing_left = lists.default_left[i] != 0 ? 1 : 0;
      node.left = place_[static_cast<size_t>(left)];
      node.right = place_[static_cast<size_t>(right)];
    }
    ensemble_.nodes.push_back(node);
    return true;
  }

  TreeEnsemble& ensemble_;
  std::vector<uint32_t> place_;  // of the tree's nodes in the ensemble, from its first
};

// The booster that holds the trees, and dart's weights where it is one.
struct Booster {
  Fields trees;  // and what is said of them
  const Numbers* weights = nullptr;
};

Result<Booster> FindBooster(const Fields& learner) {
  GC_TRY(const Fields booster, learner.Object("gradient_booster"));
  GC_TRY(const std::string name, booster.Text("name"));
  if (name == "gblinear")
    return Fail(Error::InvalidArgument("the booster gblinear is not supported: train with gbtree or dart"));
  if (name == "gbtree") {
    GC_TRY(Fields model, booster.Object("model"));
    return Booster{std::move(model)};
  }
  if (name != "dart") return Fail(booster.Wrong("unknown booster \"" + Printable(name, 40) + "\""));
  GC_TRY(const Fields inner, booster.Object("gbtree"));
  GC_TRY(Fields model, inner.Object("model"));
  GC_TRY(const Numbers* weights, booster.List("weight_drop"));
  return Booster{std::move(model), weights};
}

// For all nodes at once: a list that grows is held twice, with half of it empty.
Status MakeRoom(const std::vector<Fields>& trees, TreeEnsemble& ensemble) {
  size_t nodes = 0;
  for (const Fields& tree : trees) {
    GC_TRY(const Numbers* left, tree.List("left_children"));
    nodes += left->size();
  }
  ensemble.trees.reserve(trees.size());
  ensemble.nodes.reserve(std::min<size_t>(nodes, kNodesMax));
  ensemble.leaf_values.reserve(std::min<size_t>((nodes + trees.size()) / 2, kNodesMax));
  return Ok();
}

Status ReadTrees(const Booster& booster, TreeEnsemble& ensemble) {
  GC_TRY(const std::vector<Fields> trees, booster.trees.Objects("trees"));
  GC_TRY(const Numbers* targets, booster.trees.ListOf("tree_info", trees.size()));
  if (booster.weights != nullptr && booster.weights->size() != trees.size())
    return Fail(booster.trees.Wrong("as many weights as trees are needed"));
  GC_TRY_VOID(MakeRoom(trees, ensemble));
  TreeReader reader(ensemble);
  for (size_t i = 0; i < trees.size(); ++i) {
    int64_t target = 0;
    if (!ToWhole((*targets)[i], 0, ensemble.targets - 1, target))
      return Fail(trees[i].Wrong("it belongs to an output that does not exist"));
    const float weight = booster.weights == nullptr ? 1.0F : static_cast<float>((*booster.weights)[i]);
    GC_TRY_VOID(reader.Add(trees[i], static_cast<uint32_t>(target), weight));
  }
  return Ok();
}

// The round that early stopping found best, counted from 0; it says so in an attribute, which anybody may
// set.
std::optional<uint32_t> BestRound(const Fields& learner) {
  const auto attributes = learner.Object("attributes");
  const auto round = attributes ? attributes->Whole("best_iteration", kNodesMax) : Fail(attributes.error());
  return round ? std::optional(*round) : std::nullopt;
}

// A round adds to each target a tree, or a forest.
Result<size_t> CountRounds(const Booster& booster, const TreeEnsemble& ensemble) {
  uint32_t forest = 1;
  if (const auto parameters = booster.trees.Object("gbtree_model_param");
      parameters && parameters->Has("num_parallel_tree")) {
    GC_TRY(forest, parameters->Whole("num_parallel_tree", kNodesMax));
  }
  return ensemble.trees.size() / (size_t{ensemble.targets} * std::max(forest, 1U));
}

// All rounds are translated, as Booster.predict() adds them up; the classes for scikit-learn do not.
Status NoteEarlyStop(const Fields& learner, const Booster& booster, const TreeEnsemble& ensemble,
                     Model& model) {
  const std::optional<uint32_t> best = BestRound(learner);
  if (!best) return Ok();
  GC_TRY(const size_t rounds, CountRounds(booster, ensemble));
  const size_t used = size_t{*best} + 1;
  if (used >= rounds) return Ok();
  const std::string first = std::to_string(used), all = std::to_string(rounds);
  model.notes.push_back("the file names round " + first + " of " + all +
                        " as the best (early stopping); all " + all +
                        " are translated, while XGBoost's scikit-learn classes predict with the first " +
                        first + ": save booster[: " + first + "] to translate those");
  return Ok();
}

// A newer one may mean other sums by the same members, which nothing here would see.
bool IsNewerThanTested(const Numbers& version) {
  return std::lexicographical_compare(kTested.begin(), kTested.end(), version.begin(),
                                      version.begin() + std::min<std::ptrdiff_t>(2, std::ssize(version)));
}

Result<std::string> SourceName(const Fields& document) {
  GC_TRY(const Numbers* version, document.List("version"));
  std::string name = "XGBoost";
  char before = ' ';
  for (const double part : *version) {
    int64_t number = 0;
    if (!ToWhole(part, 0, 99'999, number) || name.size() > 40) return Fail(document.Wrong("no version"));
    name += before + std::to_string(number);
    before = '.';
  }
  if (IsNewerThanTested(*version))
    name += ", newer than " + std::to_string(kTested[0]) + "." + std::to_string(kTested[1]) +
            ", the last that was tested";
  return name;
}

// A file of another program, or a dump with a misspelt format. It is known only now that it was read: where
// "learner" stands, a large file says after all its trees.
Error NotXgboost(const Fields& document, std::string_view notation) {
  std::string what = "this is a " + std::string(notation) +
                     " file that is neither XGBoost's (it has no \"learner\") nor a dump of glasscase_dump";
  if (const auto format = document.Text("format"))
    what += " (its \"format\" is \"" + Printable(*format, 60) + "\"; a dump's is \"" +
            std::string(kDumpFormat) + "\", in the first " + std::to_string(kNamedWithin) + " bytes)";
  return Unreadable(what);
}

Result<Model> ReadDocument(const Value& value, std::string_view notation) {
  const Fields document(value, "XGBoost model");
  if (!document.Has("learner")) return Fail(NotXgboost(document, notation));
  Model model;
  GC_TRY(model.source, SourceName(document));
  GC_TRY(const Fields learner, document.Object("learner"));
  GC_TRY(const Fields parameters, learner.Object("learner_model_param"));
  GC_TRY(const Objective* objective, FindObjective(learner));
  GC_TRY(model.features, parameters.Whole("num_feature", kFeaturesMax));
  GC_TRY(const uint32_t classes, parameters.Whole("num_class", kTargetsMax));
  uint32_t outputs = 1;
  if (parameters.Has("num_target")) {
    GC_TRY(outputs, parameters.Whole("num_target", kTargetsMax));
  }
  model.head.task = objective->task;
  model.head.transform = objective->transform;
  model.head.second_class = SecondClass::kAboveHalf;
  TreeEnsemble ensemble;
  ensemble.targets = std::max({classes, outputs, 1U});
  if (objective->task == Task::kClassifier && outputs > 1)
    return Fail(parameters.Wrong("classifiers with several labels a row are not supported"));
  GC_TRY(ensemble.base, ParseBaseScore(parameters, ensemble.targets));
  for (double& base : ensemble.base) {
    GC_TRY_VOID(CheckShare(parameters, *objective, base));
    base = ToMargin(base, objective->base);
  }
  GC_TRY(const Booster booster, FindBooster(learner));
  GC_TRY_VOID(ReadTrees(booster, ensemble));
  GC_TRY_VOID(NoteEarlyStop(learner, booster, ensemble, model));
  CountLabels(ensemble.targets, model.head);
  model.body = std::move(ensemble);
  GC_TRY_VOID(Check(model));
  return model;
}

}  // namespace

Result<Model> ReadXgboostJson(ByteSpan file) {
  GC_TRY(const Value document, ParseJson(AsText(file), {.numbers_are_float32 = true, .unwanted = kUnwanted}));
  return ReadDocument(document, "JSON");
}

Result<Model> ReadXgboostUbj(ByteSpan file) {
  GC_TRY(const Value document, ParseUbj(file, {.numbers_are_float32 = true, .unwanted = kUnwanted}));
  return ReadDocument(document, "UBJSON");
}

}  // namespace glasscase::translation
