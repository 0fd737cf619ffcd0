// Graphs whose rows are proved to stay apart: what exporters make.
#include "rows.h"

#include <gtest/gtest.h>

#include "build_model_test.h"

namespace glasscase::onnx {
namespace {

TestModel Matrix(int64_t opset = 17) { return TestModel(opset).Input("x", {"n", 4}); }
TestModel Images() { return TestModel().Input("x", {"n", 3, 8, 8}); }

TEST(RowsTest, ADenseLayer) {
  TestModel model = Matrix().Weights("w", {3, 4}).Weights("b", {3}).Output("y", {"n", 3});
  model.Node("Gemm", {"x", "w", "b"}, {"h"}).Int("transB", 1);
  model.Node("Relu", {"h"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, UnnamedDimensionsVaryToo) {
  TestModel model = TestModel().Input("x", {"", 4}).Output("y", {"", 4});
  model.Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, SoftmaxOverTheClasses) {
  TestModel model = Matrix().Output("y", {"n", 4}).Output("z", {"n", 4});
  model.Node("Softmax", {"x"}, {"y"});
  model.Node("LogSoftmax", {"x"}, {"z"}).Int("axis", 1);
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, TheLabelPathOfScikitLearn) {
  TestModel model = Matrix()
                        .Integers("classes", {0, 1, 2, 3})
                        .Integers("flat", {-1})
                        .Output("label", {""}, TensorProto::INT64);
  model.Node("ArgMax", {"x"}, {"best"}).Int("axis", 1);
  model.MlNode("ArrayFeatureExtractor", {"classes", "best"}, {"picked"});  // [1, n]: the rows have moved
  model.Node("Reshape", {"picked", "flat"}, {"back"});
  model.Node("Cast", {"back"}, {"label"}).Int("to", TensorProto::INT64);
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AScaledLinearClassifier) {
  TestModel model = Matrix().Output("l", {""}, TensorProto::INT64).Output("p", {"", 3});
  model.MlNode("Scaler", {"x"}, {"s"}).Floats("offset", {0, 0, 0, 0}).Floats("scale", {1, 1, 1, 1});
  model.MlNode("LinearClassifier", {"s"}, {"l", "t"})
      .Floats("coefficients", std::vector<float>(12))
      .Floats("intercepts", {0, 0, 0})
      .Ints("classlabels_ints", {0, 1, 2});
  model.MlNode("Normalizer", {"t"}, {"p"}).Text("norm", "L1");
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, ColumnsOfProbabilitiesTakenApart) {
  TestModel model =
      Matrix().Integers("zero", {0}).Integers("one", {1}).Integers("flat", {-1}).Output("y", {"n"});
  model.MlNode("TreeEnsembleClassifier", {"x"}, {"l", "p"}).Ints("classlabels_int64s", {0, 1, 2});
  model.Node("Slice", {"p", "zero", "one", "one"}, {"column"});
  model.Node("Reshape", {"column", "flat"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AConvolutionalNetwork) {
  TestModel model = Images()
                        .Weights("w", {5, 3, 3, 3})
                        .Weights("c", {5})
                        .Weights("v", {80, 10})
                        .Integers("flat", {-1, 80})
                        .Output("y", {"n", 10});
  model.Node("Conv", {"x", "w"}, {"a"}).Ints("pads", {1, 1, 1, 1});
  model.Node("BatchNormalization", {"a", "c", "c", "c", "c"}, {"b"});
  model.Node("MaxPool", {"b"}, {"d"}).Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2});
  model.Node("Reshape", {"d", "flat"}, {"e"});
  model.Node("MatMul", {"e", "v"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, PoolingOverImagesOfAnySize) {
  TestModel model = TestModel().Input("x", {"n", 3, "h", "w"}).Weights("v", {3, 2}).Output("y", {"n", 2});
  model.Node("GlobalAveragePool", {"x"}, {"p"});
  model.Node("Flatten", {"p"}, {"f"});
  model.Node("MatMul", {"f", "v"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AReshapeByTheNumberOfRows) {
  TestModel model =
      Images().Scalar("zero", 0).Integers("front", {0}).Integers("rest", {-1}).Output("y", {"n", ""});
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Gather", {"s", "zero"}, {"n"});
  model.Node("Unsqueeze", {"n", "front"}, {"n1"});
  model.Node("Concat", {"n1", "rest"}, {"to"}).Int("axis", 0);
  model.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AReshapeThatCopiesTheRows) {
  TestModel model = Images().Integers("to", {0, -1}).Output("y", {"n", ""});
  model.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, RowsSplitIntoTokensAndBack) {
  TestModel model = TestModel()
                        .Input("x", {"n", 6, 4})
                        .Weights("w", {4, 3})
                        .Integers("tokens", {-1, 4})
                        .Integers("back", {-1, 6, 3})
                        .Output("y", {"n", 6, 3});
  model.Node("Reshape", {"x", "tokens"}, {"a"});
  model.Node("MatMul", {"a", "w"}, {"b"});
  model.Node("Reshape", {"b", "back"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AttentionOverTheTokensOfARow) {
  TestModel model = TestModel()
                        .Input("x", {"n", "t", 8})
                        .Integers("heads", {0, 0, 2, 4})
                        .Integers("joined", {0, 0, 8})
                        .Output("y", {"n", "t", 8});
  model.Node("Reshape", {"x", "heads"}, {"h"});
  model.Node("Transpose", {"h"}, {"q"}).Ints("perm", {0, 2, 1, 3});
  model.Node("Transpose", {"h"}, {"k"}).Ints("perm", {0, 2, 3, 1});
  model.Node("MatMul", {"q", "k"}, {"scores"});
  model.Node("Softmax", {"scores"}, {"weights"}).Int("axis", -1);
  model.Node("MatMul", {"weights", "q"}, {"mixed"});
  model.Node("Transpose", {"mixed"}, {"m"}).Ints("perm", {0, 2, 1, 3});
  model.Node("Reshape", {"m", "joined"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AnEmbeddingAndALayerNorm) {
  TestModel model = TestModel()
                        .Input("x", {"n", "t"}, TensorProto::INT64)
                        .Weights("e", {100, 8})
                        .Weights("g", {8})
                        .Integers("tokens", {1})
                        .Output("y", {"n", 8});
  model.Node("Gather", {"e", "x"}, {"a"});
  model.Node("LayerNormalization", {"a", "g", "g"}, {"b"});
  model.Node("ReduceMean", {"b"}, {"y"}).Ints("axes", {1}).Int("keepdims", 0);
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, ARecurrentNetworkThatStartsFromZeros) {
  TestModel model = TestModel()
                        .Input("x", {"n", 5, 3})
                        .Weights("w", {1, 8, 3})
                        .Weights("r", {1, 8, 2})
                        .Scalar("zero", 0)
                        .Integers("front", {0})
                        .Integers("one", {1})
                        .Integers("two", {2})
                        .Output("y", {"n", 2});
  model.Node("Transpose", {"x"}, {"t"}).Ints("perm", {1, 0, 2});
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Gather", {"s", "zero"}, {"n"});
  model.Node("Unsqueeze", {"n", "front"}, {"n1"});
  model.Node("Concat", {"one", "n1", "two"}, {"state"}).Int("axis", 0);
  model.Node("ConstantOfShape", {"state"}, {"h"});
  model.Node("LSTM", {"t", "w", "r", "", "", "h", "h"}, {"steps", "last"}).Int("hidden_size", 2);
  model.Node("Squeeze", {"last", "front"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AClassTokenExpandedToAllRows) {
  TestModel model = TestModel()
                        .Input("x", {"n", 4, 6})
                        .Weights("token", {1, 1, 6})
                        .Scalar("zero", 0)
                        .Integers("front", {0})
                        .Integers("same", {-1, -1})
                        .Integers("three", {3})
                        .Scalar("minus", -1)
                        .Output("y", {"n", 5, 6});
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Gather", {"s", "zero"}, {"n"});
  model.Node("Unsqueeze", {"n", "front"}, {"n1"});
  model.Node("Concat", {"n1", "same"}, {"want"}).Int("axis", 0);
  TensorProto one;
  one.set_data_type(TensorProto::INT64);
  one.add_dims(1);
  one.add_int64_data(1);
  *model.Node("ConstantOfShape", {"three"}, {"ones"}).Add("value", AttributeProto::TENSOR).mutable_t() = one;
  model.Node("Mul", {"ones", "minus"}, {"minuses"});
  model.Node("Equal", {"want", "minuses"}, {"kept"});
  model.Node("Where", {"kept", "ones", "want"}, {"shape"});
  model.Node("Expand", {"token", "shape"}, {"tokens"});
  model.Node("Concat", {"tokens", "x"}, {"y"}).Int("axis", 1);
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, TwoInputsMeetRowByRow) {
  TestModel model =
      TestModel().Input("a", {"n", 4}).Input("b", {"n", 4}).Integers("last", {1}).Output("y", {"n"});
  model.Node("Mul", {"a", "b"}, {"p"});
  model.Node("ReduceSum", {"p", "last"}, {"y"}).Int("keepdims", 0);
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, DistancesToStoredPointsByScan) {
  GraphProto body;
  SetType(*body.add_input(), "all", {"n", 4}, TensorProto::FLOAT);
  SetType(*body.add_input(), "point", {4}, TensorProto::FLOAT);
  SetType(*body.add_output(), "same", {"n", 4}, TensorProto::FLOAT);
  SetType(*body.add_output(), "far", {"n"}, TensorProto::FLOAT);
  AddNode(*body.add_node(), "Sub", {"all", "point"}, {"d"});
  AddNode(*body.add_node(), "ReduceL2", {"d"}, {"far"}).Ints("axes", {1}).Int("keepdims", 0);
  AddNode(*body.add_node(), "Identity", {"all"}, {"same"});
  TestModel model = Matrix().Weights("points", {9, 4}).Output("y", {"n", 9});
  model.Node("Scan", {"x", "points"}, {"end", "distances"}).Graph("body", body).Int("num_scan_inputs", 1);
  model.Node("Transpose", {"distances"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, BranchesChosenByAConstant) {
  const auto branch = [](const std::string& type) {
    GraphProto graph;
    AddNode(*graph.add_node(), type, {"x"}, {"out_" + type});
    graph.add_output()->set_name("out_" + type);
    return graph;
  };
  TestModel model = Matrix().Output("y", {"n", 4});
  TensorProto& flag = model.Initializer("flag", TensorProto::BOOL, {});
  flag.add_int32_data(1);
  model.Node("If", {"flag"}, {"y"}).Graph("then_branch", branch("Relu")).Graph("else_branch", branch("Neg"));
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, AFunctionWithAnAttributeOfItsCaller) {
  for (const int64_t axis : {0, 1}) {
    TestModel model = Matrix().Import("test", 1).Output("y", {"n", 4});
    FunctionProto& function = model.Function("F", {"a"}, {"b"});
    function.add_attribute("along");
    AddNode(*function.add_node(), "Softmax", {"a"}, {"b"}).Reference("axis", "along", AttributeProto::INT);
    model.Node("F", {"x"}, {"y"}).Domain("test").Int("along", axis).Named("call");
    EXPECT_EQ(Rows(model),
              axis == 1 ? "apart"
                        : "node \"call\" (F): function \"test.F\": node 0 (Softmax): works along the rows");
  }
}

TEST(RowsTest, CallsOfALongFunctionEndTheProofInTime) {
  TestModel model = Matrix().Import("test", 1).Output("y", {"n", 4});
  FunctionProto& function = model.Function("F", {"a"}, {"b"});
  AddNode(*function.add_node(), "Relu", {"a"}, {"b"});
  for (int i = 0; i < 20'000; ++i) *function.add_opset_import() = model.proto.opset_import(0);
  model.Node("Relu", {"x"}, {"y"});
  for (int i = 0; i < 600; ++i) model.Node("F", {"x"}, {"y" + std::to_string(i)}).Domain("test");
  EXPECT_NE(Rows(model).find("too large to follow"), std::string::npos);
}

TEST(RowsTest, DropoutOutsideTraining) {
  TestModel model = Matrix().Output("y", {"n", 4});
  TensorProto& off = model.Initializer("off", TensorProto::BOOL, {});
  off.add_int32_data(0);
  model.Node("Dropout", {"x", "", "off"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, QuantisationWithGivenScales) {
  TestModel model = Matrix().Weights("scale", {}).Output("y", {"n", 4});
  model.Node("QuantizeLinear", {"x", "scale"}, {"q"});
  model.Node("DequantizeLinear", {"q", "scale"}, {"y"});
  EXPECT_EQ(Rows(model), "apart");
}

TEST(RowsTest, OneHotColumnsJoined) {
  TestModel model = TestModel()
                        .Input("a", {"", 1}, TensorProto::STRING)
                        .Input("b", {"", 1})
                        .Integers("flat", {-1, 2})
                        .Output("y", {"", 3});
  model.MlNode("OneHotEncoder", {"a"}, {"hot"}).Add("cats_strings", AttributeProto::STRINGS).add_strings("u");
  model.graph().mutable_node(0)->mutable_attribute(0)->add_strings("v");
  model.Node("Reshape", {"hot", "flat"}, {"c"});
  model.Node("Concat", {"c", "b"}, {"y"}).Int("axis", 1);
  EXPECT_EQ(Rows(model), "apart");
}

}  // namespace
}  // namespace glasscase::onnx
