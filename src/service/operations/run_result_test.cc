// What a worker gives as the result of a run.
#include "run_result.h"

#include <fcntl.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "run_bench_test.h"

namespace glasscase::operations::testing {
namespace {

using catalog::RunState;
using ::testing::HasSubstr;

class RunResultTest : public RunBench {};

TEST_F(RunResultTest, AResultThatHasOtherBytesThanAnnouncedIsNone) {
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

TEST_F(RunResultTest, AResultThatIsNoFileIsNotRead) {
  StartWorker();
  const std::string run = Queue();
  ASSERT_TRUE(Begins(run));
  std::vector<Fd> fds;
  fds.emplace_back(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  worker->Give(run, {{"model.bin", 1'000}}, std::move(fds));
  worker->End(run, rpc::JobEnded::SUCCEEDED);
  ASSERT_TRUE(RunUntil([&] { return Find(run).reason.find("is no file") != std::string::npos; }));
}

TEST_F(RunResultTest, AResultLargerThanTheRunMightWriteIsRefused) {
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

TEST_F(RunResultTest, NamesOfResultsAreChecked) {
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

TEST_F(RunResultTest, TooManyFilesOrNoneAreNoResult) {
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

}  // namespace
}  // namespace glasscase::operations::testing
