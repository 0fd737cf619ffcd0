// Runs between the queue, a worker at the other end of a real link, and the catalog.
#include "run_desk.h"

#include <cmath>

#include <gmock/gmock.h>

#include <glasscase/process/testing/lingering_socket.h>

#include "run_bench_test.h"

namespace glasscase::operations::testing {
namespace {

using QueuedRun = catalog::Run;
using catalog::RunState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunDeskTest : public RunBench {};

TEST_F(RunDeskTest, ARunGoesFromTheQueueToAVersion) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  EXPECT_THAT(worker->inputs[run], ElementsAre("code/train.py"));
  worker->Runs(run);
  ASSERT_TRUE(Becomes(run, RunState::kRunning));
  worker->Succeed(run);
  ASSERT_TRUE(Becomes(run, RunState::kSucceeded));
  EXPECT_EQ(Find(run).attempts, 1u);
  EXPECT_EQ(Do(root, ShowModel("model")).model().versions_size(), 1);
}

// ---- whose fault ----

TEST_F(RunDeskTest, WhatARunDoesWrongEndsItAtOnce) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  worker->End(run, rpc::JobEnded::FAILED, "exit code 3");
  ASSERT_TRUE(Becomes(run, RunState::kFailed));
  EXPECT_EQ(Find(run).attempts, 1u);
  RunFor(1'200);
  EXPECT_EQ(worker->begun.size(), 1u) << "not tried again";
  const std::string next = Queue();
  EXPECT_TRUE(Begins(next)) << "and the worker does not rest";
}

TEST_F(RunDeskTest, ARunWhoseWorkerEndsBeginsOnceMore) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  EndWorker();
  EXPECT_EQ(Find(run).state, RunState::kQueued);
  EXPECT_EQ(Find(run).reason, "its worker ended");
  StartWorker();
  ASSERT_TRUE(Begins(run));
  EXPECT_EQ(Find(run).attempts, 2u);
}

TEST_F(RunDeskTest, ARunWhoseWorkerIsToldToEndHasNotTriedInVain) {
  StartWorker();
  const std::string run = Queue();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Begins(run));
    EXPECT_EQ(Find(run).attempts, 1u);
    rpc::ToCustodian message;
    message.mutable_worker_leaves();
    worker->Send(message);
    RunFor(20);
    EndWorker();
    EXPECT_EQ(Find(run).state, RunState::kQueued);
    EXPECT_EQ(Find(run).reason, "its worker was stopped");
    StartWorker();
    RunFor(50);
    EXPECT_TRUE(worker->begun.empty()) << "who is stopped all the time rests";
    clock.shift_micros += 61'000'000;
    worker->Hello(1);
  }
}

// ---- cancelled ----

TEST_F(RunDeskTest, ARunThatWasCancelledDoesNotBeginAgainWhateverEnds) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  worker->Runs(run);
  ASSERT_TRUE(Becomes(run, RunState::kRunning));
  Cancel(run);
  EXPECT_EQ(Find(run).state, RunState::kCancelled) << "before its worker says anything";
  ASSERT_TRUE(RunUntil([&] { return !worker->cancelled.empty(); }));
  EndWorker();
  StartWorker();
  RunFor(1'200);
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  EXPECT_THAT(worker->begun, ::testing::IsEmpty());
}

TEST_F(RunDeskTest, ACustodianThatEndsDoesNotForgetThatARunWasCancelled) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  Cancel(run);
  worker.reset();
  Restart();
  StartWorker();
  RunFor(200);
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  EXPECT_THAT(worker->begun, ::testing::IsEmpty());
}

// Its slot is taken until its worker has ended it; what it says then of what was used is kept, nothing else.
TEST_F(RunDeskTest, WhatAWorkerSaysOfACancelledRunDoesNotChangeIt) {
  StartWorker();
  const std::string run = Queue(), next = Queue();
  ASSERT_TRUE(Begins(run));
  Cancel(run);
  worker->Runs(run);
  RunFor(20);
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  EXPECT_EQ(worker->begun.size(), 1u);
  worker->Give(run, {}, {});
  rpc::ToCustodian message;
  rpc::JobEnded& end = *message.mutable_job_ended();
  end.set_run(run);
  end.set_ending(rpc::JobEnded::SUCCEEDED);
  end.set_record(R"({"used":{"cpu_ms":7}})");
  end.set_evidence(R"({"class":"B"})");
  worker->Send(message);
  EXPECT_TRUE(Begins(next));
  EXPECT_EQ(Find(run).evidence, "") << "of what nobody checked";
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  EXPECT_EQ(Find(run).reason, "it was cancelled");
  EXPECT_THAT(Find(run).record, HasSubstr("cpu_ms"));
}

