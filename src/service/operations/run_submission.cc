// Runs on their way into the queue: one, or a sweep of many.
#include <map>
#include <set>

#include <glasscase/training/recipe.h>

#include "ledger_entries.h"
#include "names.h"
#include "run_desk.h"
#include "runs.h"
#include "translation_runs.h"

namespace glasscase::operations {
namespace {

using catalog::Run;

constexpr size_t kBatchMax = 1'000;  // runs of one request: so long nothing else is done

// Whose versions the results become, and the labels that are taken there.
struct Wanted {
  Target target;
  std::set<std::string> labels{};
};

// Runs of one request, and what they share, looked up once.
struct Batch {
  std::vector<Run> runs;
  std::vector<uint32_t> seeds;                              // of each run
  std::map<std::string, Wanted> wanted{};                   // by name
  std::map<std::string, training::Recipe> recipes{};        // resolved, by text
  std::map<std::string, training::Reference> references{};  // resolved, by name
};

// A version that the caller may take, as the recipe names it.
Status Resolve(Desk& desk, Act& act, std::string_view member, Batch& batch, training::Reference& reference) {
  const std::string text = reference.is_resolved ? reference.version.ToString() : reference.name;
  auto known = batch.references.find(text);
  if (known == batch.references.end()) {
    auto taken = FindTaken(desk, act, text);
    if (!taken) return Fail(taken.error().WithContext("recipe." + std::string(member)));
    const training::Reference found = {
        .name = {}, .version = taken->version.id, .sha256 = taken->version.sha256, .is_resolved = true};
    known = batch.references.emplace(text, found).first;
  }
  if (reference.is_resolved && reference.sha256 != known->second.sha256)
    return Fail(Error::InvalidArgument("recipe." + std::string(member) +
                                       ".sha256 is not that of the version " + text));
  reference = known->second;
  return Ok();
}

Status ResolveLock(const Workplace& place, const std::string& member, const std::string& runner,
                   std::optional<Digest>& lock) {
  const auto found = LockOf(place.runs.workers(), runner, lock);
  if (!found) return Fail(found.error().WithContext("recipe." + member));
  lock = *found;
  return Ok();
}

Status ResolveEnvironment(const Workplace& place, training::Environment& environment) {
  if (!environment.image.empty()) return Ok();
  return ResolveLock(place, "environment", environment.runner, environment.lock);
}

Result<training::Recipe> ResolvedRecipe(Workplace& place, Act& act, Batch& batch, const std::string& text) {
  if (const auto known = batch.recipes.find(text); known != batch.recipes.end()) return known->second;
  GC_TRY(auto recipe, training::Recipe::ParseAsked(text));
  GC_TRY_VOID(ResolveEnvironment(place, recipe.environment));
  if (!recipe.translation.runner.empty())
    GC_TRY_VOID(ResolveLock(place, "translate", recipe.translation.runner, recipe.translation.lock));
  GC_TRY_VOID(CheckNeeds(place.runs.workers(), NeedsOf(recipe)));
  const Status in_time = CheckNeeds(place.runs.workers(), {.limits = LimitsOf(recipe.translation.wall_s)});
  if (!in_time) return Fail(in_time.error().WithContext("recipe.translate"));
  GC_TRY_VOID(Resolve(place.desk, act, "code", batch, recipe.code));
  for (auto& [name, dataset] : recipe.data)
    GC_TRY_VOID(Resolve(place.desk, act, "data." + name, batch, dataset.version));
  return batch.recipes.emplace(text, std::move(recipe)).first->second;
}

Result<Wanted*> WantedIn(Desk& desk, const catalog::Subject& owner, Batch& batch, const std::string& name) {
  if (const auto known = batch.wanted.find(name); known != batch.wanted.end()) return &known->second;
  GC_TRY(Target target, FindTarget(desk, owner, name, ""));
  const std::string key = target.model.name;
  if (const auto known = batch.wanted.find(key); known != batch.wanted.end()) return &known->second;
  Wanted wanted{.target = std::move(target)};
  GC_TRY(const auto versions, desk.catalog.VersionsOf(wanted.target.model.id));
  for (const catalog::Version& version : versions) wanted.labels.insert(version.label);
  return &batch.wanted.emplace(key, std::move(wanted)).first->second;
}

std::string LabelOf(std::string version, uint32_t seed) {
  constexpr std::string_view kSeed = "{seed}";
  const std::string number = std::to_string(seed);
  for (size_t at = 0; (at = version.find(kSeed, at)) != version.npos; at += number.size())
    version.replace(at, kSeed.size(), number);
  return version;
}

// Nobody waits hours for a result that its label keeps out.
Status TakeLabel(Wanted& wanted, const std::string& label) {
  if (label.empty()) return Ok();
  GC_TRY_VOID(CheckVersionLabel(label));
  if (wanted.labels.insert(label).second) return Ok();
  return Fail(Error::AlreadyExists("version " + label + " of " + wanted.target.model.name +
                                   " is taken; choose another --version, for several seeds one with {seed}"));
}

Status AddRun(Desk& desk, const Act& act, Batch& batch, Wanted& wanted, const rpc::RunSubmission& asked,
              const training::Recipe& recipe) {
  Run run{.id = Uuid::Random(), .owner = act.caller->id, .asset = wanted.target.model.id};
  run.label = LabelOf(asked.version(), recipe.seed);
  GC_TRY_VOID(TakeLabel(wanted, run.label));
  GC_TRY(run.recipe, recipe.Canonical());
  GC_TRY(run.recipe_sha256, recipe.Identity());
  run.priority = asked.priority();
  run.created_micros = desk.now();
  batch.runs.push_back(std::move(run));
  batch.seeds.push_back(recipe.seed);
  return Ok();
}

Status Add(Workplace& place, Act& act, Batch& batch, const rpc::RunSubmission& asked) {
  GC_TRY_VOID(CheckPriority(act, asked.priority()));
  const size_t count = std::max<size_t>(1, static_cast<size_t>(asked.seeds_size()));
  if (batch.runs.size() + count > kBatchMax)
    return Fail(Error::InvalidArgument("at most " + std::to_string(kBatchMax) +
                                       " runs are queued by one request; send the others by another"));
  GC_TRY(Wanted * wanted, WantedIn(place.desk, *act.caller, batch, asked.model()));
  GC_TRY(training::Recipe recipe, ResolvedRecipe(place, act, batch, asked.recipe()));
  if (recipe.translation.is_wanted)
    GC_TRY_VOID(FindTarget(place.desk, *act.caller, TranslatedName(wanted->target.model.name), "")
                    .map_error([](const Error& error) { return error.WithContext("recipe.translate"); }));
  if (asked.seeds().empty()) return AddRun(place.desk, act, batch, *wanted, asked, recipe);
  std::set<uint32_t> seen;
  for (const uint32_t seed : asked.seeds()) {
    if (!seen.insert(seed).second)
      return Fail(Error::InvalidArgument("seeds has " + std::to_string(seed) + " twice"));
    recipe.seed = seed;
    GC_TRY_VOID(AddRun(place.desk, act, batch, *wanted, asked, recipe));
  }
  return Ok();
}

Status InsertBatch(catalog::Transaction& transaction, const Batch& batch, const std::string& owner) {
  for (const auto& [name, wanted] : batch.wanted) {
    const Target& target = wanted.target;
    if (!target.is_new) continue;
    GC_TRY_VOID(transaction.InsertModel(target.model));
    std::string full_name = owner;
    full_name.append("/").append(name);
    GC_TRY_VOID(RegisteredEntry(target.model, full_name, target.model.created_micros).Queue(transaction));
  }
  for (const Run& run : batch.runs) GC_TRY_VOID(transaction.InsertRun(run));
  return Ok();
}

// All of them or none.
Status QueueBatch(Workplace& place, Act& act, const Batch& batch) {
  Desk& desk = place.desk;
  GC_TRY_VOID(CheckOpenRuns(desk, act.caller->id, batch.runs.size()));
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(desk.Change(
      [&](catalog::Transaction& transaction) { return InsertBatch(transaction, batch, act.caller->name); }));
  place.runs.Pump();
  return Ok();
}

}  // namespace

Result<Outcome> SubmitRun(Workplace& place, Act& act) {
  const rpc::SubmitRunRequest& request = act.request.submit_run();
  act.object = request.model();
  rpc::RunSubmission one;
  one.set_model(request.model());
  one.set_version(request.version());
  one.set_recipe(request.recipe());
  one.set_priority(request.priority());
  Batch batch;
  GC_TRY_VOID(Add(place, act, batch, one));
  GC_TRY_VOID(QueueBatch(place, act, batch));
  const Run& run = batch.runs.front();
  GC_TRY(const auto now, place.desk.catalog.FindRun(run.id));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_run(), DescribeRun(place, now.value_or(run), true));
  return outcome;
}

