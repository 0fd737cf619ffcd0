#include "model_loader.h"

#include <utility>

namespace glasscase::hosting {

ModelLoader::ModelLoader(inference::Engine& engine, Dispatcher& dispatcher)
    : engine_(engine), dispatcher_(dispatcher), thread_([this] { Work(); }) {}

ModelLoader::~ModelLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ModelLoader::Load(const Uuid& version, std::vector<FileClaim> claims, std::vector<Fd> fds) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({.version = version, .claims = std::move(claims), .fds = std::move(fds)});
  }
  changed_.notify_one();
}

void ModelLoader::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (const auto order = dispatcher_.BeginLoad(job.version)) {
      dispatcher_.FinishLoad(job.version, LoadNow(job, *order));
    }
    lock.lock();
  }
}

Result<std::unique_ptr<inference::LoadedModel>> ModelLoader::LoadNow(const Job& job,
                                                                     const Dispatcher::LoadOrder& order) {
  GC_TRY(const ModelFiles files,
         ModelFiles::Copy(job.claims, job.fds, order.manifest_digest, order.bytes_max));
  return engine_.Load(files.graph(), files.external());
}

}  // namespace glasscase::hosting
