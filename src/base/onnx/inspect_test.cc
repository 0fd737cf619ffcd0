#include <glasscase/onnx/inspect.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build_model_test.h"

namespace glasscase::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

// y = Relu(x·w)
TestModel SmallModel() {
  TestModel model;
  model.Input("x", {"n", 4}).Weights("w", {4, 3}).Output("y", {"n", 3});
  model.Node("MatMul", {"x", "w"}, {"h"}).Named("product");
  model.Node("Relu", {"h"}, {"y"});
  return model;
}

// ---- what is described ----

TEST(InspectTest, DescribesInputsOutputsOpsetsAndParameters) {
  TestModel model = SmallModel();
  model.proto.set_producer_name("maker");
  model.proto.set_producer_version("1.2\n");
  const auto result = model.Inspect();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_THAT(result->inputs, ElementsAre(TensorSpec{"x", DataType::kFp32, {-1, 4}}));
  EXPECT_THAT(result->outputs, ElementsAre(TensorSpec{"y", DataType::kFp32, {-1, 3}}));
  EXPECT_THAT(result->opsets, ElementsAre(Pair("", 17), Pair("ai.onnx.ml", 3)));
  EXPECT_EQ(result->ir_version, 8);
  EXPECT_EQ(result->producer, "maker 1.2\\x0a");
  EXPECT_EQ(result->parameters, 12u);
  EXPECT_THAT(result->external_paths, IsEmpty());
}

TEST(InspectTest, AnInputWithAnInitializerIsNoInput) {
  TestModel model = SmallModel();
  model.Input("w", {4, 3});
  const auto result = model.Inspect();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->inputs.size(), 1u);
}

TEST(InspectTest, StringsAreBytesAndUnnamedDimensionsVary) {
  TestModel model;
  model.Input("x", {"", 2}, TensorProto::STRING).Output("y", {"", 2}, TensorProto::STRING);
  model.Node("Identity", {"x"}, {"y"});
  EXPECT_THAT(model.Inspect()->inputs, ElementsAre(TensorSpec{"x", DataType::kBytes, {-1, 2}}));
}

TEST(InspectTest, TheSameOpsetTwiceIsAccepted) { EXPECT_EQ(Verdict(SmallModel().Import("", 17)), "ok"); }

TEST(InspectTest, TheLongNameOfTheOnnxDomainIsTheShortOne) {
  TestModel model = SmallModel();
  model.graph().mutable_node(1)->set_domain("ai.onnx");
  EXPECT_EQ(Verdict(model), "ok");
}

// ---- the file as a whole ----

TEST(InspectTest, EveryTruncationIsRefused) {
  TestModel model = SmallModel();
  model.proto.mutable_opset_import()->RemoveLast();  // else the file without it is a model too
  const std::string bytes = model.Bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Inspect(AsBytes(bytes).first(size), {}, {})) << size;
  }
}

TEST(InspectTest, TextIsNotAModel) {
  EXPECT_THAT(Verdict(Inspect(AsBytes("#!/bin/sh\necho no model\n"), {}, {})),
              HasSubstr("not an ONNX model"));
}

TEST(InspectTest, AFileOverTheLimitIsRefused) {
  EXPECT_THAT(Verdict(SmallModel().Inspect({}, {.model_bytes_max = 100})), StartsWith("model: "));
}

TEST(InspectTest, ModelAndExternalDataTogetherHaveALimit) {
  const Bytes data(1000);
  const ExternalFile files[] = {{"weights.bin", data}};
  EXPECT_THAT(Verdict(SmallModel().Inspect(files, {.total_bytes_max = 1000})), StartsWith("model: "));
}

TEST(InspectTest, IrVersionsOutsideTheKnownAreRefused) {
  for (const int64_t version : {-1, 0, 2, 14}) {
    TestModel model = SmallModel();
    model.proto.set_ir_version(version);
    EXPECT_THAT(Verdict(model), StartsWith("ir_version: " + std::to_string(version)));
  }
}

TEST(InspectTest, TrainingInfoIsRefused) {
  TestModel model = SmallModel();
  model.proto.add_training_info();
  EXPECT_THAT(Verdict(model), StartsWith("training_info: "));
}

// ---- blow-ups ----

