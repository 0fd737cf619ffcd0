#include <glasscase/onnx/plain_graph.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/onnx/write.h>

namespace glasscase::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;

template <typename List>
List Numbers(const Result<std::vector<PlainTensor>>& outputs, size_t place = 0) {
  EXPECT_TRUE(outputs) << outputs.error().message();
  return outputs ? std::get<List>(outputs->at(place).data) : List{};
}

// x0 < 0.5 (NaN: yes) ? 1 : (x1 <= 2 (NaN: no) ? 10 : 20), twice, the second with the modes given.
std::string Trees(std::string_view mode, int64_t yes = 3, const std::string& aggregate = "SUM") {
  ModelWriter writer("trees", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddNode({.type = "TreeEnsembleRegressor",
                  .inputs = {"x"},
                  .outputs = {"y"},
                  .attributes = {{"n_targets", int64_t{1}},
                                 {"aggregate_function", aggregate},
                                 {"post_transform", std::string("NONE")},
                                 {"nodes_treeids", Integers{4, 4, 4, 4, 4}},
                                 {"nodes_nodeids", Integers{0, 1, 2, 3, 4}},
                                 {"nodes_featureids", Integers{0, 0, 1, 0, 0}},
                                 {"nodes_modes",
                                  std::vector<std::string_view>{"BRANCH_LT", "LEAF", mode, "LEAF", "LEAF"}},
                                 {"nodes_truenodeids", Integers{1, 0, yes, 0, 0}},
                                 {"nodes_falsenodeids", Integers{2, 0, 4, 0, 0}},
                                 {"nodes_missing_value_tracks_true", Integers{1, 0, 0, 0, 0}},
                                 {"nodes_values", Floats{0.5F, 0, 2, 0, 0}},
                                 {"target_treeids", Integers{4, 4, 4}},
                                 {"target_nodeids", Integers{1, 3, 4}},
                                 {"target_ids", Integers{0, 0, 0}},
                                 {"target_weights", Floats{1, 10, 20}}},
                  .domain = kAiOnnxMl});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 1}});
  return *writer.Finish();
}

Result<std::vector<PlainTensor>> RunTrees(std::string_view mode, Floats x, int64_t yes = 3) {
  const auto graph = PlainGraph::Read(AsBytes(Trees(mode, yes)));
  if (!graph) return Fail(graph.error());
  const auto rows = static_cast<int64_t>(x.size() / 2);
  return graph->Run({.shape = {rows, 2}, .data = std::move(x)});
}

TEST(PlainGraphTest, ARowGoesWhereItsComparisonAndItsMissingValueLead) {
  const float below = std::nextafter(0.5F, 0.0F);
  EXPECT_THAT(Numbers<Floats>(RunTrees("BRANCH_LEQ", {below, 9, 0.5F, 2, 0.5F, 2.5F, NAN, 0, 1, NAN})),
              ElementsAre(1, 10, 20, 1, 20));
  EXPECT_THAT(Numbers<Floats>(RunTrees("BRANCH_LT", {0.5F, 2, 0.5F, 1})), ElementsAre(20, 10));
}

TEST(PlainGraphTest, TreesThatAreNoneAndModesOfOthersAreRefused) {
  EXPECT_THAT(RunTrees("BRANCH_GT", {1, 1}).error().message(), HasSubstr("the mode BRANCH_GT"));
  EXPECT_THAT(RunTrees("BRANCH_LT", {1, 1}, 9).error().message(), HasSubstr("leads nowhere"));
  EXPECT_THAT(RunTrees("BRANCH_LT", {1, 1}, 0).error().message(), HasSubstr("in circles"));
  EXPECT_THAT(PlainGraph::Read(AsBytes(Trees("LEAF", 3, "MAX"))).error().message(), HasSubstr("MAX"));
}

