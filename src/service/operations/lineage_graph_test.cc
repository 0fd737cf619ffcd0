// The lineage as a graph: drawn from both ends, as far as the caller may see, without cycles.
#include <gmock/gmock.h>

#include <algorithm>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class LineageGraphTest : public OperationsTest {
 protected:
  void Make(std::string_view token, std::string_view name,
            const std::vector<std::pair<std::string, std::string>>& parents = {}) {
    const rpc::Response answer = Keep(token, name, {{"f", std::string(name) + std::to_string(++made_)}},
                                      [&](rpc::PublishRequest& request) {
                                        for (const auto& [parent, relation] : parents)
                                          MadeFrom(request, parent, relation);
                                      });
    ASSERT_EQ(answer.code(), 0u) << answer.message();
  }
  rpc::LineageAnswer Graph(std::string_view token, std::string_view model) {
    rpc::Request request;
    request.mutable_lineage()->set_model(std::string(model));
    return Do(token, request).lineage();
  }
  // "child relation parent", by name or, where there is none, "?".
  static std::vector<std::string> Links(const rpc::LineageAnswer& graph) {
    const auto name = [&](const std::string& version) {
      for (const rpc::LineageNode& node : graph.nodes())
        if (node.version() == version) return node.name().empty() ? std::string("?") : node.name();
      return std::string("not a node");
    };
    std::vector<std::string> links;
    for (const rpc::LineageLink& link : graph.links())
      links.push_back(name(link.child()) + " " + link.relation() + " " + name(link.parent()));
    return links;
  }

  int made_ = 0;
};

TEST_F(LineageGraphTest, ReachesBothWaysAndMeetsSharedNodesOnce) {
  Make(root, "data");
  Make(root, "base", {{"data", "trained_on"}});
  Make(root, "tuned", {{"base", "derived_from"}, {"data", "tested_on"}, {"data", "tested_on"}});
  Make(root, "release", {{"tuned", "released_as"}});
  Make(root, "beside", {{"data", "derived_from"}});
  const rpc::LineageAnswer graph = Graph(root, "tuned");
  EXPECT_EQ(graph.nodes_size(), 4);
  EXPECT_EQ(graph.nodes(0).version(), graph.version());
  EXPECT_THAT(Links(graph), UnorderedElementsAre("teacher/tuned@1 derived_from teacher/base@1",
                                                 "teacher/tuned@1 tested_on teacher/data@1",
                                                 "teacher/base@1 trained_on teacher/data@1",
                                                 "teacher/release@1 released_as teacher/tuned@1"));
  EXPECT_EQ(graph.links(0).by(), "claimed");
}

TEST_F(LineageGraphTest, WitnessedEdgesSaySo) {
  Make(root, "data");
  Make(root, "base");
  const auto version = [&](const char* name) {
    return Uuid::Parse(Do(root, ShowModel(name)).model().versions(0).id()).value();
  };
  const catalog::Lineage edge{.child = version("base"),
                              .parent = version("data"),
                              .relation = catalog::Relation::kTrainedOn,
                              .witnessed = true};
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertLineage(edge));
  ASSERT_TRUE(transaction->Commit());
  transaction.reset();
  EXPECT_EQ(Graph(root, "base").links(0).by(), "witnessed");
}

TEST_F(LineageGraphTest, WhatTheCallerMayNotSeeIsAUuidAndEndsTheWalk) {
  Make(root, "hidden");
  Make(root, "between", {{"hidden", "derived_from"}});
  Make(root, "shown", {{"between", "derived_from"}});
  const std::string ada = Enrol(root, "ada");
  Do(root, GrantTake("ada", "shown"));
  const rpc::LineageAnswer graph = Graph(ada, "shown");
  EXPECT_THAT(Links(graph), ElementsAre("teacher/shown@1 derived_from ?"));
  EXPECT_EQ(graph.nodes(1).kind(), "");
  EXPECT_EQ(graph.nodes(1).version(), Do(root, ShowModel("between")).model().versions(0).id());
  rpc::Request request;
  request.mutable_lineage()->set_model("teacher/between");
  EXPECT_EQ(CodeOf(Ask(ada, request)), Code::kNotFound);
}

TEST_F(LineageGraphTest, DepthAndWidthAreBoundedAndTheRestIsCounted) {
  Make(root, "d-0");
  for (int i = 1; i <= 20; ++i)
    Make(root, "d-" + std::to_string(i), {{"d-" + std::to_string(i - 1), "derived_from"}});
  for (int i = 0; i < 40; ++i) Make(root, "w-" + std::to_string(i), {{"d-20", "derived_from"}});
  const rpc::LineageAnswer graph = Graph(root, "d-20");
  EXPECT_EQ(graph.nodes_size(), 1 + 16 + 32);
  EXPECT_EQ(graph.nodes(0).more_children(), 8u);
  const auto deepest = std::find_if(graph.nodes().begin(), graph.nodes().end(),
                                    [](const auto& node) { return node.name() == "teacher/d-4@1"; });
  ASSERT_NE(deepest, graph.nodes().end());
  EXPECT_EQ(deepest->more_parents(), 1u);
}

TEST_F(LineageGraphTest, NothingIsMadeFromItself) {
  Make(root, "data");
  const auto again = [&](const AdjustPublish& adjust) {
    return Keep(root, "data", {{"f", "data1"}}, [&](rpc::PublishRequest& request) {
      request.set_version("1");
      adjust(request);
    });
  };
  EXPECT_TRUE(again([](auto&) {}).published().already_published());
  const rpc::Response itself = again([](auto& request) { MadeFrom(request, "data@1"); });
  EXPECT_EQ(CodeOf(itself), Code::kInvalidArgument);
  EXPECT_THAT(itself.message(), HasSubstr("made from itself"));
  // What was made from it cannot become its parent either.
  Make(root, "tuned", {{"data", "derived_from"}});
  EXPECT_EQ(CodeOf(again([](auto& request) { MadeFrom(request, "tuned"); })), Code::kAlreadyExists);
  EXPECT_THAT(Links(Graph(root, "data")), ElementsAre("teacher/tuned@1 derived_from teacher/data@1"));
}

}  // namespace
}  // namespace glasscase::operations::testing
