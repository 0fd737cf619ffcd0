// Runs between the queue, a worker at the other end of a real link, and the catalog.
#include "run_desk.h"

#include <fcntl.h>

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>

#include "bench_test.h"
#include "distant_store_test.h"
#include "fake_worker_test.h"

namespace glasscase::operations::testing {
namespace {

using QueuedRun = catalog::Run;
using catalog::RunState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunDeskTest : public OperationsTest {
 protected:
  static constexpr PeerId kWorker{ProcessKind::kWorker, 0};

  RunDeskTest()
      : OperationsTest(
            [](const std::filesystem::path& at) { std::filesystem::create_directories(at / "runs"); }) {
    EXPECT_EQ(Keep(root, "code", {{"train.py", "pass"}}).code(), 0u);
  }
  ~RunDeskTest() override {
    network.GoOn();
    worker.reset();
    public_edge.reset();
    control.reset();
    operations.reset();  // which uses the network
  }
  void GoDistant() {
    make_blobs = [this] {
      return std::make_unique<DistantStore>(blobs::OpenFilesystemBlobStore(Folder("")).value(), network);
    };
    Restart();
  }

  void StartWorker(uint32_t slots = 1) {
    auto [here, there] = process::MakeSocketPair().value();
    worker = std::make_unique<FakeWorker>(loop, std::move(there));
    operations->Link(kWorker, std::move(here));
    worker->Hello(slots);
    const auto is_there = [&] {
      const auto answer = Ask(root, SubmitRequest("model", RecipeFor("nowhere")));
      return answer.message().find("no worker") == std::string::npos;
    };
    for (int i = 0; i < 100 && !is_there(); ++i) RunFor(5);
  }
  void EndWorker() {
    worker.reset();
    operations->PeerGone(kWorker);
  }

  static rpc::Request SubmitRequest(const std::string& model, const std::string& recipe) {
    rpc::Request request;
    request.mutable_submit_run()->set_model(model);
    request.mutable_submit_run()->set_recipe(recipe);
    return request;
  }
  static std::string RecipeFor(const std::string& code, const std::string& limits = "{}") {
    return R"({"environment":{"runner":"plain"},"code":")" + code +
           R"(","data":{},"command":["x"],"limits":)" + limits + "}";
  }
  // Its 16 bytes.
  std::string Queue(const std::string& limits = "{}") { return Queue(root, "code", limits); }
  std::string Queue(const std::string& token, const std::string& code, const std::string& limits = "{}",
                    int64_t priority = 0) {
    rpc::Request request = SubmitRequest("model", RecipeFor(code, limits));
    request.mutable_submit_run()->set_priority(priority);
    const auto answer = Do(token, request);
    const auto id = Uuid::Parse(answer.run().id());
    return id ? std::string(id->AsBytes()) : std::string();
  }
  QueuedRun Find(const std::string& run) {
    return catalog->FindRun(Uuid::FromBytes(run).value()).value().value();
  }
  bool Begins(const std::string& run) {
    return RunUntil([&] { return !worker->begun.empty() && worker->begun.back() == run; });
  }
  bool Becomes(const std::string& run, RunState state, int64_t limit_ms = 5'000) {
    return RunUntil([&] { return Find(run).state == state; }, limit_ms);
  }
  std::string Note(std::string_view process) {
    rpc::Request request;
    request.mutable_status();
    const auto answer = Do(root, request);
    for (const rpc::ProcessStatus& row : answer.status().processes())
      if (row.process() == process) return row.note();
    return "no such process";
  }
  rpc::Run Shown(const std::string& run) {
    rpc::Request request;
    request.mutable_show_run()->set_run(Uuid::FromBytes(run).value().ToString());
    return Do(root, request).run();
  }
  void Cancel(const std::string& run) {
    rpc::Request request;
    request.mutable_cancel_run()->set_run(Uuid::FromBytes(run).value().ToString());
    Do(root, request);
  }

  Network network;
  std::unique_ptr<FakeWorker> worker;
};

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

// ---- turns ----

