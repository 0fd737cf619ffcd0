#include <glasscase/http/routes.h>

#include <set>

#include <gtest/gtest.h>

#include <glasscase/rpc/link.pb.h>

namespace glasscase::http {
namespace {

const Route* Find(Method method, std::string_view path) {
  RouteMatch match;
  FindRoute(method, path, match);
  return match.route;
}

// The whole table: a new row must say on purpose that it needs no token, or which roles may use it.
TEST(RoutesTest, OnlyThePageHealthAndTheLogNeedNoToken) {
  std::set<std::string_view> open;
  for (const Route& route : Routes()) {
    if (route.presents == Presents::kNothing) open.insert(route.path);
    const bool restricted = route.presents != Presents::kToken || route.roles != 0;
    EXPECT_TRUE(restricted) << route.path;
  }
  EXPECT_EQ(open, (std::set<std::string_view>{"/", "/log/{path...}", "/v2/health/live", "/v2/health/ready"}));
}

// Files leave through the control listener alone, also for learners who were granted to take them.
TEST(RoutesTest, LearnersReachNoControlRouteButTaking) {
  std::set<std::string_view> for_learners;
  for (const Route& route : Routes())
    if (route.listener == Listener::kControl && (route.roles & access::kLearner) != 0)
      for_learners.insert(route.path);
  EXPECT_EQ(for_learners, (std::set<std::string_view>{"/glasscase/v1/models/{model}/files",
                                                      "/glasscase/v1/models/{model}/files/{file}",
                                                      "/glasscase/v1/models/{model}/signature"}));
}

TEST(RoutesTest, IdsAndMethodPathPairsAreUnique) {
  std::set<uint16_t> ids;
  std::set<std::pair<std::string_view, std::string_view>> pairs;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(ids.insert(route.id).second) << route.id;
    EXPECT_TRUE(pairs.insert({MethodName(route.method), route.path}).second) << route.path;
    EXPECT_EQ(RouteName(route.id), route.name);
  }
}

TEST(RoutesTest, EveryOperationOfTheCustodianHasARoute) {
  // Waiting for what becomes of an upload's bytes is the second half of writing them.
  std::set<int> served = {rpc::Request::kAwaitUpload};
  for (const Route& route : Routes()) served.insert(route.operation);
  const auto* operations = rpc::Request::descriptor()->FindOneofByName("op");
  for (int i = 0; i < operations->field_count(); ++i) {
    EXPECT_TRUE(served.contains(operations->field(i)->number())) << operations->field(i)->name();
  }
}

TEST(RoutesTest, EveryRowIsFoundByItsOwnPath) {
  for (const Route& route : Routes()) {
    std::string path(route.path);
    while (path.find('{') != std::string::npos)
      path.replace(path.find('{'), path.find('}') - path.find('{') + 1, "x");
    ASSERT_NE(Find(route.method, path), nullptr) << path;
    EXPECT_EQ(Find(route.method, path)->id, route.id) << path;
  }
}

TEST(RoutesTest, LiteralSegmentsWinOverNames) {
  EXPECT_EQ(Find(Method::kGet, "/v2/models/stats")->name, "statistics");
  EXPECT_EQ(Find(Method::kPost, "/glasscase/v1/tokens/rotate")->name, "rotate token");
}

TEST(RoutesTest, NothingElseMatches) {
  for (const char* path :
       {"", "v2", "//", "/v2/", "/v2/models", "/v2/models/", "/v2/models//infer", "/v2/models/a/b/c/infer",
        "/v2/models/a/infer/", "/V2/models/a/infer", "/v2/models/a/versions//infer", "/v1/models", "/v2/../",
        "/glasscase/v1/grants/a/b"}) {
    EXPECT_EQ(Find(Method::kPost, path), nullptr) << path;
    EXPECT_EQ(Find(Method::kGet, path), nullptr) << path;
  }
}

TEST(RoutesTest, NamesAreDecodedAfterSplitting) {
  RouteMatch match;
  FindRoute(Method::kPost, "/v2/models/anna%2Fdigits/versions/1/infer", match);
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameters[0], "anna/digits");
  EXPECT_EQ(match.parameters[1], "1");
  FindRoute(Method::kPost, "/v2/models/a%2/infer", match);
  EXPECT_TRUE(match.bad_encoding);
  FindRoute(Method::kPost, "/v2/models/a%00b/infer", match);
  EXPECT_TRUE(match.bad_encoding);
}

TEST(RoutesTest, OwnerAndNameMayBeTwoSegments) {
  RouteMatch match;
  FindRoute(Method::kPost, "/v2/models/anna/digits/versions/1/infer", match);
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameters[0], "anna/digits");
  EXPECT_EQ(match.parameters[1], "1");
  FindRoute(Method::kGet, "/v2/models/anna/digits", match);
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameters[0], "anna/digits");
  FindRoute(Method::kGet, "/v2/models/digits/ready", match);
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameters[0], "digits");
}

TEST(RoutesTest, AWrongMethodSaysWhichOnesWouldDo) {
  RouteMatch match;
  FindRoute(Method::kGet, "/v2/models/a/infer", match);
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "POST");
}

}  // namespace
}  // namespace glasscase::http
