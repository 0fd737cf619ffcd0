// Whose run is next.
#include "run_desk.h"

#include <gmock/gmock.h>

#include "run_bench_test.h"

namespace glasscase::operations::testing {
namespace {

using catalog::RunState;
using ::testing::ElementsAre;

class RunTurnsTest : public RunBench {};

TEST_F(RunTurnsTest, AnOwnerWithAThousandRunsDoesNotStarveAnother) {
  StartWorker();
  const std::string bob = Enrol(root, "bob", "owner");
  ASSERT_EQ(Keep(bob, "code", {{"train.py", "bob's"}}).code(), 0u);
  std::vector<std::string> many;
  for (int i = 0; i < 30; ++i) many.push_back(Queue(root, "teacher/code"));
  ASSERT_TRUE(Begins(many[0]));
  const std::string few[] = {Queue(bob, "bob/code"), Queue(bob, "bob/code")};
  worker->succeeds_at_once = true;
  worker->Succeed(many[0]);
  ASSERT_TRUE(Becomes(few[1], RunState::kSucceeded));
  EXPECT_THAT(std::vector(worker->begun.begin(), worker->begun.begin() + 4),
              ElementsAre(many[0], few[0], many[1], few[1]));
}

TEST_F(RunTurnsTest, AnOwnerHasNoMoreRunsAtOnceThanTheOperatorAllows) {
  runs_per_owner = 2;
  Restart();
  StartWorker(4);
  const std::string bob = Enrol(root, "bob", "owner");
  ASSERT_EQ(Keep(bob, "code", {{"train.py", "bob's"}}).code(), 0u);
  std::vector<std::string> many;
  for (int i = 0; i < 4; ++i) many.push_back(Queue(root, "teacher/code"));
  const std::string other = Queue(bob, "bob/code");
  ASSERT_TRUE(Begins(other)) << "the worker has room, and its owner no run";
  RunFor(50);
  EXPECT_THAT(worker->begun, ElementsAre(many[0], many[1], other));
  EXPECT_EQ(Shown(many[2]).reason(),
            "it waits: its owner has 2 runs under way, as many as one owner may have at once");
  worker->Succeed(many[0]);
  EXPECT_TRUE(Begins(many[2]));
  RunFor(50);
  EXPECT_EQ(worker->begun.size(), 4u);
  worker->End(many[1], rpc::JobEnded::FAILED, "exit code 3");
  EXPECT_TRUE(Begins(many[3]));
}

// Those of one owner, at whatever priority: others go on, and what the same owner has at another one.
TEST_F(RunTurnsTest, RunsThatNobodyMayDoHoldUpNobodyElse) {
  StartWorker();
  const std::string bob = Enrol(root, "bob", "owner");
  ASSERT_EQ(Keep(bob, "code", {{"train.py", "bob's"}}).code(), 0u);
  const std::string large = R"({"memory_bytes":8589934592})";
  std::vector<std::string> stuck;
  for (int i = 0; i < 100; ++i) stuck.push_back(Queue(root, "teacher/code", large));
  ASSERT_TRUE(Begins(stuck[0]));
  worker->memory_bytes = uint64_t{4} << 30;
  worker->Hello(1);
  const std::string others[] = {Queue(bob, "bob/code"), Queue(bob, "bob/code")};
  worker->succeeds_at_once = true;
  worker->Succeed(stuck[0]);
  for (const std::string& one : others) EXPECT_TRUE(Becomes(one, RunState::kSucceeded));
  EXPECT_EQ(worker->begun.size(), 3u);
  EXPECT_EQ(Find(stuck[1]).state, RunState::kQueued);
  EXPECT_NE(Ask(root, SubmitRequest("model", RecipeFor("teacher/code", large))).code(), 0u)
      << "and no more of them";
  worker->memory_bytes = uint64_t{8} << 30;
  worker->Hello(1);
  EXPECT_TRUE(Becomes(stuck[99], RunState::kSucceeded));
}

TEST_F(RunTurnsTest, WhatIsOfLowerPriorityDoesNotOvertakeByTheTurnOfItsOwner) {
  StartWorker();
  const std::string bob = Enrol(root, "bob", "owner");
  ASSERT_EQ(Keep(bob, "code", {{"train.py", "bob's"}}).code(), 0u);
  const std::string large = R"({"memory_bytes":8589934592})";
  const std::string first = Queue(root, "teacher/code", large);
  ASSERT_TRUE(Begins(first));
  Queue(root, "teacher/code", large);  // which nobody may do soon
  std::vector<std::string> idle, wanted;
  for (int i = 0; i < 3; ++i) idle.push_back(Queue(root, "teacher/code", "{}", -100));
  for (int i = 0; i < 3; ++i) wanted.push_back(Queue(bob, "bob/code"));
  worker->memory_bytes = uint64_t{4} << 30;
  worker->Hello(1);
  worker->succeeds_at_once = true;
  worker->Succeed(first);
  ASSERT_TRUE(Becomes(idle[2], RunState::kSucceeded));
  EXPECT_THAT(worker->begun, ElementsAre(first, wanted[0], wanted[1], wanted[2], idle[0], idle[1], idle[2]));
}

TEST_F(RunTurnsTest, OnlyAnOperatorGoesBeforeTheRunsOfOthers) {
  StartWorker();
  const std::string bob = Enrol(root, "bob", "owner");
  ASSERT_EQ(Keep(bob, "code", {{"train.py", "bob's"}}).code(), 0u);
  const auto ask = [&](const std::string& who, const std::string& code, int64_t priority) {
    rpc::Request request = SubmitRequest("model", RecipeFor(code));
    request.mutable_submit_run()->set_priority(priority);
    return Ask(who, request).code();
  };
  EXPECT_EQ(ask(bob, "bob/code", 1), static_cast<uint32_t>(Code::kPermissionDenied));
  EXPECT_EQ(ask(bob, "bob/code", 0), 0u);
  EXPECT_EQ(ask(bob, "bob/code", -1), 0u);
  EXPECT_EQ(ask(root, "teacher/code", 1), 0u);
}

TEST_F(RunTurnsTest, AWorkerThatSaysItHasSlotsWithoutEndGetsABoundedNumber) {
  StartWorker(UINT32_MAX);
  for (int i = 0; i < 300; ++i) Queue();
  RunFor(200);
  EXPECT_EQ(worker->begun.size(), RunDesk::kSlotsMax);
}

}  // namespace
}  // namespace glasscase::operations::testing
