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

// Both are numbers that our own program wrote down.
bj::object ComparePredictions(const bj::object& original, const bj::object& repeated) {
  const auto* one = original.if_contains("predictions");
  const auto* other = repeated.if_contains("predictions");
  if (one == nullptr && other == nullptr) return {};
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

}  // namespace

Ended Verification::Run() {
  parts_.on_step("doing the run once more");
  Ended again = parts_.execute(parts_.recipe);
  ++executions_;
  if (again.ending == rpc::JobEnded::FAILED)
    again.reason = "done once more, the run ended otherwise: " + again.reason;
  if (again.ending != rpc::JobEnded::SUCCEEDED) return again;
  const auto fail = [&](const Error& error) {
    again.files.clear();
    again.ending = rpc::JobEnded::FAILED;
    again.reason = "the two results could not be compared: " + error.message();
    return std::move(again);
  };
  parts_.on_step("comparing");
  auto found = Compare(parts_.original, again);
  if (!found) return fail(found.error());
  if (ClassOf(*found) != "B") {
    const auto pins = LookForPins();
    if (!pins) return fail(pins.error());
    for (const auto& member : *pins) (*found)[member.key()] = member.value();
  }
  (*found)["executions"] = executions_;
  (*found)["tolerance"] = bj::object{{"absolute", kTolerance.absolute}, {"relative", kTolerance.relative}};
  (*found)["v"] = 1;
  auto evidence = json::WriteCanonical(*found);
  if (!evidence) return fail(evidence.error());
  again.evidence = *std::move(evidence);
  again.files.clear();
  return again;
}

// ---- comparing ----

Result<bj::object> Verification::Compare(const Original& original, const Ended& repeated) {
  GC_TRY(const bj::object files, CompareFiles(original.files, repeated.files));
  bj::object found{{"class", ClassOf(files)}, {"files", files}};
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

// ---- pins ----

std::vector<Verification::Pin> Verification::MissingPins(const training::Recipe& recipe) {
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
  if (pins.size() > 1)
    pins.push_back({"all of these", [each = pins](training::Recipe& pinned) {
                      for (const Pin& pin : each) pin.set(pinned);
                    }});
  return pins;
}

Result<bj::object> Verification::LookForPins() {
  bj::array tried;
  std::string missing;
  for (const Pin& pin : MissingPins(parts_.recipe)) {
    parts_.on_step("trying with " + pin.name);
    GC_TRY(bj::object one, Try(pin));
    const bool is_it = ClassOf(one) == "B";
    tried.push_back(std::move(one));
    if (!is_it) continue;
    missing = pin.name;
    break;
  }
  return bj::object{{"missing_pin", missing}, {"pins_tried", std::move(tried)}};
}

// With a pin more the result is another one: two of those are compared with each other.
Result<bj::object> Verification::Try(const Pin& pin) {
  training::Recipe pinned = parts_.recipe;
  pin.set(pinned);
  Ended first = parts_.execute(pinned);
  const Ended second = parts_.execute(pinned);
  executions_ += 2;
  bj::object tried{{"pin", pin.name}};
  for (const Ended* end : std::initializer_list<const Ended*>{&first, &second}) {
    if (end->ending == rpc::JobEnded::CANCELLED) return Fail(Error(Code::kCancelled, "it was cancelled"));
    if (end->ending == rpc::JobEnded::SUCCEEDED) continue;
    tried["class"] = "N";
    tried["different"] = "it ended otherwise: " + Printable(end->reason, 300);
    return tried;
  }
  const Original original{.files = std::move(first.files), .record = std::move(first.record)};
  GC_TRY(const bj::object found, Compare(original, second));
  tried["class"] = ClassOf(found);
  return tried;
}

}  // namespace glasscase::working