TEST(PlainGraphTest, OperatorsDoWhatTheirTextSays) {
  ModelWriter writer("all", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddConstant("two", {1}, Floats{2});
  writer.AddConstant("weights", {2, 2}, std::vector<double>{1, 10, 100, 1000});
  writer.AddConstant("names", {2}, std::vector<std::string>{"a", "b"});
  const auto add = [&](std::string_view type, std::vector<std::string> inputs, const char* output,
                       std::vector<Attribute> attributes = {}) {
    writer.AddNode({.type = type,
                    .inputs = std::move(inputs),
                    .outputs = {output},
                    .attributes = std::move(attributes)});
  };
  add("Div", {"x", "two"}, "half");
  add("Cast", {"half"}, "wide", {{"to", int64_t{11}}});
  add("MatMul", {"wide", "weights"}, "products");
  add("Softmax", {"half"}, "shares", {{"axis", int64_t{1}}});
  add("ArgMax", {"half"}, "top", {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  add("Gather", {"names", "top"}, "label", {{"axis", int64_t{0}}});
  for (const char* output : {"products", "shares"})
    writer.AddOutput({.name = output, .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddOutput({.name = "label", .datatype = DataType::kBytes, .shape = {-1}});
  const auto graph = PlainGraph::Read(AsBytes(*writer.Finish()));
  ASSERT_TRUE(graph) << graph.error().message();
  const auto outputs = graph->Run({.shape = {2, 2}, .data = Floats{2, 4, 6, 6}});
  EXPECT_THAT(Numbers<std::vector<double>>(outputs), ElementsAre(201, 2010, 303, 3030));
  EXPECT_THAT(Numbers<Floats>(outputs, 1),
              ElementsAre(::testing::FloatEq(0.26894142F), ::testing::FloatEq(0.73105858F), 0.5F, 0.5F));
  EXPECT_THAT(Numbers<std::vector<std::string>>(outputs, 2), ElementsAre("b", "a"));
}

// One node "y" of x, float32 [rows, 2], and of `second`, if it has a shape.
template <typename Number>
Result<std::vector<PlainTensor>> RunOne(std::string_view type, std::vector<int64_t> shape,
                                        const std::vector<Number>& second,
                                        std::vector<Attribute> attributes = {}) {
  ModelWriter writer("one", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  std::vector<std::string> inputs = {"x"};
  if (!second.empty()) {
    inputs.emplace_back("second");
    writer.AddConstant("second", std::move(shape), second);
  }
  writer.AddNode({.type = type, .inputs = inputs, .outputs = {"y"}, .attributes = std::move(attributes)});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 1}});
  const auto graph = PlainGraph::Read(AsBytes(*writer.Finish()));
  if (!graph) return Fail(graph.error());
  return graph->Run({.shape = {2, 2}, .data = Floats{1, 2, 3, 4}});
}

MATCHER(IsUnimplemented, "") { return !arg && arg.error().code() == Code::kUnimplemented; }

// x's rows are [1,2] and [3,4]; divided by themselves, they are equal.
TEST(PlainGraphTest, OfEqualNumbersTheFirstOrTheLastIsTheTop) {
  const auto top = [](std::string_view made_by, std::vector<Attribute> attributes) {
    ModelWriter writer("top", "a test");
    writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
    writer.AddNode({.type = made_by, .inputs = {"x", "x"}, .outputs = {"made"}});
    attributes.insert(attributes.end(), {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
    writer.AddNode(
        {.type = "ArgMax", .inputs = {"made"}, .outputs = {"y"}, .attributes = std::move(attributes)});
    writer.AddOutput({.name = "y", .datatype = DataType::kInt64, .shape = {-1}});
    return PlainGraph::Read(AsBytes(*writer.Finish()))->Run({.shape = {2, 2}, .data = Floats{1, 2, 3, 4}});
  };
  const Attribute last{"select_last_index", int64_t{1}};
  EXPECT_THAT(Numbers<Integers>(top("Div", {})), ElementsAre(0, 0));
  EXPECT_THAT(Numbers<Integers>(top("Div", {last})), ElementsAre(1, 1));
  EXPECT_THAT(Numbers<Integers>(top("Mul", {last})), ElementsAre(1, 1));
}

TEST(PlainGraphTest, SharesAreOfEachRow) {
  for (const auto& across : {std::vector<Attribute>{}, std::vector<Attribute>{{"axis", int64_t{-1}}}})
    EXPECT_THAT(
        Numbers<Floats>(RunOne<float>("Softmax", {}, {}, across)),
        ::testing::Each(::testing::AnyOf(::testing::FloatEq(0.26894142F), ::testing::FloatEq(0.73105858F))));
  EXPECT_THAT(RunOne<float>("Softmax", {}, {}, {{"axis", int64_t{0}}}), IsUnimplemented());
}

TEST(PlainGraphTest, AProductWithAListIsRefused) {
  ModelWriter writer("list", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 1}});
  writer.AddConstant("list", {2}, std::vector<double>{1, 10});
  writer.AddNode({.type = "Cast", .inputs = {"x"}, .outputs = {"wide"}, .attributes = {{"to", int64_t{11}}}});
  writer.AddNode({.type = "MatMul", .inputs = {"wide", "list"}, .outputs = {"y"}});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 1}});
  const auto graph = PlainGraph::Read(AsBytes(*writer.Finish()));
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_THAT(graph->Run({.shape = {2, 1}, .data = Floats{1, 2}}), IsUnimplemented());
}

TEST(PlainGraphTest, AnOperatorThatItDoesNotKnowIsNamed) {
  ModelWriter writer("other", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddNode({.type = "Erf", .inputs = {"x"}, .outputs = {"y"}});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 2}});
  const auto outputs =
      PlainGraph::Read(AsBytes(*writer.Finish()))->Run({.shape = {1, 2}, .data = Floats{1, 2}});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code(), Code::kUnimplemented);
  EXPECT_THAT(outputs.error().message(), HasSubstr("Erf"));
}

}  // namespace
}  // namespace glasscase::onnx
