// Servers that misbehave in ways that a real one does only now and then. What a real one does:
// tests/kubernetes.
#include "cluster_job.h"

#include <filesystem>
#include <mutex>

#include <glasscase/core/ids.h>
#include <glasscase/fetch/testing/loopback_server.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using fetch::testing::Connection;
using fetch::testing::LoopbackServer;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kDone[] =
    R"({"items":[{"metadata":{"name":"p"},"status":{"phase":"Succeeded","containerStatuses":[{"state":{"terminated":{"exitCode":0}}}]}}]})";

class Quiet final : public JobWatcher {
 public:
  void OnLog(std::string_view bytes) override { log += bytes; }
  std::string log;
};

// A server that has one job at most, whose pod has ended as soon as it is made.
class ClusterJobTest : public ::testing::Test {
 protected:
  ClusterJobTest() { fs::create_directories(folder_ / "w" / "run" / "out"); }
  ~ClusterJobTest() override { fs::remove_all(folder_); }

  JobEnd Run(int64_t patience_ms = 5'000) {
    LoopbackServer server([this](Connection& connection) {
      for (std::string request = connection.ReadRequest(); !request.empty();
           request = connection.ReadRequest())
        if (!Serve(request, connection)) return;
    });
    const KubernetesOptions options{
        .access = {.url = server.url()}, .claim = "files", .folder = folder_, .patience_ms = patience_ms};
    const Job job{.folder = folder_ / "w" / "run",
                  .image = "registry.example/a@sha256:" + std::string(64, 'a'),
                  .command = {"true"}};
    const auto api = ApiServer::Connect(options.access);
    return ClusterJob(options, 1'000, **api, job, watcher_).Run();
  }

  bool Serve(const std::string& request, Connection& connection) {
    const std::lock_guard lock(mutex_);
    if (request.starts_with("POST")) return ServeCreate(request, connection);
    if (request.starts_with("DELETE")) {
      is_there_ = false;
      return connection.SendAnswer(200, "{}");
    }
    if (request.find("/log?") != std::string::npos)
      return connection.SendAnswer(200, "2026-11-21T16:13:33.000000001Z said\n");
    if (request.find("/pods?") != std::string::npos)
      return connection.SendAnswer(200, is_there_ ? kDone : R"({"items":[]})");
    return connection.SendAnswer(is_there_ ? 200 : 404, R"({"message":"not found"})");
  }
  bool ServeCreate(const std::string& request, Connection& connection) {
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    names_.emplace_back(bj::parse(body).at_pointer("/metadata/name").as_string());
    times_.push_back(std::chrono::steady_clock::now());
    const int status =
        static_cast<size_t>(names_.size()) <= first_.size() ? first_[names_.size() - 1] : last_;
    if (status == 0) {  // it makes it and is gone
      is_there_ = true;
      return false;
    }
    if (status == 201) is_there_ = true;
    return connection.SendAnswer(status, R"({"message":"its words"})",
                                 status == 429 ? "Retry-After: 1\r\n" : "");
  }

  std::vector<int> first_;  // how the first attempts to make it are answered; 0: by closing the connection
  int last_ = 201;
  const fs::path folder_ = fs::temp_directory_path() / ("gc-cluster-" + Uuid::Random().ToString());
  std::mutex mutex_;
  bool is_there_ = false;
  std::vector<std::string> names_;
  std::vector<std::chrono::steady_clock::time_point> times_;
  Quiet watcher_;
};

TEST_F(ClusterJobTest, OneWhoseMakingWasAnsweredByACutConnectionIsNotMadeTwice) {
  first_ = {0};
  last_ = 409;
  const JobEnd end = Run();
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(watcher_.log, "said\n");
  ASSERT_THAT(names_, SizeIs(2));
  EXPECT_EQ(names_[0], names_[1]);
  EXPECT_FALSE(is_there_);
}

TEST_F(ClusterJobTest, ABusyServerIsLeftAloneForAsLongAsItAsks) {
  first_ = {429};
  EXPECT_EQ(Run().ending, Ending::kSucceeded);
  ASSERT_THAT(times_, SizeIs(2));
  EXPECT_GE(times_[1] - times_[0], std::chrono::milliseconds(950));
}

TEST_F(ClusterJobTest, AServerInTroubleIsAskedAgainUntilPatienceEnds) {
  last_ = 503;
  const JobEnd end = Run(1'000);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("its words"));
  EXPECT_GT(names_.size(), 1u);
}

TEST_F(ClusterJobTest, ARefusalCountsAtOnce) {
  last_ = 403;
  const JobEnd end = Run();
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("403"));
  EXPECT_THAT(names_, SizeIs(1));
}

}  // namespace
}  // namespace glasscase::jobs
