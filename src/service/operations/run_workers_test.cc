// Which worker a run is for, and why it waits.
#include "run_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

using process::ProcessKind;
using ::testing::HasSubstr;

RunWorker Worker(const std::string& name, const std::string& runner, uint8_t lock) {
  RunWorker worker;
  worker.hello.set_name(name);
  rpc::Runner& one = *worker.hello.add_runners();
  one.set_name(runner);
  one.set_lock(std::string(32, static_cast<char>(lock)));
  return worker;
}

Digest LockOf(uint8_t byte) {
  Digest lock{};
  lock.fill(byte);
  return lock;
}

TEST(RunWorkers, ARunIsForThoseThatHaveItsRunner) {
  RunWorkers workers;
  workers[{ProcessKind::kWorker, 0}] = Worker("near", "trees", 1);
  workers[{ProcessKind::kWorker, 1}] = Worker("far", "nets", 2);
  const RunWorker& near = workers[{ProcessKind::kWorker, 0}];
  const RunWorker& far = workers[{ProcessKind::kWorker, 1}];
  const RunNeeds nets{.runner = "nets", .lock = LockOf(2)};
  EXPECT_FALSE(IsFor(workers, near, nets));
  EXPECT_TRUE(IsFor(workers, far, nets));
  EXPECT_TRUE(IsFor(workers, near, RunNeeds{})) << "one that needs no runner is for anybody";
  // Nobody has it in this version: somebody has to say so.
  const RunNeeds other_lock{.runner = "nets", .lock = LockOf(9)};
  EXPECT_TRUE(IsFor(workers, near, other_lock));
  EXPECT_TRUE(IsFor(workers, far, other_lock));
  EXPECT_FALSE(IsFor(workers, far, {.worker = "near", .runner = "nets", .lock = LockOf(2)}));
  EXPECT_TRUE(IsFor(workers, near, {.worker = "near", .runner = "nets", .lock = LockOf(2)}));
}

TEST(RunWorkers, WhatARunWaitsForIsSaid) {
  RunWorkers workers;
  EXPECT_THAT(WhyItWaits(workers, {}), HasSubstr("serve with --workers 1"));
  workers[{ProcessKind::kWorker, 0}] = Worker("near", "trees", 1);
  EXPECT_EQ(WhyItWaits(workers, {}), "");
  EXPECT_EQ(WhyItWaits(workers, {.runner = "nets", .lock = LockOf(2)}), "");
  EXPECT_THAT(WhyItWaits(workers, {.worker = "far"}), HasSubstr("no worker far; there are: near"));
  EXPECT_THAT(WhyItWaits(workers, {.registry = "registry.example"}), HasSubstr("serve with --registries"));
  workers.begin()->second.hello.add_registries("other.example");
  EXPECT_THAT(WhyItWaits(workers, {.registry = "registry.example"}),
              HasSubstr("no worker takes images from registry.example; there are: other.example"));
}

}  // namespace
}  // namespace glasscase::operations