TEST_F(RunDeskTest, AWorkerThatFailsEachRunRestsAndDoesNotUseUpTheQueue) {
  StartWorker();
  worker->fails_at_once = true;
  std::vector<std::string> runs;
  for (int i = 0; i < 20; ++i) runs.push_back(Queue());
  EXPECT_TRUE(RunUntil([&] { return worker->begun.size() == 2; }));  // after a second
  RunFor(1'200);
  EXPECT_EQ(worker->begun.size(), 2u) << "it rests for two seconds now";
  clock.shift_micros += 2'000'000;
  worker->Hello(1);  // has the queue looked at
  EXPECT_TRUE(RunUntil([&] { return worker->begun.size() == 3; }));
  ASSERT_TRUE(Becomes(runs[0], RunState::kFailed));
  EXPECT_THAT(Note("worker"), HasSubstr("failed 3 times in a row and rests for "));
  EXPECT_THAT(Note("worker"), HasSubstr("no sandbox can be made"));
  EXPECT_EQ(Find(runs[0]).state, RunState::kFailed);
  EXPECT_THAT(Find(runs[0]).reason, HasSubstr("no sandbox can be made, 3 times"));
  clock.shift_micros += 10'000'000;
  for (int faults = 4; faults < 10; ++faults) {
    worker->Hello(1);
    ASSERT_TRUE(RunUntil([&] { return worker->begun.size() == static_cast<size_t>(faults); }));
    ASSERT_TRUE(Becomes(runs[1], RunState::kQueued));
    clock.shift_micros += 61'000'000;
  }
  EXPECT_EQ(Find(runs[1]).attempts, 0u) << "what it fails at says nothing of the run";
  worker->fails_at_once = false;
  worker->succeeds_at_once = true;
  worker->Hello(1);
  for (size_t i = 1; i < runs.size(); ++i) ASSERT_TRUE(Becomes(runs[i], RunState::kSucceeded));
  EXPECT_EQ(Note("worker"), "");
}

TEST_F(RunDeskTest, ARunThatEndsEveryWorkerFails) {
  for (int i = 0; i < 3; ++i) {
    StartWorker();
    if (i == 0) Queue();
    ASSERT_TRUE(RunUntil([&] { return !worker->begun.empty(); }));
    EndWorker();
    clock.shift_micros += 61'000'000;
  }
  const QueuedRun run = catalog->ListRuns({}).value().at(0);
  EXPECT_EQ(run.state, RunState::kFailed);
  EXPECT_EQ(run.reason, "its worker ended, 3 times");
}

// ---- what a hostile worker gives ----

TEST_F(RunDeskTest, AWorkerSpeaksOfItsOwnRunsAlone) {
  StartWorker();
  const std::string mine = Queue();
  ASSERT_TRUE(Begins(mine));
  const std::string waiting = Queue();
  const PeerId other{ProcessKind::kWorker, 1};
  auto [here, there] = process::MakeSocketPair().value();
  FakeWorker liar(loop, std::move(there));
  operations->Link(other, std::move(here));
  for (const std::string& run : {mine, waiting, std::string("nonsense"), std::string(16, '\0')}) {
    liar.Runs(run);
    liar.Succeed(run);
    liar.End(run, rpc::JobEnded::FAILED);
  }
  RunFor(200);
  EXPECT_EQ(Find(mine).state, RunState::kPreparing);
  EXPECT_EQ(Find(waiting).state, RunState::kQueued);
  EXPECT_FALSE(liar.cut_off);
  worker->Succeed(mine);
  EXPECT_TRUE(Becomes(mine, RunState::kSucceeded));
  operations->PeerGone(other);
}

TEST_F(RunDeskTest, NobodyWaitsForWhatAWorkerGivesToBeClosed) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  auto [unasked, one] = process::testing::LingeringSocket(3);
  auto [result, other] = process::testing::LingeringSocket(3);
  const auto given = [](Fd socket) {
    std::vector<Fd> fds;
    fds.push_back(std::move(socket));
    return fds;
  };
  worker->Send({}, given(std::move(unasked)));
  worker->Give(run, {{"model.bin", 1}}, given(std::move(result)));
  worker->End(run, rpc::JobEnded::FAILED);
  const int64_t begun = clock.MonotonicNanos();
  ASSERT_TRUE(Becomes(run, RunState::kFailed));
  Do(root, AddSubject("ada"));
  EXPECT_LT(clock.MonotonicNanos() - begun, 2'000'000'000);
}

TEST_F(RunDeskTest, AWorkerThatSendsWhatIsNoMessageIsReplaced) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  supervisor.kills.clear();
  worker->SendRaw("no message");
  ASSERT_TRUE(RunUntil([&] { return supervisor.kills == std::vector<PeerId>{kWorker}; }));
  RunFor(50);  // it is gone, too
  EXPECT_EQ(Find(run).state, RunState::kQueued);
  StartWorker();
  EXPECT_TRUE(Begins(run));
  RunFor(400);
  EXPECT_EQ(supervisor.kills.size(), 1u) << "the next one is not killed";
}

