#include <glasscase/training/recipe.h>

#include <algorithm>

#include <boost/json/object.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>

#include "pin_variables.h"
#include "recipe_reader.h"

namespace glasscase::training {
namespace {

namespace bj = boost::json;

bj::object Resolved(const Reference& reference) {
  return {{"sha256", ToHex(reference.sha256)}, {"version", reference.version.ToString()}};
}

bj::object EnvironmentOf(const Environment& environment) {
  if (!environment.image.empty()) return {{"image", environment.image}, {"platform", environment.platform}};
  return {{"lock", ToHex(*environment.lock)}, {"runner", environment.runner}};
}

// In the short form wherever it says it all: so it was always written.
bj::value TranslationOf(const TranslationWish& wish) {
  if (!wish.is_wanted) return "no";
  if (wish.runner.empty() && wish.wall_s == 0) return "onnx";
  bj::object translation{{"to", "onnx"}};
  if (!wish.runner.empty()) translation["lock"] = ToHex(*wish.lock), translation["runner"] = wish.runner;
  if (wish.wall_s != 0) translation["wall_s"] = wish.wall_s;
  return translation;
}

bj::object LimitsOf(const RunLimits& limits) {
  return {{"cpus", limits.cpus},
          {"disk_bytes", limits.disk_bytes},
          {"memory_bytes", limits.memory_bytes},
          {"processes", limits.processes},
          {"wall_s", limits.wall_s}};
}

std::string Octal(mode_t mode) {
  std::string digits = "0";
  for (int shift = 6; shift >= 0; shift -= 3) digits += static_cast<char>('0' + ((mode >> shift) & 7));
  return digits;
}

}  // namespace

std::string_view RoleName(Role role) { return role == Role::kTrain ? "train" : "test"; }

bool IsDatasetName(std::string_view name) {
  return !name.empty() && name.size() <= kDatasetNameBytesMax && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

Result<Recipe> Recipe::Parse(std::string_view text) { return ReadRecipe(text, Values::kRecorded); }

Result<Recipe> Recipe::ParseAsked(std::string_view text) { return ReadRecipe(text, Values::kAsked); }

Result<std::string> Recipe::Canonical() const {
  const auto missing = [](const std::string& what) {
    return Fail(Error::FailedPrecondition("the recipe is not resolved: " + what));
  };
  if (environment.image.empty() && !environment.lock)
    return missing("which lock file of the runner " + environment.runner);
  if (!translation.runner.empty() && !translation.lock)
    return missing("which lock file of the runner " + translation.runner);
  if (!code.is_resolved) return missing("which version " + Printable(code.name) + " is");
  bj::object datasets;
  for (const auto& [name, dataset] : data) {
    if (!dataset.version.is_resolved)
      return missing("which version " + Printable(dataset.version.name) + " is");
    bj::object entry = Resolved(dataset.version);
    entry["role"] = RoleName(dataset.role);
    datasets[name] = std::move(entry);
  }
  bj::object recipe{
      {"clock", clock},
      {"code", Resolved(code)},
      {"command", bj::array(command.begin(), command.end())},
      {"data", std::move(datasets)},
      {"environment", EnvironmentOf(environment)},
      {"limits", LimitsOf(limits)},
      {"locale", locale},
      {"pins",
       bj::object{
           {"blas", pins.blas}, {"numpy", pins.numpy}, {"onednn", pins.onednn}, {"torch", pins.torch}}},
      {"seed", seed},
      {"threads", threads},
      {"timezone", timezone},
      {"translate", TranslationOf(translation)},
      {"umask", Octal(umask)},
      {"v", 1}};
  return json::WriteCanonical(recipe);
}

Result<Digest> Recipe::Identity() const {
  GC_TRY(const std::string text, Canonical());
  return Sha256(AsBytes(text));
}

std::map<std::string, std::string> Recipe::Variables(const std::string& programs) const {
  const std::string count = std::to_string(threads);
  std::map<std::string, std::string> variables = {{"PATH", programs},
                                                  {"HOME", "/tmp"},
                                                  {"LC_ALL", locale},
                                                  {"TZ", timezone},
                                                  {"SOURCE_DATE_EPOCH", std::to_string(clock)},
                                                  {"TRAIN_SEED", std::to_string(seed)},
                                                  {"PYTHONHASHSEED", std::to_string(seed)},
                                                  {"PYTHONDONTWRITEBYTECODE", "1"},
                                                  {"OMP_NUM_THREADS", count},
                                                  {"OPENBLAS_NUM_THREADS", count},
                                                  {"MKL_NUM_THREADS", count},
                                                  {"NUMEXPR_NUM_THREADS", count},
                                                  {"TF_DETERMINISTIC_OPS", "1"},
                                                  {"CUBLAS_WORKSPACE_CONFIG", ":4096:8"}};
  variables.merge(PinVariables(pins, environment.image.empty()));
  return variables;
}

}  // namespace glasscase::training
