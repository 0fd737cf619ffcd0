#include "run_workers.h"

#include <algorithm>

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

}  // namespace

RunNeeds NeedsOf(const catalog::Run& run) {
  RunNeeds needs{.worker = run.wanted_worker};
  if (!run.translates.IsNil()) {
    const auto recipe = training::TranslationRecipe::Parse(run.recipe);
    if (recipe) needs.runner = recipe->translator.runner, needs.lock = recipe->translator.lock;
    return needs;
  }
  const auto recipe = training::Recipe::Parse(run.recipe);
  if (!recipe) return needs;
  if (!recipe->environment.image.empty()) needs.registry = RegistryOf(recipe->environment.image);
  needs.runner = recipe->environment.runner;
  needs.lock = recipe->environment.lock.value_or(Digest{});
  return needs;
}

bool MayDo(const RunWorker& worker, const RunNeeds& needs) {
  if (!needs.worker.empty() && needs.worker != worker.hello.name()) return false;
  return needs.registry.empty() || HasRegistry(worker.hello, needs.registry);
}

bool IsFor(const RunWorkers& workers, const RunWorker& worker, const RunNeeds& needs) {
  if (!MayDo(worker, needs)) return false;
  if (HasRunner(worker, needs)) return true;
  return std::ranges::none_of(workers, [&](const auto& one) {
    return MayDo(one.second, needs) && HasRunner(one.second, needs);
  });
}

std::string WhyItWaits(const RunWorkers& workers, const RunNeeds& needs) {
  if (std::ranges::any_of(workers, [&](const auto& one) { return MayDo(one.second, needs); })) return {};
  Status there = CheckWorkers(workers);
  if (there && !needs.worker.empty()) there = CheckWorker(workers, needs.worker);
  if (there && !needs.registry.empty()) there = CheckImage(workers, needs.registry + "/");
  return "it waits: " + (there ? "no worker that is there may do it" : there.error().message());
}

Result<Digest> LockOf(const RunWorkers& workers, const std::string& runner) {
  std::string known;
  for (const auto& [id, worker] : workers) {
    for (const rpc::Runner& one : worker.hello.runners()) {
      Digest lock{};
      if (one.name() == runner && one.lock().size() == lock.size()) {
        std::copy(one.lock().begin(), one.lock().end(), lock.begin());
        return lock;
      }
      known += (known.empty() ? "" : ", ") + Printable(one.name(), 64);
    }
  }
  GC_TRY_VOID(CheckWorkers(workers));
  return Fail(Error::FailedPrecondition("no worker has the runner " + Printable(runner) +
                                        "; there are: " + (known.empty() ? "none" : known)));
}

Status CheckWorkers(const RunWorkers& workers) {
  if (!workers.empty()) return Ok();
  return Fail(Error::FailedPrecondition("no worker is there: serve with --workers 1 or more"));
}

Status CheckLimits(const RunWorkers& workers, const training::RunLimits& limits) {
  for (const auto& [id, worker] : workers) {
    const rpc::WorkerHello& most = worker.hello;
    if (limits.cpus <= most.cpus() && limits.memory_bytes <= most.memory_bytes() &&
        limits.disk_bytes <= most.disk_bytes() && limits.wall_s <= most.wall_s())
      return Ok();
  }
  return Fail(
      Error::FailedPrecondition("no worker that is there gives as much as the recipe's limits ask for"));
}

Status CheckWorker(const RunWorkers& workers, const std::string& name) {
  std::string known;
  for (const auto& [id, worker] : workers) {
    if (worker.hello.name() == name) return Ok();
    known += (known.empty() ? "" : ", ") + Printable(worker.hello.name(), 64);
  }
  return Fail(Error::FailedPrecondition("there is no worker " + Printable(name) +
                                        "; there are: " + (known.empty() ? "none" : known)));
}

Status CheckImage(const RunWorkers& workers, const std::string& image) {
  std::string known;
  for (const auto& [id, worker] : workers) {
    if (HasRegistry(worker.hello, RegistryOf(image))) return Ok();
    for (const std::string& one : worker.hello.registries())
      known += (known.empty() ? "" : ", ") + Printable(one, 64);
  }
  return Fail(Error::FailedPrecondition(
      known.empty() ? "no worker that is there runs images; serve with --registries"
                    : "no worker takes images from " + RegistryOf(image) + "; there are: " + known));
}

}  // namespace glasscase::operations