TEST_F(RunDeskTest, AbsurdNumbersAreNotPassedOn) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  for (const double fraction : {std::nan(""), -1.0, 1e300}) {
    rpc::ToCustodian message;
    message.mutable_job_progress()->set_run(run);
    message.mutable_job_progress()->set_fraction(fraction);
    worker->Send(message);
    RunFor(20);
    rpc::Request show;
    show.mutable_show_run()->set_run(Uuid::FromBytes(run).value().ToString());
    const double progress = Do(root, show).run().progress();
    EXPECT_TRUE(progress >= 0 && progress <= 1) << fraction;
  }
  worker->End(run, rpc::JobEnded::FAILED, std::string(1 << 16, '\x7f'), "{\"a\":NaN}");
  ASSERT_TRUE(Becomes(run, RunState::kFailed));
  EXPECT_EQ(Find(run).record, "");
  EXPECT_LE(Find(run).reason.size(), 2'100u);
}

// ---- our own disk and store ----

TEST_F(RunDeskTest, AResultWaitsForRoomAndIsNotLost) {
  GoDistant();
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  network.is_full = true;
  worker->Succeed(run);
  ASSERT_TRUE(RunUntil([&] { return Find(run).reason == "its result waits: no room"; }));
  EXPECT_EQ(Find(run).state, RunState::kRecording);
  EXPECT_THAT(Note("custodian"), HasSubstr("the result of a run cannot be recorded: no room"));
  const std::string next = Queue();
  RunFor(300);
  EXPECT_EQ(worker->begun.size(), 1u) << "nothing begins whose result could not be kept either";
  network.is_full = false;
  ASSERT_TRUE(Becomes(run, RunState::kSucceeded));
  EXPECT_EQ(Find(run).attempts, 1u);
  EXPECT_EQ(Find(run).reason, "");
  ASSERT_TRUE(Begins(next));
  EXPECT_EQ(Note("custodian"), "");
}

TEST_F(RunDeskTest, RunsWaitForAStoreThatIsAway) {
  GoDistant();
  StartWorker();
  network.is_away = true;
  const std::string run = Queue();
  ASSERT_TRUE(RunUntil([&] { return Find(run).reason == "the bucket does not answer"; }));
  EXPECT_EQ(Find(run).state, RunState::kQueued);
  EXPECT_EQ(Find(run).attempts, 0u);
  network.is_away = false;
  ASSERT_TRUE(Begins(run));
  EXPECT_EQ(Find(run).attempts, 1u);
}

TEST_F(RunDeskTest, AnInputThatIsGoneEndsTheRun) {
  StartWorker();
  const std::string first = Queue(), second = Queue();
  ASSERT_TRUE(Begins(first));
  Do(root, OnVersion(&rpc::Request::mutable_erase, "code", "1"));
  worker->Succeed(first);
  ASSERT_TRUE(Becomes(second, RunState::kFailed));
}

TEST_F(RunDeskTest, WhatARunMayReadIsAskedWhenItBegins) {
  const std::string ada = Enrol(root, "ada", "owner");
  const std::string grant = Do(root, GrantTake("ada", "code")).grant().id();
  StartWorker();
  const std::string first = Queue(), lent = Queue(ada, "teacher/code");
  ASSERT_TRUE(Begins(first));
  Do(root, RevokeGrant(grant));
  worker->Succeed(first);
  ASSERT_TRUE(Becomes(lent, RunState::kFailed));
  EXPECT_THAT(Find(lent).reason, HasSubstr("teacher/code@1: its grant was withdrawn"));
  EXPECT_THAT(worker->begun, ElementsAre(first));
}

