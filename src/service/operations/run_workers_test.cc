// Which worker a run is for, and why it waits.
#include "run_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

using process::ProcessKind;
using ::testing::EndsWith;
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

TEST(RunWorkers, ALockIsThatOfAnyWorker) {
  RunWorkers workers;
  workers[{ProcessKind::kWorker, 0}] = Worker("near", "nets", 1);
  workers[{ProcessKind::kWorker, 1}] = Worker("far", "nets", 2);
  EXPECT_EQ(operations::LockOf(workers, "nets").value(), LockOf(1));
  EXPECT_EQ(operations::LockOf(workers, "nets", LockOf(2)).value(), LockOf(2));
  EXPECT_THAT(operations::LockOf(workers, "nets", LockOf(3)).error().message(), HasSubstr("there are: 0101"));
  EXPECT_THAT(operations::LockOf(workers, "trees").error().message(), EndsWith("there are: nets"));
  workers[{ProcessKind::kWorker, 2}] = Worker("third", "nets", 2);
  EXPECT_THAT(operations::LockOf(workers, "nets", LockOf(3)).error().message(),
              EndsWith("there are: " + ToHex(LockOf(1)) + ", " + ToHex(LockOf(2))));
}

std::string WhatIsMissing(const RunWorkers& workers, const RunNeeds& needs) {
  const Status there = CheckNeeds(workers, needs);
  return there ? "nothing" : there.error().message();
}

TEST(RunWorkers, WhatNoneOfThemHasIsSaid) {
  RunWorkers workers;
  EXPECT_THAT(WhatIsMissing(workers, {}), HasSubstr("serve with --workers 1"));
  workers[{ProcessKind::kWorker, 0}] = Worker("near", "trees", 1);
  EXPECT_EQ(WhatIsMissing(workers, {}), "nothing");
  EXPECT_EQ(WhatIsMissing(workers, {.runner = "nets", .lock = LockOf(2)}), "nothing");
  EXPECT_THAT(WhatIsMissing(workers, {.worker = "far"}), HasSubstr("no worker far; there are: near"));
  EXPECT_THAT(WhatIsMissing(workers, {.registry = "registry.example"}), HasSubstr("serve with --registries"));
  workers.begin()->second.hello.add_registries("other.example");
  EXPECT_THAT(WhatIsMissing(workers, {.registry = "registry.example"}),
              HasSubstr("no worker takes images from registry.example; there are: other.example"));
}

TEST(RunWorkers, ARunIsForThoseThatGiveWhatItAsksFor) {
  RunWorkers workers;
  RunWorker& small = workers[{ProcessKind::kWorker, 0}] = Worker("small", "trees", 1);
  RunWorker& large = workers[{ProcessKind::kWorker, 1}] = Worker("large", "trees", 1);
  const auto give = [](RunWorker& worker, uint32_t cpus, uint64_t memory) {
    worker.hello.set_cpus(cpus);
    worker.hello.set_memory_bytes(memory);
    worker.hello.set_disk_bytes(uint64_t{1} << 40);
    worker.hello.set_wall_s(100'000);
    worker.hello.set_processes(256);
  };
  give(small, 8, uint64_t{2} << 30);
  give(large, 2, uint64_t{16} << 30);
  RunNeeds needs{.limits = training::RunLimits{.memory_bytes = uint64_t{4} << 30}};
  EXPECT_FALSE(IsFor(workers, small, needs));
  EXPECT_TRUE(IsFor(workers, large, needs));
  EXPECT_EQ(WhatIsMissing(workers, needs), "nothing");
  EXPECT_TRUE(IsFor(workers, small, {.limits = training::RunLimits{}})) << "the default asks for 2 GiB";
  needs.worker = "small";
  EXPECT_THAT(WhatIsMissing(workers, needs),
              HasSubstr("memory_bytes 4294967296; no worker gives more than 2147483648"));
  needs = {.limits = training::RunLimits{.cpus = 8, .memory_bytes = uint64_t{4} << 30}};
  EXPECT_THAT(WhatIsMissing(workers, needs),
              HasSubstr("no worker gives all at once that its limits ask for"));
  needs.limits->cpus = 9;
  EXPECT_THAT(WhatIsMissing(workers, needs), HasSubstr("ask for cpus 9; no worker gives more than 8"));
  EXPECT_FALSE(LimitsOf(0)) << "where nobody says, it has what a worker gives";
  EXPECT_TRUE(LimitsOf(3'600));
  EXPECT_THAT(WhatIsMissing(workers, {.limits = LimitsOf(100'001)}),
              HasSubstr("wall_s 100001; no worker gives"));
  needs = {.limits = training::RunLimits{.processes = 257}};
  EXPECT_THAT(WhatIsMissing(workers, needs), HasSubstr("processes 257; no worker gives more than 256"));
}

}  // namespace
}  // namespace glasscase::operations
