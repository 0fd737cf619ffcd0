#include "verification.h"

#include <algorithm>

#include <boost/json.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/json/canonical.h>

namespace glasscase::working {
namespace {

namespace bj = boost::json;

// "B" before "T" before "N": the worse of two.
std::string WorseOf(const std::string& one, const std::string& other) {
  constexpr std::string_view kOrder = "BTN";
  return kOrder.find(one) >= kOrder.find(other) ? one : other;
}

std::string ClassOf(const bj::object& found) {
  const auto* value = found.if_contains("class");
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "N";
}

bj::object Different(std::string_view what, const std::string& original, const std::string& repeated) {
  return {{"class", "N"}, {"different", what}, {"original", original}, {"repeated", repeated}};
}

std::string PathsOf(const std::vector<training::ResultFile>& files) {
  std::string paths;
  for (const auto& file : files) paths += (paths.empty() ? "" : ", ") + Printable(file.path, 60);
  return Printable(paths, 300);
}

// The numbers were written down by our own program. Nothing is said where it could not read the original's.
bj::object ComparePredictions(const bj::object& original, const bj::object& repeated) {
  const auto* one = original.if_contains("predictions");
  const auto* other = repeated.if_contains("predictions");
  if ((one == nullptr && other == nullptr) || original.contains("predictions_unread")) return {};
  if (one == nullptr || other == nullptr)
    return Different("predictions", one == nullptr ? "none" : "some", other == nullptr ? "none" : "some");
  const std::string a = bj::serialize(*one);
  const std::string b = bj::serialize(*other);
  const auto found = comparison::Compare(AsBytes(a), AsBytes(b), Verification::kTolerance);
  return {{"absolute_max", found.absolute_max}, {"class", comparison::ClassName(found.found)},
          {"different", found.different},       {"numbers", found.numbers},
          {"original", found.original},         {"relative_max", found.relative_max},
          {"repeated", found.repeated}};
}

const bj::object* MachineIn(const bj::object& record) {
  const auto* machine = record.if_contains("machine");
  return machine != nullptr ? machine->if_object() : nullptr;
}

// The facts that are not the same, or that one record alone has; null where one has none.
bj::value DifferentFacts(const bj::object& original, const bj::object& here) {
  const bj::object* const one = MachineIn(original);
  const bj::object* const other = MachineIn(here);
  if (one == nullptr || other == nullptr) return nullptr;
  std::vector<std::string> names;
  for (const auto& fact : *one)
    if (const auto* value = other->if_contains(fact.key()); value == nullptr || *value != fact.value())
      names.emplace_back(fact.key());
  for (const auto& fact : *other)
    if (!one->contains(fact.key())) names.emplace_back(fact.key());
  std::sort(names.begin(), names.end());
  return bj::array(names.begin(), names.end());
}

}  // namespace

Ended Verification::Run() {
  parts_.on_step("doing the run once more");
  Ended again = parts_.execute(parts_.recipe);
  ++executions_;
  if (again.ending == rpc::JobEnded::FAILED)
    again.reason = "done once more, the run ended otherwise: " + again.reason;
  if (again.ending != rpc::JobEnded::SUCCEEDED) return again;
  auto evidence = Judge(again);
  again.files.clear();
  if (evidence) {
    again.evidence = *std::move(evidence);
  } else {
    again.ending = EndingBy(evidence.error());
    again.reason = "the two results could not be compared: " + evidence.error().message();
  }
  return again;
}

Result<std::string> Verification::Judge(Ended& again) {
  parts_.on_step("comparing");
  GC_TRY(bj::object found, Compare(parts_.original, again));
  if (ClassOf(found) != "B") GC_TRY_VOID(Explain(again, found));
  found["executions"] = executions_;
  found["tolerance"] = bj::object{{"absolute", kTolerance.absolute}, {"relative", kTolerance.relative}};
  found["v"] = 2;
  return json::WriteCanonical(found);
}

Result<Ended> Verification::Execute(const training::Recipe& recipe) {
  Ended end = parts_.execute(recipe);
  ++executions_;
  switch (end.ending) {
    case rpc::JobEnded::CANCELLED: return Fail(Error(Code::kCancelled, "it was cancelled"));
    case rpc::JobEnded::NOT_RUN: return Fail(Error::Unavailable(end.reason));
    default: return end;
  }
}

// ---- comparing ----

Result<bj::object> Verification::Compare(const Original& original, const Ended& repeated) {
  GC_TRY(const bj::object files, CompareFiles(original.files, repeated.files));
  bj::object found{{"class", ClassOf(files)}, {"files", files}};
  if (const auto* unread = original.record.if_contains("predictions_unread"); unread != nullptr)
    found["predictions_unread"] = *unread;
  const bj::object predictions = ComparePredictions(original.record, repeated.record);
  if (predictions.empty()) return found;
  found["class"] = WorseOf(ClassOf(files), ClassOf(predictions));
  found["predictions"] = predictions;
  return found;
}

// The worst file, with the numbers of all.
Result<bj::object> Verification::CompareFiles(const std::vector<training::ResultFile>& original,
                                              const std::vector<training::ResultFile>& repeated) {
  const bool same_names =
      std::equal(original.begin(), original.end(), repeated.begin(), repeated.end(),
                 [](const auto& one, const auto& other) { return one.path == other.path; });
  if (!same_names) return Different("the names of the files", PathsOf(original), PathsOf(repeated));
  bj::object worst{{"class", "B"}, {"same_bytes", true}};
  bool all_bytes_same = true;
  for (size_t i = 0; i < original.size(); ++i) {
    GC_TRY(bj::object found,
           parts_.comparer.Compare(original[i].file.get(), repeated[i].file.get(), kTolerance));
    all_bytes_same &= found["same_bytes"] == true;
    found["path"] = original[i].path;
    if (i == 0 || WorseOf(ClassOf(worst), ClassOf(found)) != ClassOf(worst)) worst = std::move(found);
  }
  worst["same_bytes"] = all_bytes_same;
  return worst;
}

Result<bj::object> Verification::Repeats(Ended& first, const Ended& second) {
  for (const Ended* end : {static_cast<const Ended*>(&first), &second})
    if (end->ending != rpc::JobEnded::SUCCEEDED)
      return bj::object{{"class", "N"}, {"different", "it ended otherwise: " + Printable(end->reason, 300)}};
  const Original original{.files = std::move(first.files), .record = std::move(first.record)};
  GC_TRY(const bj::object found, Compare(original, second));
  return bj::object{{"class", ClassOf(found)}};
}

// ---- why ----

// The first question is whether this machine repeats itself: if it does, what differs is not here.
Status Verification::Explain(Ended& again, bj::object& found) {
  parts_.on_step("doing it once more, to see whether this machine repeats itself");
  GC_TRY(const Ended third, Execute(parts_.recipe));
  Ended second{.ending = again.ending, .record = again.record, .files = std::move(again.files)};
  GC_TRY(found["here"], Repeats(second, third));
  if (ClassOf(found["here"].as_object()) != "B") return ExplainByPins(found);
  ExplainByMachines(again.record, found);
  return Ok();
}

// What would hold both machines to the same is not known before it has been executed on both.
void Verification::ExplainByMachines(const bj::object& record, bj::object& found) const {
  bj::value differs = DifferentFacts(parts_.original.record, record);
  const bool is_same_machine = differs.is_array() && differs.as_array().empty();
  found["cause"] = is_same_machine ? "change" : "machine";
  found["machine_differs"] = std::move(differs);
  if (is_same_machine) return;
  bj::array candidates;
  for (const Pin& pin : OpenPins(parts_.recipe)) candidates.emplace_back(pin.name);
  found["candidate_pins"] = std::move(candidates);
}

Status Verification::ExplainByPins(bj::object& found) {
  bj::array tried;
  std::string missing;
  std::vector<Pin> pins = OpenPins(parts_.recipe);
  if (pins.size() > 1)
    pins.push_back({"all of these", [each = pins](training::Recipe& pinned) {
                      for (const Pin& pin : each) pin.set(pinned);
                    }});
  for (const Pin& pin : pins) {
    parts_.on_step("trying with " + pin.name);
    GC_TRY(bj::object one, Try(pin));
    const bool is_it = ClassOf(one) == "B";
    tried.push_back(std::move(one));
    if (!is_it) continue;
    missing = pin.name;
    break;
  }
  found["cause"] = missing.empty() ? "program" : "pin";
  found["missing_pin"] = missing;
  found["pins_tried"] = std::move(tried);
  return Ok();
}

// What the recipe leaves to the machine.
std::vector<Verification::Pin> Verification::OpenPins(const training::Recipe& recipe) {
  std::vector<Pin> pins;
  if (recipe.threads > 1)
    pins.push_back({"threads = 1", [](training::Recipe& pinned) { pinned.threads = 1; }});
  const auto add = [&](const std::string& name, std::string training::Pins::*pin) {
    const std::string usual = training::Pins{}.*pin;
    if (recipe.pins.*pin == "off")
      pins.push_back({"pins." + name + " = " + usual,
                      [pin, usual](training::Recipe& pinned) { pinned.pins.*pin = usual; }});
  };
  add("blas", &training::Pins::blas);
  add("numpy", &training::Pins::numpy);
  add("onednn", &training::Pins::onednn);
  add("torch", &training::Pins::torch);
  return pins;
}

// With a pin more the result is another one: two of those are compared with each other.
Result<bj::object> Verification::Try(const Pin& pin) {
  training::Recipe pinned = parts_.recipe;
  pin.set(pinned);
  GC_TRY(Ended first, Execute(pinned));
  GC_TRY(const Ended second, Execute(pinned));
  GC_TRY(bj::object tried, Repeats(first, second));
  tried["pin"] = pin.name;
  return tried;
}

}  // namespace glasscase::working
