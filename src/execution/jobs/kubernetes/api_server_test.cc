#include "api_server.h"

#include <filesystem>
#include <fstream>

#include <glasscase/core/ids.h>
#include <glasscase/fetch/testing/loopback_server.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
using fetch::testing::Connection;
using fetch::testing::LoopbackServer;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<ApiServer> Connect(const LoopbackServer& server, const std::string& token_file = "") {
  return ApiServer::Connect({.url = server.url(), .token_file = token_file}).value();
}

TEST(ApiServer, ItIsAskedOverTlsOnly) {
  const auto server = ApiServer::Connect({.url = "http://cluster.example"});
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message(), HasSubstr("https"));
}

TEST(ApiServer, ATokenThatWasReplacedCountsFromTheNextRequestOn) {
  const std::string file = std::filesystem::temp_directory_path() / ("gc-token-" + Uuid::Random().ToString());
  std::vector<std::string> asked;
  LoopbackServer server([&](Connection& connection) {
    for (std::string request = connection.ReadRequest(); !request.empty();
         request = connection.ReadRequest()) {
      asked.push_back(request);
      connection.SendAnswer(200, "{}");
    }
  });
  const auto api = Connect(server, file);
  const auto without = api->Get("/x");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(without.error().message(), HasSubstr(file));
  std::ofstream(file) << "first\n";
  EXPECT_TRUE(api->Get("/x"));
  std::ofstream(file) << "second";
  EXPECT_TRUE(api->Create("/x", bj::object{}));
  EXPECT_THAT(asked.at(0), HasSubstr("Authorization: Bearer first\r\n"));
  EXPECT_THAT(asked.at(1), HasSubstr("Authorization: Bearer second\r\n"));
  std::filesystem::remove(file);
}

TEST(ApiServer, ItsRefusalsAreToldApartAndInItsWords) {
  int status = 0;
  LoopbackServer server([&](Connection& connection) {
    while (!connection.ReadRequest().empty())
      connection.SendAnswer(status, R"({"kind":"Status","message":"the words"})", "Retry-After: 7\r\n");
  });
  const auto api = Connect(server);
  for (const auto& [number, code] :
       {std::pair(400, Code::kInvalidArgument), std::pair(401, Code::kUnauthenticated),
        std::pair(403, Code::kPermissionDenied), std::pair(404, Code::kNotFound),
        std::pair(409, Code::kAlreadyExists), std::pair(422, Code::kInvalidArgument),
        std::pair(429, Code::kUnavailable), std::pair(503, Code::kUnavailable)}) {
    status = number;
    const auto answer = api->Get("/x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), code) << number;
    EXPECT_THAT(answer.error().message(), HasSubstr("the words"));
    EXPECT_EQ(api->retry_after_ms(), 7'000);
  }
}

TEST(ApiServer, AnAnswerThatIsNoJsonIsNoAnswer) {
  LoopbackServer server([](Connection& connection) {
    while (!connection.ReadRequest().empty()) connection.SendAnswer(200, "<html>");
  });
  EXPECT_EQ(Connect(server)->Get("/x").error().code(), Code::kUnavailable);
}

TEST(ApiServer, QueriesAreEscaped) { EXPECT_EQ(InQuery("glasscase/job=a b"), "glasscase%2fjob%3da%20b"); }

}  // namespace
}  // namespace glasscase::jobs
