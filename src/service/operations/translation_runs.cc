#include "translation_runs.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <glasscase/crypto/sha256.h>
#include <glasscase/training/translation_recipe.h>

#include "names.h"
#include "run_desk.h"
#include "runs.h"

namespace glasscase::operations {
namespace {

using catalog::Run;
using training::TranslationRecipe;

training::Reference ReferenceTo(const catalog::Version& version) {
  return {.name = {}, .version = version.id, .sha256 = version.sha256, .is_resolved = true};
}

Result<uint32_t> OpsetFrom(const rpc::TranslateRequest& request) {
  const std::string& text = request.opset();
  if (text.empty()) return 0U;
  uint32_t opset = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), opset);
  if (error != std::errc() || end != text.data() + text.size() || opset < 1 ||
      opset > TranslationRecipe::kOpsetMax)
    return Fail(Error::InvalidArgument("opset must be a whole number from 1 to " +
                                       std::to_string(TranslationRecipe::kOpsetMax)));
  return opset;
}

// How long it may take; 0: nobody says.
Result<uint32_t> WallSecondsFrom(const RunWorkers& workers, const rpc::TranslateRequest& request) {
  constexpr int64_t kMicros = 1'000'000;
  GC_TRY(const int64_t micros, Named("time", ParseDuration(request.time())));
  if (micros == 0) return 0;
  const int64_t seconds = micros / kMicros;
  if (seconds < 1 || seconds > TranslationRecipe::kWallSecondsMax)
    return Fail(Error::InvalidArgument("time must be from 1s to 30d"));
  const auto wall_s = static_cast<uint32_t>(seconds);
  GC_TRY_VOID(Named("time", CheckNeeds(workers, {.limits = LimitsOf(wall_s)})));
  return wall_s;
}

Status CheckNative(const rpc::TranslateRequest& request) {
  if (!request.runner().empty()) return Ok();
  for (const auto& [name, given] : {std::pair("code", !request.code().empty()),
                                    {"opset", !request.opset().empty()},
                                    {"exporter", !request.exporter().empty()},
                                    {"allow_pickle", request.allow_pickle()}})
    if (given)
      return Fail(Error::InvalidArgument(std::string(name) +
                                         " goes with a runner: the native translator takes none"));
  return Ok();
}

// Whoever opens a pickle runs what it says: that is for its owner to allow, and for nobody who was lent it.
Status CheckPickle(const Act& act, const Taken& source) {
  if (!act.request.translate().allow_pickle() || source.named.model.owner == act.caller->id) return Ok();
  return Fail(Error::PermissionDenied("only the owner of " + source.named.FullName() +
                                      " may let a pickle of it be opened: ask them to translate it"));
}

Status CheckOnnx(const rpc::TranslateRequest& request, const Taken& source) {
  if (!source.version.hostable || !request.opset().empty()) return Ok();
  return Fail(Error::FailedPrecondition(
      source.named.FullName() + "@" + source.version.label +
      " is ONNX already, and can be called as it is; to bring it to another opset, name it and a runner"));
}

std::string NameOfResult(const rpc::TranslateRequest& request, const Taken& source) {
  const std::string& model = source.named.model.name;
  return source.version.hostable ? model + "-opset" + request.opset() : TranslatedName(model);
}

// ---- the datasets from whose range its evidence draws ----

Result<bool> MayTellRange(Desk& desk, const Uuid& dataset) {
  GC_TRY(const auto files, desk.catalog.FilesOf(dataset));
  return std::ranges::any_of(files, [](const catalog::VersionFile& file) {
    return TranslationRecipe::MayTellRange(file.path, file.bytes);
  });
}

// Under its asset's name.
Status AddData(Desk& desk, const Uuid& dataset, TranslationRecipe& recipe) {
  GC_TRY(const auto version, desk.catalog.FindVersion(dataset));
  if (!version || version->state == catalog::VersionState::kErased) return Ok();
  GC_TRY(const auto asset, desk.catalog.FindModel(version->model));
  GC_TRY(const bool tells, MayTellRange(desk, dataset));
  if (asset && tells) recipe.AddData(asset->name, ReferenceTo(*version));
  return Ok();
}

// What is itself a translation, or a release, takes what its source takes.
constexpr int kGenerationsMax = 4;

// Of a model that was lent, only data that was lent as well: the worst input would tell of it.
Status AddDataOf(Desk& desk, const Act& act, const Uuid& source, TranslationRecipe& recipe) {
  Uuid of = source;
  for (int generation = 0; generation < kGenerationsMax && !of.IsNil(); ++generation) {
    GC_TRY(const auto parents, desk.catalog.ParentsOf(of));
    of = Uuid{};
    for (const catalog::Lineage& edge : parents) {
      using catalog::Relation;
      if (edge.relation == Relation::kTranslatedFrom || edge.relation == Relation::kReleasedAs)
        of = edge.parent;
      if (edge.relation != Relation::kTrainedOn && edge.relation != Relation::kTestedOn) continue;
      GC_TRY(const bool may, MayTakeVersion(desk, act, edge.parent));
      if (may) GC_TRY_VOID(AddData(desk, edge.parent, recipe));
    }
  }
  return Ok();
}

