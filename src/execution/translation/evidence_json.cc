// api/formats/translation-evidence.md.
#include <cmath>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <glasscase/json/canonical.h>
#include <glasscase/onnx/write.h>
#include <glasscase/translation/evidence.h>

namespace glasscase::translation {
namespace {

namespace json = boost::json;

// JSON has no word for what is not finite.
json::value Number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return number;
}

template <typename T>
json::array Numbers(const std::vector<T>& numbers) {
  json::array array;
  for (const T number : numbers) array.push_back(Number(static_cast<double>(number)));
  return array;
}

json::object Worst(const WorstInput& worst) {
  return {{"input", Numbers(worst.input)},
          {"kind", worst.kind},
          {"result", Numbers(worst.result)},
          {"source", Numbers(worst.source)}};
}

// Those that are none are left out.
json::object RangesOf(const RangeSources& sources) {
  json::object object;
  const auto say = [&](const char* from, uint64_t features) {
    if (features > 0) object[from] = features;
  };
  say("dataset", sources.dataset);
  say("guessed", sources.guessed);
  say("thresholds", sources.thresholds);
  say("unused", sources.unused);
  return object;
}

json::array DatasetsOf(const std::vector<EvidenceData>& data) {
  json::array datasets;
  for (const EvidenceData& one : data) {
    json::object entry{{"name", one.name}};
    if (!one.why_not.empty()) entry["unread"] = one.why_not;
    datasets.push_back(std::move(entry));
  }
  return datasets;
}

// What is not allowed for is left out, but for the two that every class has.
json::object BoundObject(const Bound& bound) {
  json::object object{{"absolute", bound.absolute}, {"ulps", bound.ulps}};
  if (bound.double_ulps > 0) object["double_ulps"] = bound.double_ulps;
  if (bound.output_ulps > 0) object["output_ulps"] = bound.output_ulps;
  if (std::isfinite(bound.at_most)) object["at_most"] = bound.at_most;
  return object;
}

void AddSecond(const SecondOpinion& second, json::object& evidence) {
  if (second.evaluator.empty()) return;
  evidence["evaluators"].as_object()["second"] = second.evaluator;
  json::object object{{"rows", second.rows}};
  if (second.rows > 0) {
    object["absolute_max"] = Number(second.absolute_max);
    object["rows_beyond"] = second.rows_beyond;
  }
  if (!second.not_run.empty()) object["not_run"] = second.not_run;
  if (!second.failed.empty()) object["failed"] = second.failed;
  evidence["second"] = std::move(object);
}

}  // namespace

Result<std::string> ToJson(const Evidence& evidence, const Subject& subject) {
  json::object kinds;
  for (const InputKind& kind : evidence.kinds) kinds[kind.name] = kind.rows;
  json::object object{
      {"format", "glasscase translation evidence"},
      {"version", 1},
      {"source", {{"model", subject.source}, {"sha256", subject.source_sha256}}},
      {"result",
       {{"sha256", subject.result_sha256},
        {"opset", onnx::kWrittenOpset},
        {"opset_ml", onnx::kWrittenMlOpset}}},
      {"evaluators", {{"source", evidence.source_evaluator}, {"result", evidence.result_evaluator}}},
      {"inputs",
       {{"rows", evidence.rows},
        {"kinds", kinds},
        {"datasets", DatasetsOf(evidence.data)},
        {"random_finite", evidence.random_finite},
        {"ranges", RangesOf(evidence.ranges)},
        {"seed", evidence.seed},
        {"thresholds", evidence.thresholds},
        {"thresholds_tried", evidence.thresholds_tried}}},
      {"difference",
       {{"absolute_max", Number(evidence.absolute_max)},
        {"absolute_p999", Number(evidence.absolute_p999)},
        {"relative_max", Number(evidence.relative_max)}}},
      {"bound", BoundObject(evidence.bound)},
      {"rows_beyond", evidence.rows_beyond},
      {"worst", Worst(evidence.worst)},
      {"holds", evidence.holds}};
  if (!subject.notes.empty())
    object["source"].as_object()["notes"] = json::array(subject.notes.begin(), subject.notes.end());
  AddSecond(evidence.second, object);
  if (evidence.top_class_same + evidence.top_class_ties > 0)
    object["top_class"] = {{"same", evidence.top_class_same}, {"ties", evidence.top_class_ties}};
  return glasscase::json::WriteCanonical(object);
}

}  // namespace glasscase::translation
