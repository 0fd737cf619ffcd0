// What the installation signs of a version, in words that tools of others understand. Made when it is asked
// for, out of rows that never change: so versions of before there was a key have theirs too.
#include <glasscase/crypto/sha256.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>
#include <glasscase/provenance/bundle.h>
#include <glasscase/provenance/execution.h>
#include <glasscase/provenance/model_signature.h>
#include <glasscase/provenance/publish.h>
#include <glasscase/training/recipe.h>
#include <glasscase/training/translation_recipe.h>

#include "routes.h"

namespace glasscase::operations {
namespace {

Outcome Signed(Desk& desk, std::string bundle, const NamedModel& named, const catalog::Version& version) {
  Outcome outcome;
  rpc::SignatureAnswer* answer = outcome.answer.mutable_signature();
  answer->set_signature(std::move(bundle));
  answer->set_public_key(desk.signing_key.public_key().Pem());
  answer->set_name(named.FullName());
  answer->set_version(version.label);
  return outcome;
}

// One file is signed as a file, several as the folder that they were published as.
Result<std::string> SignFiles(Desk& desk, const NamedModel& named, const catalog::Version& version) {
  GC_TRY(const auto files, desk.catalog.FilesOf(version.id));
  std::vector<provenance::Resource> resources;
  const bool is_one_file = files.size() == 1;
  for (const catalog::VersionFile& file : files)
    resources.push_back(
        {.name = is_one_file ? std::string(provenance::kTheFileItself) : file.path, .sha256 = file.sha256});
  return provenance::SignModel(named.model.name, std::move(resources), {}, desk.signing_key);
}

provenance::Publication PublicationOf(Desk& desk, const NamedModel& named, const catalog::Version& version) {
  provenance::Publication publication{.publisher = desk.SubjectName(version.published_by),
                                      .asset = named.model.id,
                                      .asset_name = named.FullName(),
                                      .version = version.id,
                                      .version_label = version.label,
                                      .manifest = version.manifest_digest,
                                      .media_type = version.media_type,
                                      .licence = {},
                                      .ledger = {}};
  if (!named.model.licence.empty()) publication.licence = named.model.licence;
  const auto index = desk.ledger.FindVersionEntry(named.model.id, version.id);
  if (index)
    publication.ledger = provenance::LedgerPlace{.origin = desk.ledger.verifier().name(), .index = *index};
  return publication;
}

// ---- of the run that made a version ----

struct Ingredient {
  std::string role;
  training::Reference version;
};

Result<std::vector<Ingredient>> IngredientsOf(const catalog::Run& run) {
  if (!run.translates.IsNil()) {
    GC_TRY(const auto recipe, training::TranslationRecipe::Parse(run.recipe));
    std::vector<Ingredient> ingredients = {{"source", recipe.source}};
    if (recipe.code) ingredients.push_back({"code", *recipe.code});
    for (const auto& [name, dataset] : recipe.data) ingredients.push_back({"data", dataset});
    return ingredients;
  }
  GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
  std::vector<Ingredient> ingredients = {{"code", recipe.code}};
  for (const auto& [name, dataset] : recipe.data)
    ingredients.push_back({std::string(training::RoleName(dataset.role)), dataset.version});
  return ingredients;
}

// The words of a version's name today.
Result<std::string> NameOf(Desk& desk, const Uuid& id) {
  GC_TRY(const auto version, desk.catalog.FindVersion(id));
  if (!version) return std::string();
  GC_TRY(const auto model, desk.catalog.FindModel(version->model));
  if (!model) return std::string();
  return desk.SubjectName(model->owner) + "/" + model->name + "@" + version->label;
}

// The object below a member of JSON text that is ours or a worker's; an empty one where there is none.
boost::json::object PartOf(const std::string& text, std::string_view member) {
  const auto value = json::Parse(text);
  const auto object = value ? json::ObjectReader::Open(*value, "text") : Fail(value.error());
  const auto part = object ? object->Object(member) : Fail(object.error());
  return part ? part->object() : boost::json::object();
}

Result<provenance::Execution> ExecutionOf(Desk& desk, const NamedModel& named,
                                          const catalog::Version& version, const catalog::Run& run) {
  provenance::Execution execution{.run = run.id,
                                  .asset_name = named.FullName(),
                                  .asset = named.model.id,
                                  .version_label = version.label,
                                  .version = version.id,
                                  .manifest = version.manifest_digest,
                                  .recipe = run.recipe_sha256,
                                  .environment = PartOf(run.recipe, "environment"),
                                  .materials = {},
                                  .worker = run.worker,
                                  .machine = PartOf(run.record, "machine"),
                                  .started_at = TimeText(run.started_micros),
                                  .ended_at = TimeText(run.ended_micros),
                                  .evidence = {},
                                  .ledger = {}};
  GC_TRY(const auto ingredients, IngredientsOf(run));
  for (const Ingredient& one : ingredients) {
    GC_TRY(const std::string name, NameOf(desk, one.version.version));
    execution.materials.push_back(
        {.role = one.role, .name = name, .version = one.version.version, .sha256 = one.version.sha256});
  }
  const bool translates = !run.translates.IsNil();
  if (translates) execution.evidence = Sha256(AsBytes(run.evidence));
  const auto index = desk.ledger.FindEntry(translates ? "translation" : "run", named.model.id, version.id);
  if (index)
    execution.ledger = provenance::LedgerPlace{.origin = desk.ledger.verifier().name(), .index = *index};
  return execution;
}

// It names materials that others who see the version may not see: for its owner, who hands it on.
Result<Outcome> StateRun(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindOwnModel(desk, act, act.request.statement().model()));
  GC_TRY(const catalog::Version version, FindVisibleVersion(desk, act, named));
  GC_TRY(const auto runs, desk.catalog.ListRuns({.result = version.id, .limit = 1}));
  if (runs.empty())
    return Fail(Error::NotFound(named.FullName() + "@" + version.label + " was not made by a run of ours"));
  GC_TRY_VOID(desk.Permit(act));
  desk.ledger.PublishNow();
  GC_TRY(const provenance::Execution execution, ExecutionOf(desk, named, version, runs[0]));
  GC_TRY(std::string bundle,
         provenance::SignStatement(provenance::MakeExecutionStatement(execution), desk.signing_key));
  return Signed(desk, std::move(bundle), named, version);
}

}  // namespace

// Of the bytes, which it names one by one: for those who may have them.
Result<Outcome> SignVersion(Workplace& place, Act& act) {
  GC_TRY(const Taken taken, FindTaken(place.desk, act, act.request.signature().model()));
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(std::string bundle, SignFiles(place.desk, taken.named, taken.version));
  return Signed(place.desk, std::move(bundle), taken.named, taken.version);
}

// That it was published: for everybody who sees the version.
Result<Outcome> StateVersion(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::StatementRequest& request = act.request.statement();
  if (request.about() == "run") return StateRun(place, act);
  if (!request.about().empty() && request.about() != "publish")
    return Fail(Error::InvalidArgument("about must be publish or run"));
  GC_TRY(const NamedModel named, FindModel(desk, act, request.model()));
  GC_TRY(const catalog::Version version, FindVisibleVersion(desk, act, named));
  GC_TRY_VOID(desk.Permit(act));
  desk.ledger.PublishNow();
  const provenance::Statement statement =
      provenance::MakePublishStatement(PublicationOf(desk, named, version));
  GC_TRY(std::string bundle, provenance::SignStatement(statement, desk.signing_key));
  return Signed(desk, std::move(bundle), named, version);
}

}  // namespace glasscase::operations