Result<Outcome> SubmitRuns(Workplace& place, Act& act) {
  const rpc::SubmitRunsRequest& request = act.request.submit_runs();
  if (request.runs().empty()) return Fail(Error::InvalidArgument("runs: at least one is needed"));
  act.object = request.runs(0).model();
  Batch batch;
  for (int i = 0; i < request.runs_size(); ++i) {
    const Status added = Add(place, act, batch, request.runs(i));
    if (!added) return Fail(added.error().WithContext("runs[" + std::to_string(i) + "]"));
  }
  GC_TRY_VOID(QueueBatch(place, act, batch));
  std::map<Uuid, std::string> names;
  for (const auto& [name, wanted] : batch.wanted)
    names[wanted.target.model.id] = act.caller->name + "/" + name;
  Outcome outcome;
  for (size_t i = 0; i < batch.runs.size(); ++i) {
    const Run& run = batch.runs[i];
    rpc::QueuedRun& row = *outcome.answer.mutable_submitted_runs()->add_runs();
    row.set_id(run.id.ToString());
    row.set_model(names[run.asset]);
    row.set_version(run.label);
    row.set_seed(batch.seeds[i]);
    row.set_recipe_sha256(ToHex(run.recipe_sha256));
  }
  return outcome;
}

}  // namespace glasscase::operations
