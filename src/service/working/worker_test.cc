#include <glasscase/working/worker.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <boost/json.hpp>

#include <glasscase/core/ids.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Fd FileWith(const std::string& bytes) {
  Fd file(::memfd_create("input", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

std::string ReadAll(const Fd& file) {
  std::string bytes(10'000, '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

// What is left of a job when it has ended.
struct Told {
  rpc::JobEnded end;
  boost::json::value record;
  std::string log;
  std::vector<double> progress;
  std::map<std::string, std::string> files;
  bool ran = false;
};

// The custodian's end of the link; the worker has a thread of its own.
class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    fs::create_directories(folder_ / "jobs");
    fs::create_directories(folder_ / "runners" / "plain" / "bin");
    fs::create_symlink("/usr/bin/python3", folder_ / "runners" / "plain" / "bin" / "python");
    std::ofstream(folder_ / "runners" / "plain" / "requirements.txt") << "none\n";
    fs::create_directories(folder_ / "runners" / "no lock");
    auto ends = process::MakeSocketPair().value();
    link_.emplace(std::move(ends.first), process::FrameSocket::Limits{});
    thread_ = std::thread([this, socket = std::make_shared<Fd>(std::move(ends.second))] {
      // Jobs are the test's own user: as root the kernel counts no processes, which is of no concern here.
      const auto executor = jobs::MakeBubblewrap({});
      Worker worker(loop_, std::move(*socket), {.of_runners = *executor},
                    {.name = "one",
                     .folder = folder_ / "jobs",
                     .runners = folder_ / "runners",
                     .slots = 2,
                     .most = {.memory_bytes = uint64_t{3} << 30, .grace_ms = 200}},
                    [this] { loop_.Stop(); });
      loop_.Run();
    });
  }
  ~WorkerTest() override {
    link_.reset();
    thread_.join();
    EXPECT_TRUE(fs::is_empty(folder_ / "jobs")) << "nothing is left of a job";
    fs::remove_all(folder_);
  }

  std::string Recipe(const std::string& program, const std::string& limits = "{}") {
    const std::string lock = ToHex(Sha256(AsBytes("none\n")));
    boost::json::object recipe{{"environment", {{"runner", "plain"}, {"lock", lock}}},
                               {"code", {{"version", run_.ToString()}, {"sha256", lock}}},
                               {"data", boost::json::object()},
                               {"command", {"python", "-c", program}},
                               {"limits", boost::json::parse(limits)}};
    return boost::json::serialize(recipe);
  }
  void Send(const rpc::FromCustodian& message, std::vector<Fd> fds = {}) {
    ASSERT_TRUE(link_->Send(message.SerializeAsString(), std::move(fds)));
  }
  void SendInput(const std::string& path, const std::string& bytes, const std::string& digest_of) {
    rpc::FromCustodian message;
    message.mutable_job_inputs()->set_run(std::string(run_.AsBytes()));
    rpc::JobFile& file = *message.mutable_job_inputs()->add_files();
    file.set_path(path);
    file.set_bytes(bytes.size());
    file.set_sha256(std::string(AsText(Sha256(AsBytes(digest_of)))));
    std::vector<Fd> fds;
    fds.push_back(FileWith(bytes));
    Send(message, std::move(fds));
  }
  void Start(const std::string& recipe) {
    rpc::FromCustodian message;
    message.mutable_run_job()->set_run(std::string(run_.AsBytes()));
    message.mutable_run_job()->set_recipe(recipe);
    Send(message);
  }
  void Cancel() {
    rpc::FromCustodian message;
    message.mutable_cancel_job()->set_run(std::string(run_.AsBytes()));
    Send(message);
  }
  // The next messages, until `until` is one of them.
  Told Hear(rpc::ToCustodian::MessageCase until) {
    bool heard = false;
    while (!heard) {
      pollfd wait{.fd = link_->fd(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 20'000) <= 0) {
        ADD_FAILURE() << "the worker says nothing";
        break;
      }
      EXPECT_TRUE(link_->Receive([&](process::Frame frame) {
        rpc::ToCustodian message;
        EXPECT_TRUE(message.ParseFromString(frame.payload));
        Take(message, std::move(frame.fds));
        heard |= message.message_case() == until;
      }));
    }
    return told_;
  }
  void Take(const rpc::ToCustodian& message, std::vector<Fd> fds) {
    if (message.has_worker_hello()) hello_ = message.worker_hello();
    if (message.has_job_runs()) told_.ran = true;
    if (message.has_job_log()) told_.log += message.job_log().text();
    if (message.has_job_progress()) told_.progress.push_back(message.job_progress().fraction());
    for (int i = 0; message.has_job_results() && i < message.job_results().files_size(); ++i)
      told_.files[message.job_results().files(i).path()] = ReadAll(fds.at(static_cast<size_t>(i)));
    if (!message.has_job_ended()) return;
    told_.end = message.job_ended();
    told_.record = boost::json::parse(told_.end.record().empty() ? "{}" : told_.end.record());
  }
  Told RunProgram(const std::string& program, const std::string& limits = "{}") {
    SendInput("code/train.py", "pass", "pass");
    Start(Recipe(program, limits));
    return Hear(rpc::ToCustodian::kJobEnded);
  }

  const fs::path folder_ = fs::temp_directory_path() / ("gc-worker-" + Uuid::Random().ToString());
  const Uuid run_ = Uuid::Random();
  process::EventLoop loop_;
  std::optional<process::FrameSocket> link_;
  std::thread thread_;
  rpc::WorkerHello hello_;
  Told told_;
};

TEST_F(WorkerTest, SaysWhatItHas) {
  Hear(rpc::ToCustodian::kWorkerHello);
  EXPECT_EQ(hello_.name(), "one");
  EXPECT_EQ(hello_.slots(), 2u);
  EXPECT_EQ(hello_.executor(), "bubblewrap");
  ASSERT_EQ(hello_.runners_size(), 1);
  EXPECT_EQ(hello_.runners(0).name(), "plain");
  EXPECT_EQ(hello_.runners(0).lock(), AsText(Sha256(AsBytes("none\n"))));
}

TEST_F(WorkerTest, ARunReadsItsInputsAndItsResultComesBack) {
  SendInput("code/train.py", "dropped", "");
  Cancel();  // not begun: it is dropped
  SendInput("data/digits/train.csv", "a,b", "a,b");
  SendInput("code/train.py", "print(1)", "print(1)");
  Start(Recipe(R"(
import json, os
rows = open('/in/data/digits/train.csv').read()
print('progress 0.5 half way')
json.dump({'rows': len(rows)}, open('/out/metrics.json', 'w'))
open('/out/model.txt', 'w').write(rows.upper() + os.environ['TRAIN_SEED'] + open('/in/code/train.py').read())
)"));
  const Told told = Hear(rpc::ToCustodian::kJobEnded);
  EXPECT_EQ(told.end.ending(), rpc::JobEnded::SUCCEEDED) << told.end.reason() << told.log;
  EXPECT_TRUE(told.ran);
  EXPECT_EQ(told.progress, std::vector<double>{0.5});
  EXPECT_EQ(told.log, "progress 0.5 half way\n");
  EXPECT_EQ(told.files, (std::map<std::string, std::string>{{"model.txt", "A,B0print(1)"}}));
  EXPECT_EQ(told.record.at("metrics").at("rows").to_number<int>(), 3);
  EXPECT_EQ(told.record.at("log_sha256").as_string(), ToHex(Sha256(AsBytes(told.log))).c_str());
  EXPECT_FALSE(told.record.at("machine").at("kernel").as_string().empty());
  EXPECT_GT(told.record.at("used").at("wall_ms").to_number<int>(), 0);
}

// Each within its bound, and together more than a frame carries.
TEST_F(WorkerTest, AResultWithMoreToRecordThanAMessageHoldsFailsByItself) {
  SendInput("code/train.py", "", "");
  Start(Recipe(R"(
names = (f'{i:03}' + '\\u0001' * 163 for i in range(1000))
open('/out/metrics.json', 'w').write('{' + ','.join(f'"{name}":1e20' for name in names) + '}')
open('/out/model.txt', 'w').write('model')
)"));
  const Told told = Hear(rpc::ToCustodian::kJobEnded);
  EXPECT_EQ(told.end.ending(), rpc::JobEnded::FAILED) << told.log;
  EXPECT_THAT(told.end.reason(), ::testing::HasSubstr("is too long: 1"));
  EXPECT_TRUE(told.files.empty());
}

TEST_F(WorkerTest, AWorkerWhoseLinkBreaksIsHeardOf) {
  (void)Hear(rpc::ToCustodian::kWorkerHello);
  // A frame that no custodian sends: longer than any may be.
  ASSERT_EQ(::send(link_->fd(), "\x7f\xff\xff\xff", 4, MSG_NOSIGNAL), 4);
  pollfd wait{.fd = link_->fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&wait, 1, 20'000), 1) << "its link stays open";
  EXPECT_FALSE(link_->Receive([](process::Frame) {}));
}

TEST_F(WorkerTest, AnInputWithOtherBytesEndsTheJobBeforeItBegins) {
  SendInput("code/train.py", "pass", "other bytes");
  Start(Recipe("print('began')"));
  const Told told = Hear(rpc::ToCustodian::kJobEnded);
  EXPECT_EQ(told.end.ending(), rpc::JobEnded::NOT_RUN);
  EXPECT_THAT(told.end.reason(), HasSubstr("other bytes than were registered"));
  EXPECT_FALSE(told.ran);
  EXPECT_EQ(told.log, "");
}

TEST_F(WorkerTest, APathThatLeadsElsewhereIsNotWritten) {
  SendInput("../../escaped", "x", "x");
  Start(Recipe("pass"));
  EXPECT_EQ(Hear(rpc::ToCustodian::kJobEnded).end.ending(), rpc::JobEnded::NOT_RUN);
  EXPECT_FALSE(fs::exists(folder_ / "escaped"));
}

TEST_F(WorkerTest, WhatTheRunDoesWrongIsItsOwnFault) {
  EXPECT_THAT(RunProgram("raise SystemExit(3)").end.reason(), HasSubstr("exit code 3"));
  EXPECT_EQ(told_.end.ending(), rpc::JobEnded::FAILED);
}

TEST_F(WorkerTest, ARunWithoutAModelHasFailed) {
  const Told told = RunProgram("print('done')");
  EXPECT_EQ(told.end.ending(), rpc::JobEnded::FAILED);
  EXPECT_THAT(told.end.reason(), HasSubstr("left no model"));
  EXPECT_TRUE(told.files.empty());
}

TEST_F(WorkerTest, ALinkIsNoModel) {
  EXPECT_THAT(RunProgram("import os; os.symlink('/etc/passwd', '/out/model.bin')").end.reason(),
              HasSubstr("is a link"));
}

TEST_F(WorkerTest, LimitsAboveTheWorkersAreRefusedByName) {
  const Told told = RunProgram("pass", R"({"memory_bytes": 1099511627776})");
  EXPECT_EQ(told.end.ending(), rpc::JobEnded::FAILED);
  EXPECT_THAT(told.end.reason(), HasSubstr("bytes of memory"));
}

TEST_F(WorkerTest, ARunnerThatIsNotThereIsSaid) {
  SendInput("code/x", "x", "x");
  std::string recipe = Recipe("pass");
  recipe.replace(recipe.find("plain"), 5, "torch");
  Start(recipe);
  EXPECT_THAT(Hear(rpc::ToCustodian::kJobEnded).end.reason(), HasSubstr("no runner torch"));
}

TEST_F(WorkerTest, AJobThatIsCancelledEnds) {
  SendInput("code/x", "x", "x");
  Start(Recipe("import time; print('began', flush=True); time.sleep(60)"));
  Hear(rpc::ToCustodian::kJobLog);
  Cancel();
  EXPECT_EQ(Hear(rpc::ToCustodian::kJobEnded).end.ending(), rpc::JobEnded::CANCELLED);
}

TEST_F(WorkerTest, WithoutACustodianNothingGoesOn) {
  SendInput("code/x", "x", "x");
  Start(Recipe("import time; print('began', flush=True); time.sleep(60)"));
  Hear(rpc::ToCustodian::kJobLog);
  const auto begun = std::chrono::steady_clock::now();
  link_.reset();
  thread_.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  thread_ = std::thread([] {});
}

}  // namespace
}  // namespace glasscase::working