Result<TranslationRecipe> RecipeOf(Workplace& place, Act& act, const Taken& source) {
  const rpc::TranslateRequest& request = act.request.translate();
  TranslationRecipe recipe{.source = ReferenceTo(source.version),
                           .translator = {.version = place.runs.version()}};
  GC_TRY(recipe.opset, OpsetFrom(request));
  GC_TRY(recipe.wall_s, WallSecondsFrom(place.runs.workers(), request));
  GC_TRY_VOID(CheckNative(request));
  GC_TRY_VOID(TranslationRecipe::CheckExporter(request.exporter()));
  GC_TRY_VOID(CheckPickle(act, source));
  GC_TRY_VOID(AddDataOf(place.desk, act, source.version.id, recipe));
  if (request.runner().empty()) {
    GC_TRY_VOID(CheckWorkers(place.runs.workers()));
    return recipe;
  }
  GC_TRY(const Digest lock, LockOf(place.runs.workers(), request.runner()));
  recipe.translator = {.version = {}, .runner = request.runner(), .lock = lock};
  recipe.exporter = request.exporter();
  recipe.allow_pickle = request.allow_pickle();
  if (request.code().empty()) return recipe;
  GC_TRY(const Taken code, FindTaken(place.desk, act, request.code()));
  recipe.code = ReferenceTo(code.version);
  return recipe;
}

Result<Run> MakeRun(Desk& desk, const TranslationRecipe& recipe, const Uuid& owner, const Target& target) {
  Run run{.id = Uuid::Random(), .owner = owner, .asset = target.model.id};
  GC_TRY(run.recipe, recipe.Canonical());
  run.recipe_sha256 = Sha256(AsBytes(run.recipe));
  run.translates = recipe.source.version;
  run.created_micros = desk.now();
  return run;
}

// What the native translator may read, by its name: it looks at the bytes itself.
bool MayBeNative(const std::vector<RunFile>& files) {
  constexpr std::array<std::string_view, 3> kEndings = {".json", ".txt", ".ubj"};
  return files.size() == 1 && std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) {
           return files[0].path.ends_with(ending);
         });
}

// An image is asked for nothing but its training: which converter it may have is not known.
Status TranslateByRunner(const training::Recipe& trained, TranslationRecipe& recipe) {
  const bool has_own = trained.translation.runner.empty();
  recipe.translator = {
      .version = {},
      .runner = has_own ? trained.environment.runner : trained.translation.runner,
      .lock = (has_own ? trained.environment.lock : trained.translation.lock).value_or(Digest{})};
  recipe.code = trained.code;
  if (!recipe.translator.runner.empty()) return Ok();
  return Fail(
      Error::FailedPrecondition("what an image leaves is translated natively (.json, .ubj, .txt), or by a "
                                "runner that the recipe names: "
                                R"("translate": {"to": "onnx", "runner": "pytorch"})"));
}

}  // namespace

std::string TranslatedName(const std::string& model) { return model + "-onnx"; }

Status QueueTranslation(Desk& desk, catalog::Transaction& transaction, const Run& trained,
                        const catalog::Version& result, const std::vector<RunFile>& files,
                        const std::string& translator) {
  GC_TRY(const auto model, desk.catalog.FindModel(trained.asset));
  GC_TRY(const auto owner, desk.catalog.FindSubject(trained.owner));
  if (!model || !owner) return Fail(Error::NotFound("the asset of the run is not there any more"));
  GC_TRY(const Target target, FindTarget(desk, *owner, TranslatedName(model->name), ""));
  TranslationRecipe recipe{.source = ReferenceTo(result), .translator = {.version = translator}};
  GC_TRY(const auto by, training::Recipe::Parse(trained.recipe));
  if (!MayBeNative(files)) GC_TRY_VOID(TranslateByRunner(by, recipe));
  if (by.translation.wall_s != 0) recipe.wall_s = by.translation.wall_s;
  for (const auto& [name, dataset] : by.data) GC_TRY_VOID(AddData(desk, dataset.version.version, recipe));
  GC_TRY(Run run, MakeRun(desk, recipe, trained.owner, target));
  run.priority = trained.priority;
  return InsertRun(transaction, target, run, owner->name);
}

Result<Outcome> TranslateVersion(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::TranslateRequest& request = act.request.translate();
  act.object = request.source();
  GC_TRY_VOID(CheckPriority(act, request.priority()));
  GC_TRY(const Taken source, FindTaken(desk, act, request.source()));
  GC_TRY_VOID(CheckOnnx(request, source));
  const std::string name = request.model().empty() ? NameOfResult(request, source) : request.model();
  GC_TRY(const Target target, FindTarget(desk, *act.caller, name, request.version()));
  GC_TRY(const TranslationRecipe recipe, RecipeOf(place, act, source));
  GC_TRY_VOID(CheckOpenRuns(desk, act.caller->id));
  GC_TRY(Run run, MakeRun(desk, recipe, act.caller->id, target));
  run.label = request.version();
  run.priority = request.priority();
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& transaction) {
    return InsertRun(transaction, target, run, act.caller->name);
  }));
  place.runs.Pump();
  GC_TRY(const auto now, desk.catalog.FindRun(run.id));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_run(), DescribeRun(place, now.value_or(run), true));
  return outcome;
}

}  // namespace glasscase::operations
