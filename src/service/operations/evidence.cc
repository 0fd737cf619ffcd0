#include "evidence.h"

#include <cmath>
#include <limits>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>

namespace glasscase::operations {
namespace {

using json::ObjectReader;

constexpr size_t kEvidenceBytesMax = size_t{1} << 20;
constexpr size_t kWordsMax = 200;
constexpr uint32_t kRepeatsShown = 10;  // the newest

std::string Words(const Result<std::string>& text) { return text ? Printable(*text, kWordsMax) : ""; }

int64_t WholeOf(const ObjectReader& object, std::string_view member) {
  return static_cast<int64_t>(object.Whole(member).value_or(0));
}

// What is not finite stands there as a text; no JSON number says it, so the largest one does.
double NumberOf(const ObjectReader& object, std::string_view member) {
  const auto* value = object.object().if_contains(boost::json::string_view(member.data(), member.size()));
  if (value != nullptr && value->is_number()) return value->to_number<double>();
  return std::numeric_limits<double>::max();
}

void TakeTranslation(const ObjectReader& evidence, rpc::Evidence& message) {
  message.set_in_sandbox(evidence.Has("evaluated_in"));
  if (const auto inputs = evidence.Object("inputs")) message.set_inputs(WholeOf(*inputs, "rows"));
  if (const auto difference = evidence.Object("difference")) {
    message.set_absolute_max(NumberOf(*difference, "absolute_max"));
    message.set_ordinary_max(
        NumberOf(*difference, difference->Has("ordinary_max") ? "ordinary_max" : "absolute_max"));
    message.set_relative_max(NumberOf(*difference, "relative_max"));
    message.set_absolute_p999(NumberOf(*difference, "absolute_p999"));
  }
  if (const auto bound = evidence.Object("bound")) {
    message.set_bound_absolute(NumberOf(*bound, "absolute"));
    message.set_bound_ulps(NumberOf(*bound, "ulps"));
  }
  if (const auto result = evidence.Object("result")) message.set_opset(WholeOf(*result, "opset"));
  if (const auto second = evidence.Object("second")) message.set_second_inputs(WholeOf(*second, "rows"));
  if (const auto top = evidence.Object("top_class")) {
    message.set_top_class_same(WholeOf(*top, "same"));
    message.set_top_class_ties(WholeOf(*top, "ties"));
  }
  const auto evaluators = evidence.Object("evaluators");
  if (!evaluators) return;
  message.set_source_evaluator(Words(evaluators->String("source")));
  message.set_result_evaluator(Words(evaluators->String("result")));
  if (message.second_inputs() > 0) message.set_second_evaluator(Words(evaluators->String("second")));
}

void Describe(const catalog::Run& run, rpc::Version& version) {
  if (run.evidence.empty() || run.state != catalog::RunState::kSucceeded) return;
  const auto value = json::Parse(run.evidence, {.bytes_max = kEvidenceBytesMax, .depth_max = 16});
  const auto evidence = value ? ObjectReader::Open(*value, "evidence") : Fail(value.error());
  if (!evidence) return;
  rpc::Evidence& message = *version.add_evidence();
  message.set_run(run.id.ToString());
  message.set_sha256(ToHex(Sha256(AsBytes(run.evidence))));
  message.set_kind(run.translates.IsNil() ? "verification" : "translation");
  if (run.translates.IsNil()) {
    message.set_class_(Words(evidence->String("class")));
  } else {
    TakeTranslation(*evidence, message);
  }
}

}  // namespace

Status DescribeEvidence(Desk& desk, const Uuid& version, rpc::Version& message) {
  GC_TRY(const auto made, desk.catalog.ListRuns({.result = version, .limit = 1}));
  for (const catalog::Run& run : made) {
    Describe(run, message);
    GC_TRY(const auto repeats, desk.catalog.ListRuns({.repeats = run.id, .limit = kRepeatsShown}));
    for (const catalog::Run& repeat : repeats) Describe(repeat, message);
  }
  return Ok();
}

}  // namespace glasscase::operations
