// Loads models one after the other on a thread of its own: hashing and preparing gigabytes must delay neither
// calls nor table updates.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <glasscase/core/ids.h>
#include <glasscase/hosting/model_files.h>
#include <glasscase/inference/engine.h>
#include <glasscase/process/fd.h>

#include "dispatcher.h"

namespace glasscase::hosting {

class ModelLoader {
 public:
  // Both outlive it.
  ModelLoader(inference::Engine& engine, Dispatcher& dispatcher);
  ~ModelLoader();

  // Any thread. The dispatcher hears of the outcome.
  void Load(const Uuid& version, std::vector<FileClaim> claims, std::vector<Fd> fds);

 private:
  struct Job {
    Uuid version;
    std::vector<FileClaim> claims;
    std::vector<Fd> fds;
  };
  void Work();
  Result<std::unique_ptr<inference::LoadedModel>> LoadNow(const Job& job, const Dispatcher::LoadOrder& order);

  inference::Engine& engine_;
  Dispatcher& dispatcher_;
  std::mutex mutex_;  // guards jobs_ and stopping_
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace glasscase::hosting
