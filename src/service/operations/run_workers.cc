#include "run_workers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include <glasscase/training/translation_recipe.h>

namespace glasscase::operations {
namespace {

std::string RegistryOf(const std::string& image) { return image.substr(0, image.find('/')); }

bool HasRegistry(const rpc::WorkerHello& worker, const std::string& registry) {
  return std::ranges::find(worker.registries(), registry) != worker.registries().end();
}

bool HasRunner(const RunWorker& worker, const RunNeeds& needs) {
  return needs.runner.empty() || std::ranges::any_of(worker.hello.runners(), [&](const rpc::Runner& one) {
           return one.name() == needs.runner && std::ranges::equal(AsBytes(one.lock()), needs.lock);
         });
}

// ---- of all workers, when none may do it: what none has ----

// Each once and sorted: workers have much in common.
std::string Join(std::vector<std::string> words) {
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : ", ") + Printable(word, 64);
  return joined.empty() ? "none" : joined;
}

Status CheckName(const RunWorkers& workers, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [id, worker] : workers) {
    if (name.empty() || worker.hello.name() == name) return Ok();
    known.push_back(worker.hello.name());
  }
  return Fail(
      Error::FailedPrecondition("there is no worker " + Printable(name) + "; there are: " + Join(known)));
}

Status CheckRegistry(const RunWorkers& workers, const std::string& registry) {
  std::vector<std::string> known;
  for (const auto& [id, worker] : workers) {
    if (registry.empty() || HasRegistry(worker.hello, registry)) return Ok();
    known.insert(known.end(), worker.hello.registries().begin(), worker.hello.registries().end());
  }
  return Fail(Error::FailedPrecondition(
      known.empty() ? "no worker that is there runs images; serve with --registries"
                    : "no worker takes images from " + registry + "; there are: " + Join(known)));
}

struct Limit {
  std::string_view name;  // a member of the recipe's limits
  uint64_t asked;
  uint64_t given;
};
std::array<Limit, 5> Beside(const training::RunLimits& asked, const rpc::WorkerHello& most) {
  return {{{"cpus", asked.cpus, most.cpus()},
           {"memory_bytes", asked.memory_bytes, most.memory_bytes()},
           {"disk_bytes", asked.disk_bytes, most.disk_bytes()},
           {"wall_s", asked.wall_s, most.wall_s()},
           {"processes", asked.processes, most.processes()}}};
}

bool Gives(const rpc::WorkerHello& worker, const std::optional<training::RunLimits>& limits) {
  return !limits || std::ranges::all_of(Beside(*limits, worker),
                                        [](const Limit& limit) { return limit.asked <= limit.given; });
}

Status CheckLimits(const RunWorkers& workers, const std::optional<training::RunLimits>& limits) {
  if (!limits) return Ok();
  std::array<Limit, 5> most = Beside(*limits, {});
  for (const auto& [id, worker] : workers) {
    const auto here = Beside(*limits, worker.hello);
    for (size_t i = 0; i < most.size(); ++i) most[i].given = std::max(most[i].given, here[i].given);
  }
  for (const Limit& limit : most)
    if (limit.asked > limit.given)
      return Fail(Error::FailedPrecondition("its limits ask for " + std::string(limit.name) + " " +
                                            std::to_string(limit.asked) + "; no worker gives more than " +
                                            std::to_string(limit.given)));
  return Ok();
}

}  // namespace

std::optional<training::RunLimits> LimitsOf(uint32_t wall_s) {
  if (wall_s == 0) return std::nullopt;
  return training::RunLimits{.cpus = 0, .memory_bytes = 0, .disk_bytes = 0, .wall_s = wall_s, .processes = 0};
}

RunNeeds NeedsOf(const training::Recipe& recipe) {
  const training::Environment& environment = recipe.environment;
  return {.registry = environment.image.empty() ? "" : RegistryOf(environment.image),
          .runner = environment.runner,
          .lock = environment.lock.value_or(Digest{}),
          .limits = recipe.limits};
}

RunNeeds NeedsOf(const catalog::Run& run) {
  RunNeeds needs;
  if (!run.translates.IsNil()) {
    const auto recipe = training::TranslationRecipe::Parse(run.recipe);
    if (recipe)
      needs = {.runner = recipe->translator.runner,
               .lock = recipe->translator.lock,
               .limits = LimitsOf(recipe->wall_s)};
  } else if (const auto recipe = training::Recipe::Parse(run.recipe)) {
    needs = NeedsOf(*recipe);
  }
  needs.worker = run.wanted_worker;
  return needs;
}

bool MayDo(const RunWorker& worker, const RunNeeds& needs) {
  return (needs.worker.empty() || needs.worker == worker.hello.name()) &&
         (needs.registry.empty() || HasRegistry(worker.hello, needs.registry)) &&
         Gives(worker.hello, needs.limits);
}

bool IsFor(const RunWorkers& workers, const RunWorker& worker, const RunNeeds& needs) {
  if (!MayDo(worker, needs)) return false;
  if (HasRunner(worker, needs)) return true;
  return std::ranges::none_of(
      workers, [&](const auto& one) { return MayDo(one.second, needs) && HasRunner(one.second, needs); });
}

namespace {

RunWorkers Those(const RunWorkers& workers, const RunNeeds& needs) {
  RunWorkers those;
  std::ranges::copy_if(workers, std::inserter(those, those.end()),
                       [&](const auto& one) { return MayDo(one.second, needs); });
  return those;
}

}  // namespace

Status CheckNeeds(const RunWorkers& workers, const RunNeeds& needs) {
  if (std::ranges::any_of(workers, [&](const auto& one) { return MayDo(one.second, needs); })) return Ok();
  GC_TRY_VOID(CheckWorkers(workers));
  GC_TRY_VOID(CheckName(workers, needs.worker));
  const RunWorkers named = Those(workers, {.worker = needs.worker});
  GC_TRY_VOID(CheckRegistry(named, needs.registry));
  const RunWorkers left = Those(named, {.registry = needs.registry});
  GC_TRY_VOID(CheckLimits(left, needs.limits));
  return Fail(Error::FailedPrecondition("no worker gives all at once that its limits ask for"));
}

Result<Digest> LockOf(const RunWorkers& workers, const std::string& runner,
                      const std::optional<Digest>& wanted) {
  std::vector<std::string> known, others;
  for (const auto& [id, worker] : workers) {
    for (const rpc::Runner& one : worker.hello.runners()) {
      Digest lock{};
      if (one.name() != runner || one.lock().size() != lock.size()) {
        known.push_back(one.name());
        continue;
      }
      std::copy(one.lock().begin(), one.lock().end(), lock.begin());
      if (wanted.value_or(lock) == lock) return lock;
      others.push_back(ToHex(lock));
    }
  }
  GC_TRY_VOID(CheckWorkers(workers));
  if (!others.empty())
    return Fail(Error::FailedPrecondition("no worker has the runner " + runner + " with the lock file " +
                                          ToHex(*wanted) + "; there are: " + Join(others)));
  return Fail(Error::FailedPrecondition("no worker has the runner " + Printable(runner) +
                                        "; there are: " + Join(known)));
}

Status CheckWorkers(const RunWorkers& workers) {
  if (!workers.empty()) return Ok();
  return Fail(Error::FailedPrecondition("no worker is there: serve with --workers 1 or more"));
}

}  // namespace glasscase::operations