TEST(InspectTest, MillionsOfEmptyNodesAreRefusedBeforeParsing) {
  std::string graph;
  for (int i = 0; i < 3'000'000; ++i) graph += std::string_view("\x0A\x00", 2);
  std::string bytes = "\x08\x08\x3A";
  for (size_t length = graph.size(); length > 0; length >>= 7) {
    bytes += static_cast<char>((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
  }
  EXPECT_THAT(Verdict(Inspect(AsBytes(bytes + graph), {}, {})), HasSubstr("too many small parts"));
}

TEST(InspectTest, NodesAreCountedOverAllGraphs) {
  EXPECT_EQ(Verdict(SmallModel().Inspect({}, {.nodes_max = 2})), "ok");
  EXPECT_EQ(Verdict(SmallModel().Inspect({}, {.nodes_max = 1})), "graph: more than 1 nodes");
}

TEST(InspectTest, DeepSubgraphsAreRefused) {
  GraphProto graph;
  for (int depth = 0; depth < 100; ++depth) {
    GraphProto outer;
    AddNode(*outer.add_node(), "If", {"c"}, {"o" + std::to_string(depth)}).Graph("then_branch", graph);
    graph = outer;
  }
  TestModel model = SmallModel();
  model.Node("If", {"h"}, {"z"}).Graph("then_branch", graph);
  EXPECT_THAT(Verdict(model), HasSubstr("nested more than"));
  EXPECT_THAT(Verdict(model.Inspect({}, {.nesting_max = 200})), Not(HasSubstr("nested more than")));
}

TEST(InspectTest, DeepTypesAreRefused) {
  TestModel model = SmallModel();
  auto* type = model.graph().add_value_info()->mutable_type();
  for (int depth = 0; depth < 1000; ++depth) type = type->mutable_sequence_type()->mutable_elem_type();
  EXPECT_THAT(Verdict(model), HasSubstr("nested more than"));
}

// ---- domains and opsets ----

TEST(InspectTest, OpsetsNewerThanTheRuntimeAreRefusedByNumber) {
  EXPECT_EQ(Verdict(TestModel(27)),
            "opset_import \"ai.onnx\": version 27 is newer than version 26, the newest that the runtime "
            "knows; export "
            "with that one");
  EXPECT_THAT(Verdict(SmallModel().Import("com.microsoft", 2)),
              HasSubstr("version 2 is newer than version 1"));
}

TEST(InspectTest, ContradictingOpsetsAreRefused) {
  EXPECT_THAT(Verdict(SmallModel().Import("ai.onnx", 18)), HasSubstr("two versions"));
}

TEST(InspectTest, UnknownDomainsAreRefusedWithTheNode) {
  TestModel model = SmallModel().Import("com.example", 1);
  model.Node("Magic", {"h"}, {"z"}).Domain("com.example").Named("trick");
  EXPECT_THAT(Verdict(model), StartsWith("node \"trick\" (Magic): domain \"com.example\" is not known"));
}

TEST(InspectTest, AnImportThatNoNodeUsesIsAccepted) {
  EXPECT_EQ(Verdict(SmallModel().Import("com.example", 1)), "ok");
}

TEST(InspectTest, TrainingOperatorsAreRefused) {
  TestModel model = SmallModel().Import("ai.onnx.preview.training", 1);
  model.Node("Adam", {"h"}, {"z"}).Domain("ai.onnx.preview.training");
  EXPECT_THAT(Verdict(model), HasSubstr("for training are not supported"));
}

TEST(InspectTest, CompiledBlobsAreRefused) {
  TestModel model = SmallModel().Import("com.microsoft", 1);
  model.Node("EPContext", {"h"}, {"z"}).Domain("com.microsoft");
  EXPECT_THAT(Verdict(model), HasSubstr("precompiled"));
}

TEST(InspectTest, AUsedDomainMustBeImported) {
  TestModel model = SmallModel();
  model.Node("Gelu", {"h"}, {"z"}).Domain("com.microsoft");
  EXPECT_THAT(Verdict(model), HasSubstr("imports no version of domain \"com.microsoft\""));
}

// ---- names and order ----

TEST(InspectTest, AnInputThatNothingMakesIsNamed) {
  TestModel model = SmallModel();
  model.Node("Relu", {"ghost"}, {"z"}).Named("lost");
  EXPECT_EQ(Verdict(model), "node \"lost\" (Relu): input \"ghost\" is made by nothing");
}

TEST(InspectTest, AnOutputThatNothingMakesIsNamed) {
  EXPECT_EQ(Verdict(SmallModel().Output("ghost", {"n"})), "graph: output \"ghost\" is made by nothing");
}

TEST(InspectTest, ANameDefinedTwiceIsRefused) {
  TestModel twice = SmallModel();
  twice.Node("Relu", {"x"}, {"h"});
  EXPECT_EQ(Verdict(twice), "node 2 (Relu): output \"h\" is defined twice");
  EXPECT_THAT(Verdict(SmallModel().Weights("w", {1})), HasSubstr("initializer \"w\" is defined twice"));
  EXPECT_THAT(Verdict(SmallModel().Output("y", {"n", 3})), HasSubstr("is defined twice"));
  EXPECT_THAT(Verdict(SmallModel().Input("x", {"n", 4})), HasSubstr("is defined twice"));
  EXPECT_THAT(Verdict(SmallModel().Weights("h", {1})), HasSubstr("output \"h\" is defined twice"));
}

TEST(InspectTest, CyclesAreRefused) {
  TestModel model = SmallModel();
  model.Node("Add", {"x", "b"}, {"a"}).Named("chicken");
  model.Node("Relu", {"a"}, {"b"}).Named("egg");
  EXPECT_THAT(Verdict(model),
              StartsWith("node \"chicken\" (Add): the nodes of this graph wait for each other"));
}

TEST(InspectTest, NodesInAnotherOrderAreAcceptedButNotFollowed) {
  TestModel model;
  model.Input("x", {"n", 4}).Output("y", {"n", 4});
  model.Node("Relu", {"h"}, {"y"});
  model.Node("Neg", {"x"}, {"h"});
  EXPECT_EQ(Verdict(model), "ok");
  EXPECT_THAT(Rows(model), HasSubstr("comes later in the file"));
}

TEST(InspectTest, ASubgraphReadsValuesOfTheGraphsAroundIt) {
  GraphProto branch;
  AddNode(*branch.add_node(), "Relu", {"h"}, {"inner"});
  branch.add_output()->set_name("inner");
  TestModel model = SmallModel();
  model.Node("If", {"w"}, {"z"}).Graph("then_branch", branch).Graph("else_branch", branch);
  EXPECT_EQ(Verdict(model), "ok");
  branch.mutable_node(0)->set_input(0, "ghost");
  model.Node("If", {"w"}, {"z2"}).Graph("then_branch", branch);
  EXPECT_EQ(Verdict(model), "node 0 (Relu): input \"ghost\" is made by nothing");
}

TEST(InspectTest, ACycleThroughASubgraphIsRefused) {
  GraphProto branch;
  AddNode(*branch.add_node(), "Relu", {"z"}, {"inner"});
  branch.add_output()->set_name("inner");
  TestModel model = SmallModel();
  model.Node("If", {"w"}, {"z"}).Graph("then_branch", branch);
  EXPECT_THAT(Verdict(model), HasSubstr("wait for each other in a cycle"));
}

// ---- attributes ----

TEST(InspectTest, AnAttributeWhoseTypeLiesIsRefused) {
  TestModel model = SmallModel();
  model.Node("Softmax", {"h"}, {"z"}).Add("axis", AttributeProto::FLOAT).set_i(0);
  EXPECT_EQ(Verdict(model), "node 2 (Softmax): attribute \"axis\": type: does not fit the value that is set");
}

TEST(InspectTest, AnAttributeWithoutATypeIsRefused) {
  TestModel model = SmallModel();
  AttributeProto& axis = *model.Node("Softmax", {"h"}, {"z"}).proto().add_attribute();
  axis.set_name("axis");
  axis.set_i(0);
  EXPECT_THAT(Verdict(model), HasSubstr("attribute \"axis\": type: is not set"));
}

TEST(InspectTest, AnAttributeGivenTwiceIsRefused) {
  TestModel model = SmallModel();
  model.Node("Softmax", {"h"}, {"z"}).Int("axis", 1).Int("axis", 0);
  EXPECT_THAT(Verdict(model), HasSubstr("attribute \"axis\": is given twice"));
}

TEST(InspectTest, OnlyFunctionsReferToAttributesOfTheirCaller) {
  TestModel model = SmallModel();
  model.Node("Softmax", {"h"}, {"z"}).Reference("axis", "a", AttributeProto::INT);
  EXPECT_THAT(Verdict(model), HasSubstr("ref_attr_name"));
}

// ---- types of inputs and outputs ----

TEST(InspectTest, AZipMapOutputIsRefusedWithTheOptionThatAvoidsIt) {
  TestModel model = SmallModel();
  ValueInfoProto& output = *model.graph().add_output();
  output.set_name("output_probability");
  output.mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_map_type()->set_key_type(
      TensorProto::INT64);
  EXPECT_THAT(Verdict(model),
              StartsWith("output \"output_probability\": is a sequence of maps, not a tensor"));
  EXPECT_THAT(Verdict(model), HasSubstr("options={id(model): {'zipmap': False}}"));
}

TEST(InspectTest, MapsOptionalsAndUntypedValuesAreRefused) {
  TestModel map = SmallModel();
  map.graph().mutable_output(0)->mutable_type()->mutable_map_type();
  EXPECT_THAT(Verdict(map), StartsWith("output \"y\": is a map"));
  TestModel optional = SmallModel();
  optional.graph().mutable_input(0)->mutable_type()->mutable_optional_type();
  EXPECT_THAT(Verdict(optional), StartsWith("input \"x\": is an optional"));
  TestModel untyped = SmallModel();
  untyped.graph().mutable_output(0)->clear_type();
  EXPECT_THAT(Verdict(untyped), StartsWith("output \"y\": is a value without a type"));
}

TEST(InspectTest, ElementTypesThatCallersCannotSendAreRefusedByName) {
  TestModel model = SmallModel();
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      TensorProto::FLOAT8E4M3FN);
  EXPECT_THAT(Verdict(model), StartsWith("input \"x\": elements of type FLOAT8E4M3FN are not supported"));
}

TEST(InspectTest, ImpossibleDimensionsAreRefused) {
  for (const int64_t value : {int64_t{-1}, (int64_t{1} << 40) + 1}) {
    TestModel model = SmallModel();
    auto* shape = model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
    shape->mutable_dim(1)->set_dim_value(value);
    EXPECT_THAT(Verdict(model), StartsWith("input \"x\": dimension 1 is " + std::to_string(value)));
  }
}

TEST(InspectTest, AValueWithoutAShapeIsRefused) {
  TestModel model = SmallModel();
  model.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_THAT(Verdict(model), StartsWith("output \"y\": has no shape"));
}

TEST(InspectTest, NamesMustBeShortPrintableText) {
  for (const std::string& name :
       {std::string(), std::string(256, 'a'), std::string("a\nb"), std::string("\xFF")}) {
    TestModel model = SmallModel();
    model.graph().mutable_input(0)->set_name(name);
    EXPECT_THAT(Verdict(model), StartsWith("input \"")) << name;
  }
}

TEST(InspectTest, TooManyInputsOrOutputsAreRefused) {
  EXPECT_EQ(Verdict(SmallModel().Inspect({}, {.inputs_max = 0})), "graph: more than 0 inputs");
  EXPECT_EQ(Verdict(SmallModel().Inspect({}, {.outputs_max = 0})), "graph: more than 0 outputs");
}

// ---- functions ----

TEST(InspectTest, FunctionsOfTheModelAreKnownOperators) {
  TestModel model = SmallModel().Import("test", 1);
  AddNode(*model.Function("Twice", {"a"}, {"b"}).add_node(), "Add", {"a", "a"}, {"b"});
  model.Node("Twice", {"h"}, {"z"}).Domain("test");
  EXPECT_EQ(Verdict(model), "ok");
}

TEST(InspectTest, AFunctionThatCallsItselfIsRefused) {
  TestModel model = SmallModel().Import("test", 1);
  AddNode(*model.Function("Loop", {"a"}, {"b"}).add_node(), "Loop", {"a"}, {"b"}).Domain("test");
  model.Node("Loop", {"h"}, {"z"}).Domain("test");
  EXPECT_EQ(Verdict(model), "function \"test.Loop\": calls itself; recursive functions are not allowed");
}

TEST(InspectTest, FunctionsThatCallEachOtherAreRefusedEvenUnused) {
  TestModel model = SmallModel().Import("test", 1);
  AddNode(*model.Function("A", {"a"}, {"b"}).add_node(), "B", {"a"}, {"b"}).Domain("test");
  AddNode(*model.Function("B", {"a"}, {"b"}).add_node(), "A", {"a"}, {"b"}).Domain("test");
  EXPECT_THAT(Verdict(model), HasSubstr("calls itself"));
}

TEST(InspectTest, CallsThatMultiplyNodesAreRefused) {
  TestModel model = SmallModel().Import("test", 1);
  for (int level = 0; level < 40; ++level) {
    FunctionProto& function = model.Function("F" + std::to_string(level), {"a"}, {"c"});
    const std::string callee = level == 0 ? "Relu" : "F" + std::to_string(level - 1);
    AddNode(*function.add_node(), callee, {"a"}, {"b"}).Domain(level == 0 ? "" : "test");
    AddNode(*function.add_node(), callee, {"b"}, {"c"}).Domain(level == 0 ? "" : "test");
  }
  model.Node("F39", {"h"}, {"z"}).Domain("test");
  EXPECT_THAT(Verdict(model), HasSubstr("with all functions expanded"));
}

TEST(InspectTest, LongChainsOfCallsAreRefused) {
  TestModel model = SmallModel().Import("test", 1);
  for (int level = 0; level < 70; ++level) {
    FunctionProto& function = model.Function("F" + std::to_string(level), {"a"}, {"b"});
    const std::string callee = level == 0 ? "Relu" : "F" + std::to_string(level - 1);
    AddNode(*function.add_node(), callee, {"a"}, {"b"}).Domain(level == 0 ? "" : "test");
  }
  EXPECT_THAT(Verdict(model), HasSubstr("more than 64 deep"));
}

TEST(InspectTest, AFunctionCannotReplaceAnOperator) {
  TestModel model = SmallModel();
  model.Function("Relu", {"a"}, {"b"}).set_domain("");
  EXPECT_THAT(Verdict(model), HasSubstr("need a domain of their own"));
}

TEST(InspectTest, AFunctionBodySeesOnlyItsInputs) {
  TestModel model = SmallModel().Import("test", 1);
  AddNode(*model.Function("F", {"a"}, {"b"}).add_node(), "Add", {"a", "w"}, {"b"});
  EXPECT_EQ(Verdict(model), "function \"test.F\": node 0 (Add): input \"w\" is made by nothing");
}

// ---- operators whose kernel leaves its output unwritten ----

TestModel WithClassifier(const std::string& type) {
  TestModel model;
  model.Input("x", {"n", 4}).Output("p", {"n", ""});
  model.MlNode(type, {"x"}, {"l", "p"});
  return model;
}

TestNode LastNode(TestModel& model) {
  return TestNode(*model.graph().mutable_node(model.graph().node_size() - 1));
}

TEST(InspectTest, AVectorMachineWithOneClassIsRefused) {
  TestModel model = WithClassifier("SVMClassifier");
  LastNode(model).Ints("classlabels_ints", {7});
  EXPECT_THAT(Verdict(model), StartsWith("node 0 (SVMClassifier): classlabels"));
}

TEST(InspectTest, ProbitOverTwoClassesIsRefused) {
  for (const char* type : {"SVMClassifier", "LinearClassifier", "TreeEnsembleClassifier"}) {
    TestModel model = WithClassifier(type);
    LastNode(model).Ints("classlabels_ints", {0, 1}).Text("post_transform", "PROBIT");
    EXPECT_THAT(Verdict(model), HasSubstr("post_transform: PROBIT"));
  }
}

TEST(InspectTest, OneBaseValueForTwoVotedClassesIsRefused) {
  TestModel model = WithClassifier("TreeEnsembleClassifier");
  LastNode(model).Ints("classlabels_int64s", {0, 1}).Floats("base_values", {0.5f}).Ints("class_ids", {0, 0});
  EXPECT_EQ(Verdict(model), "ok");
  TestModel both = WithClassifier("TreeEnsembleClassifier");
  LastNode(both).Ints("classlabels_int64s", {0, 1}).Floats("base_values", {0.5f}).Ints("class_ids", {0, 1});
  EXPECT_THAT(Verdict(both), HasSubstr("base_values"));
}

}  // namespace
}  // namespace glasscase::onnx
