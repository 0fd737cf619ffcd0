// For tests: runs between the queue, a worker at the other end of a real link, and the catalog.
#pragma once

#include <memory>
#include <string>

#include "bench_test.h"
#include "distant_store_test.h"
#include "fake_worker_test.h"

namespace glasscase::operations::testing {

class RunBench : public OperationsTest {
 protected:
  static constexpr PeerId kWorker{ProcessKind::kWorker, 0};

  RunBench()
      : OperationsTest(
            [](const std::filesystem::path& at) { std::filesystem::create_directories(at / "runs"); }) {
    EXPECT_EQ(Keep(root, "code", {{"train.py", "pass"}}).code(), 0u);
  }
  ~RunBench() override {
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
  catalog::Run Find(const std::string& run) {
    return catalog->FindRun(Uuid::FromBytes(run).value()).value().value();
  }
  bool Begins(const std::string& run) {
    return RunUntil([&] { return !worker->begun.empty() && worker->begun.back() == run; });
  }
  bool Becomes(const std::string& run, catalog::RunState state, int64_t limit_ms = 5'000) {
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

}  // namespace glasscase::operations::testing