TEST_F(RunDeskTest, AnOwnerWithAThousandRunsDoesNotStarveAnother) {
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

TEST_F(RunDeskTest, AnOwnerHasNoMoreRunsAtOnceThanTheOperatorAllows) {
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
TEST_F(RunDeskTest, RunsThatNobodyMayDoHoldUpNobodyElse) {
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

TEST_F(RunDeskTest, WhatIsOfLowerPriorityDoesNotOvertakeByTheTurnOfItsOwner) {
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

TEST_F(RunDeskTest, OnlyAnOperatorGoesBeforeTheRunsOfOthers) {
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

TEST_F(RunDeskTest, AWorkerThatSaysItHasSlotsWithoutEndGetsABoundedNumber) {
  StartWorker(UINT32_MAX);
  for (int i = 0; i < 300; ++i) Queue();
  RunFor(200);
  EXPECT_EQ(worker->begun.size(), RunDesk::kSlotsMax);
}

// ---- what a hostile worker gives ----

TEST_F(RunDeskTest, AResultThatHasOtherBytesThanAnnouncedIsNone) {
  StartWorker();
  const std::string run = Queue();
  for (const uint64_t announced : {uint64_t{3}, uint64_t{5}}) {
    ASSERT_TRUE(Begins(run));
    std::vector<Fd> fds;
    fds.push_back(FakeWorker::FileWith("four"));
    worker->Give(run, {{"model.bin", announced}}, std::move(fds));
    worker->End(run, rpc::JobEnded::SUCCEEDED);
    worker->begun.clear();
    ASSERT_TRUE(RunUntil([&] { return Find(run).reason.find("has 4 bytes, not") != std::string::npos; }));
    EXPECT_THAT(Note("worker"), HasSubstr("not as announced"));
    EXPECT_THAT(Note("worker"), HasSubstr(announced == 3 ? "failed once" : "failed 2 times in a row"));
    clock.shift_micros += 61'000'000;
    worker->Hello(1);
  }
  ASSERT_TRUE(Begins(run));
  worker->Succeed(run);
  ASSERT_TRUE(Becomes(run, RunState::kSucceeded));
  EXPECT_EQ(Note("worker"), "");
}

TEST_F(RunDeskTest, AResultThatIsNoFileIsNotRead) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  std::vector<Fd> fds;
  fds.emplace_back(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  worker->Give(run, {{"model.bin", 1'000}}, std::move(fds));
  worker->End(run, rpc::JobEnded::SUCCEEDED);
  ASSERT_TRUE(RunUntil([&] { return Find(run).reason.find("is no file") != std::string::npos; }));
}

TEST_F(RunDeskTest, AResultLargerThanTheRunMightWriteIsRefused) {
  StartWorker();
  const std::string run = Queue(R"({"disk_bytes":16777216})");
  ASSERT_TRUE(Begins(run));
  Fd sparse = FakeWorker::FileWith("");
  ASSERT_EQ(::ftruncate(sparse.get(), off_t{1} << 40), 0);
  std::vector<Fd> fds;
  fds.push_back(std::move(sparse));
  worker->Give(run, {{"model.bin", uint64_t{1} << 40}}, std::move(fds));
  worker->End(run, rpc::JobEnded::SUCCEEDED);
  ASSERT_TRUE(Becomes(run, RunState::kFailed));
  EXPECT_THAT(Find(run).reason, HasSubstr("limits.disk_bytes"));
}

TEST_F(RunDeskTest, NamesOfResultsAreChecked) {
  StartWorker();
  using Names = std::vector<std::string>;
  for (const Names& names : {Names{"../model.bin"}, Names{"/etc/passwd"}, Names{"model.\x01"},
                             Names{"A.bin", "a.bin"}, Names{""}}) {
    const std::string run = Queue();
    ASSERT_TRUE(Begins(run));
    std::vector<FakeWorker::Announced> files;
    std::vector<Fd> fds;
    for (const std::string& name : names) {
      files.emplace_back(name, 1);
      fds.push_back(FakeWorker::FileWith("x"));
    }
    worker->Give(run, files, std::move(fds));
    worker->End(run, rpc::JobEnded::SUCCEEDED);
    ASSERT_TRUE(Becomes(run, RunState::kFailed)) << names[0];
  }
  EXPECT_EQ(FilesBelow("blobs"), 1u) << "the code alone";
}

TEST_F(RunDeskTest, TooManyFilesOrNoneAreNoResult) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  for (int frame = 0; frame < 2; ++frame) {
    std::vector<FakeWorker::Announced> files;
    std::vector<Fd> fds;
    for (int i = 0; i < 100; ++i) {
      files.emplace_back(std::to_string(frame * 100 + i), 1);
      fds.push_back(FakeWorker::FileWith("x"));
    }
    worker->Give(run, files, std::move(fds));
  }
  worker->End(run, rpc::JobEnded::SUCCEEDED);
  ASSERT_TRUE(
      RunUntil([&] { return Find(run).reason == "its worker gave no result: it gave too many files"; }));
  clock.shift_micros += 61'000'000;
  worker->Hello(1);
  ASSERT_TRUE(RunUntil([&] { return worker->begun.size() == 2; }));
  worker->End(run, rpc::JobEnded::SUCCEEDED);
  ASSERT_TRUE(RunUntil([&] { return Find(run).reason == "its worker gave no result: it gave no file"; }));
  EXPECT_EQ(Find(run).state, RunState::kQueued);
}

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

// ---- many at once ----

class SweepTest : public RunDeskTest {
 protected:
  static rpc::RunSubmission Submission(const std::string& recipe, uint32_t seeds = 0,
                                       const std::string& version = "") {
    rpc::RunSubmission one;
    one.set_model("model");
    one.set_recipe(recipe);
    one.set_version(version);
    for (uint32_t seed = 1; seed <= seeds; ++seed) one.add_seeds(seed);
    return one;
  }
  rpc::Response Submit(const std::vector<rpc::RunSubmission>& submissions) {
    rpc::Request request;
    request.mutable_submit_runs();
    for (const rpc::RunSubmission& one : submissions) *request.mutable_submit_runs()->add_runs() = one;
    return Ask(root, request);
  }
  size_t Queued() { return catalog->ListRuns({.limit = 20'000}).value().size(); }
};

TEST_F(SweepTest, EachSeedIsARunAndAVersionOfItsLabel) {
  StartWorker();
  worker->succeeds_at_once = true;
  const auto answer =
      Submit({Submission(RecipeFor("code"), 3, "seed-{seed}"), Submission(RecipeFor("code"))});
  ASSERT_EQ(answer.code(), 0u) << answer.message();
  ASSERT_EQ(answer.submitted_runs().runs_size(), 4);
  const rpc::QueuedRun& third = answer.submitted_runs().runs(2);
  EXPECT_EQ(third.version(), "seed-3");
  EXPECT_EQ(third.seed(), 3u);
  EXPECT_EQ(third.model(), "teacher/model");
  const QueuedRun run = catalog->FindRun(Uuid::Parse(third.id()).value()).value().value();
  EXPECT_THAT(run.recipe, HasSubstr("\"seed\":3"));
  EXPECT_EQ(ToHex(run.recipe_sha256), third.recipe_sha256());
  for (const rpc::QueuedRun& one : answer.submitted_runs().runs())
    ASSERT_TRUE(Becomes(std::string(Uuid::Parse(one.id()).value().AsBytes()), RunState::kSucceeded));
  std::vector<std::string> labels;
  const auto shown = Do(root, ShowModel("model"));
  for (const auto& version : shown.model().versions()) labels.push_back(version.version());
  EXPECT_THAT(labels, ::testing::UnorderedElementsAre("seed-1", "seed-2", "seed-3", "1"));
}

TEST_F(SweepTest, AllAreQueuedOrNone) {
  StartWorker(0);
  const auto refused = [&](const std::vector<rpc::RunSubmission>& runs, const std::string& words) {
    const auto answer = Submit(runs);
    EXPECT_THAT(answer.message(), HasSubstr(words));
    EXPECT_NE(answer.code(), 0u);
    EXPECT_EQ(Queued(), 0u);
    EXPECT_EQ(CodeOf(Ask(root, ShowModel("model"))), Code::kNotFound);
  };
  const std::string good = RecipeFor("code");
  refused({}, "at least one");
  refused({Submission(good, 5), Submission(RecipeFor("nowhere"))}, "runs[1]: recipe.code");
  refused({Submission(good, 5, "best")}, "version best of model is taken");
  refused({Submission(good, 0, "best"), Submission(good, 0, "best")}, "runs[1]: version best");
  refused({Submission(good, 1'001)}, "at most 1000 runs");
  refused({Submission(good, 999), Submission(good), Submission(good)}, "runs[2]: at most 1000 runs");
  auto twice = Submission(good, 2);
  twice.add_seeds(1);
  refused({twice}, "seeds has 1 twice");
  auto urgent = Submission(good);
  urgent.set_priority(INT64_MIN);
  refused({urgent}, "priority");
}

TEST_F(SweepTest, OneOwnersOpenRunsAreLimited) {
  StartWorker(0);
  for (uint32_t i = 0; i < RunDesk::kOpenRunsMax / 1'000; ++i)
    ASSERT_EQ(Submit({Submission(RecipeFor("code"), i == 0 ? 999 : 1'000)}).code(), 0u);
  EXPECT_EQ(CodeOf(Submit({Submission(RecipeFor("code"), 2)})), Code::kResourceExhausted);
  EXPECT_EQ(Submit({Submission(RecipeFor("code"))}).code(), 0u);
  EXPECT_EQ(CodeOf(Ask(root, SubmitRequest("model", RecipeFor("code")))), Code::kResourceExhausted);
  EXPECT_EQ(Queued(), RunDesk::kOpenRunsMax);
}

}  // namespace
}  // namespace glasscase::operations::testing