TEST_F(RunDeskTest, ARunThatHasBegunIsCancelledWhenItsGrantIsWithdrawn) {
  const std::string ada = Enrol(root, "ada", "owner");
  const std::string grant = Do(root, GrantTake("ada", "code")).grant().id();
  StartWorker(2);
  const std::string own = Queue(), lent = Queue(ada, "teacher/code");
  ASSERT_TRUE(RunUntil([&] { return worker->begun.size() == 2; }));
  Do(root, RevokeGrant(grant));
  EXPECT_EQ(Find(lent).state, RunState::kCancelled);
  EXPECT_THAT(Find(lent).reason, HasSubstr("its grant was withdrawn"));
  ASSERT_TRUE(RunUntil([&] { return !worker->cancelled.empty(); }));
  EXPECT_THAT(worker->cancelled, ElementsAre(lent));
  EXPECT_NE(Find(own).state, RunState::kCancelled);
}

TEST_F(RunDeskTest, ARunIsVerifiedByThoseAloneWhoMayStillReadItsInputs) {
  const std::string ada = Enrol(root, "ada", "owner");
  const std::string grant = Do(root, GrantTake("ada", "code")).grant().id();
  StartWorker();
  const std::string run = Queue(ada, "teacher/code");
  ASSERT_TRUE(Begins(run));
  worker->Succeed(run);
  ASSERT_TRUE(Becomes(run, RunState::kSucceeded));
  rpc::Request verify;
  verify.mutable_verify_run()->set_run(Uuid::FromBytes(run).value().ToString());
  // The default version is another one now; the run was begun with the right to the earlier.
  EXPECT_EQ(Keep(root, "code", {{"train.py", "exit"}}).code(), 0u);
  EXPECT_EQ(Ask(ada, verify).code(), 0u);
  Do(root, OnVersion(&rpc::Request::mutable_retire, "code", "1"));
  EXPECT_THAT(Ask(ada, verify).message(), HasSubstr("or the version is retired"));
}

TEST_F(RunDeskTest, AGrantThatIsWithdrawnWhileInputsAreFetchedStopsThem) {
  const std::string ada = Enrol(root, "ada", "owner");
  const std::string grant = Do(root, GrantTake("ada", "code")).grant().id();
  GoDistant();
  StartWorker();
  network.Stall();
  const std::string run = Queue(ada, "teacher/code");
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  Do(root, RevokeGrant(grant));
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  network.GoOn();
  RunFor(50);
  EXPECT_THAT(worker->begun, ElementsAre());
}

TEST_F(RunDeskTest, NobodyWaitsForInputsThatAreFetched) {
  GoDistant();
  StartWorker();
  network.Stall();
  const std::string run = Queue();
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  EXPECT_EQ(Find(run).state, RunState::kPreparing);
  const int64_t begun = clock.MonotonicNanos();
  Do(root, AddSubject("ada"));
  EXPECT_LT(clock.MonotonicNanos() - begun, 250'000'000);
  network.GoOn();
  ASSERT_TRUE(Begins(run));
}

TEST_F(RunDeskTest, ARunIsCancelledWhileItsInputsAreFetched) {
  GoDistant();
  StartWorker();
  network.Stall();
  const std::string run = Queue(), next = Queue();
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  Cancel(run);
  EXPECT_EQ(Find(run).state, RunState::kCancelled);
  network.GoOn();
  ASSERT_TRUE(Begins(next));
  EXPECT_THAT(worker->begun, ElementsAre(next));
  EXPECT_THAT(worker->cancelled, ElementsAre(run)) << "what it has of it goes";
}

TEST_F(RunDeskTest, ACustodianThatEndsWhileInputsAreFetchedLosesNoRun) {
  GoDistant();
  StartWorker();
  network.Stall();
  const std::string run = Queue();
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  network.GoOn();
  worker.reset();
  Restart();
  EXPECT_EQ(Find(run).state, RunState::kQueued);
  StartWorker();
  ASSERT_TRUE(Begins(run));
  EXPECT_EQ(Find(run).attempts, 2u);
}

TEST_F(RunDeskTest, AWorkerThatEndsWhileInputsAreFetchedLosesNoRun) {
  GoDistant();
  StartWorker();
  network.Stall();
  const std::string run = Queue();
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  EndWorker();
  network.GoOn();
  EXPECT_EQ(Find(run).state, RunState::kQueued);
  StartWorker();
  ASSERT_TRUE(Begins(run));
}

}  // namespace
}  // namespace glasscase::operations::testing
