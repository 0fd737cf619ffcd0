#include <glasscase/training/translation_recipe.h>

#include <algorithm>
#include <array>

#include <boost/json/object.hpp>

#include <glasscase/json/canonical.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>

#include "recipe_reader.h"

namespace glasscase::training {
namespace {

namespace bj = boost::json;
using json::ObjectReader;

bj::object Resolved(const Reference& reference) {
  return {{"sha256", ToHex(reference.sha256)}, {"version", reference.version.ToString()}};
}

Result<Reference> ReadVersion(const ObjectReader& object, std::string_view member) {
  GC_TRY(const ObjectReader resolved, object.Object(member));
  GC_TRY_VOID(resolved.RefuseOthers({"version", "sha256"}));
  return ReadResolved(resolved);
}

Result<std::map<std::string, Reference>> ReadData(const ObjectReader& root) {
  std::map<std::string, Reference> data;
  if (!root.Has("data")) return data;
  GC_TRY(const ObjectReader all, root.Object("data"));
  if (all.object().size() > Recipe::kDatasetsMax)
    return Fail(root.Wrong("data", "may have " + std::to_string(Recipe::kDatasetsMax) + " datasets"));
  for (const auto& member : all.object()) {
    const std::string name(member.key().data(), member.key().size());
    if (!IsDatasetName(name)) return Fail(all.Wrong(Printable(name), "is no name for a folder"));
    GC_TRY(data[name], ReadVersion(all, name));
  }
  return data;
}

Status ReadLimits(const ObjectReader& root, TranslationRecipe& recipe) {
  if (!root.Has("limits")) return Ok();
  GC_TRY(const ObjectReader limits, root.Object("limits"));
  GC_TRY_VOID(limits.RefuseOthers({"wall_s"}));
  GC_TRY(const uint64_t wall_s, limits.Whole("wall_s"));
  if (wall_s < 1 || wall_s > TranslationRecipe::kWallSecondsMax)
    return Fail(
        limits.Wrong("wall_s", "must be from 1 to " + std::to_string(TranslationRecipe::kWallSecondsMax)));
  recipe.wall_s = static_cast<uint32_t>(wall_s);
  return Ok();
}

Result<Translator> ReadTranslator(const ObjectReader& object) {
  GC_TRY(const ObjectReader from, object.Object("environment"));
  Translator translator;
  if (from.Has("translator")) {
    GC_TRY_VOID(from.RefuseOthers({"translator"}));
    GC_TRY(translator.version, from.String("translator"));
    return translator;
  }
  GC_TRY_VOID(from.RefuseOthers({"runner", "lock"}));
  GC_TRY(translator.runner, from.String("runner"));
  GC_TRY(translator.lock, from.Sha256("lock"));
  if (translator.runner.empty()) return Fail(from.Wrong("runner", "must name a runner"));
  return translator;
}

// What the translator is told beside its inputs.
Status ReadOptions(const ObjectReader& root, TranslationRecipe& recipe) {
  if (root.Has("opset")) {
    GC_TRY(const uint64_t opset, root.Whole("opset"));
    if (opset < 1 || opset > TranslationRecipe::kOpsetMax)
      return Fail(root.Wrong("opset", "must be from 1 to 1000"));
    recipe.opset = static_cast<uint32_t>(opset);
  }
  if (root.Has("exporter")) {
    GC_TRY(recipe.exporter, root.String("exporter"));
    GC_TRY_VOID(TranslationRecipe::CheckExporter(recipe.exporter));
  }
  if (root.Has("allow_pickle")) {
    GC_TRY(recipe.allow_pickle, root.Bool("allow_pickle"));
  }
  return Ok();
}

}  // namespace

Result<TranslationRecipe> TranslationRecipe::Parse(std::string_view text) {
  GC_TRY(const auto value, json::Parse(text, {.bytes_max = Recipe::kBytesMax, .depth_max = 4}));
  GC_TRY(const ObjectReader root, ObjectReader::Open(value, "recipe"));
  GC_TRY_VOID(root.RefuseOthers({"v", "environment", "source", "code", "data", "limits", "opset", "exporter",
                                 "allow_pickle", "translate"}));
  GC_TRY(const uint64_t v, root.Whole("v"));
  if (v != 1) return Fail(root.Wrong("v", "must be 1"));
  GC_TRY(const std::string to, root.String("translate"));
  if (to != "onnx") return Fail(root.Wrong("translate", "must be \"onnx\""));
  TranslationRecipe recipe;
  GC_TRY(recipe.source, ReadVersion(root, "source"));
  if (root.Has("code")) {
    GC_TRY(recipe.code, ReadVersion(root, "code"));
  }
  GC_TRY(recipe.data, ReadData(root));
  GC_TRY_VOID(ReadLimits(root, recipe));
  GC_TRY(recipe.translator, ReadTranslator(root));
  GC_TRY_VOID(ReadOptions(root, recipe));
  return recipe;
}

Status TranslationRecipe::CheckExporter(std::string_view name) {
  if (name.empty() || name == "torchscript" || name == "dynamo") return Ok();
  return Fail(Error::InvalidArgument("exporter must be torchscript or dynamo: \"" + Printable(name) + "\""));
}

bool TranslationRecipe::MayTellRange(std::string_view path, uint64_t bytes) {
  constexpr std::array<std::string_view, 3> kEndings = {".csv", ".npy", ".npz"};
  return bytes > 0 && bytes <= kDataFileBytesMax &&
         std::ranges::any_of(kEndings, [&](std::string_view ending) { return path.ends_with(ending); });
}

void TranslationRecipe::AddData(std::string_view name, const Reference& dataset) {
  if (!IsDatasetName(name) || data.size() >= Recipe::kDatasetsMax) return;
  const auto is_it = [&](const auto& one) { return one.second.version == dataset.version; };
  if (std::ranges::any_of(data, is_it)) return;  // for training and for tests
  std::string free(name);
  for (int n = 2; data.contains(free); ++n) {
    const std::string number = "." + std::to_string(n);
    free = std::string(name.substr(0, kDatasetNameBytesMax - number.size())) + number;
  }
  data[free] = dataset;
}

Result<std::string> TranslationRecipe::Canonical() const {
  bj::object environment{{"translator", translator.version}};
  if (!translator.IsNative()) environment = {{"lock", ToHex(translator.lock)}, {"runner", translator.runner}};
  bj::object recipe{
      {"environment", std::move(environment)}, {"source", Resolved(source)}, {"translate", "onnx"}, {"v", 1}};
  if (code) recipe["code"] = Resolved(*code);
  if (opset != 0) recipe["opset"] = opset;
  if (!exporter.empty()) recipe["exporter"] = exporter;
  if (allow_pickle) recipe["allow_pickle"] = true;
  if (wall_s != 0) recipe["limits"] = {{"wall_s", wall_s}};
  bj::object datasets;
  for (const auto& [name, version] : data) datasets[name] = Resolved(version);
  if (!datasets.empty()) recipe["data"] = std::move(datasets);
  return json::WriteCanonical(recipe);
}

}  // namespace glasscase::training
