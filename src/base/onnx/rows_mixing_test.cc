// Graphs in which one row can reach another's answer, or may: each must be refused with the node named.
#include "rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build_model_test.h"

namespace glasscase::onnx {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TestModel Matrix(int64_t opset = 17) {
  return TestModel(opset)
      .Input("x", {"n", 4})
      .Integers("rows", {0})
      .Integers("flat", {-1})
      .Integers("one", {1})
      .Integers("four", {4})
      .Scalar("first", 0)
      .Output("y", {"n", ""});
}

// The reason for a model whose one node has these inputs, as changed by `change`.
template <typename Change>
std::string With(const std::string& type, const Names& inputs, Change change, int64_t opset = 17) {
  TestModel model = Matrix(opset);
  TestNode node = model.Node(type, inputs, {"y"});
  change(node);
  return Rows(model);
}
std::string With(const std::string& type, const Names& inputs) {
  return With(type, inputs, [](TestNode&) {});
}
auto Axis(int64_t axis) {
  return [axis](TestNode& node) { node.Int("axis", axis); };
}

// ---- along the rows ----

TEST(RowsMixingTest, ReductionsOverTheRows) {
  EXPECT_EQ(With("ReduceSum", {"x", "rows"}), "node 0 (ReduceSum): works along the rows");
  EXPECT_EQ(With("ReduceMax", {"x"}), "node 0 (ReduceMax): works along the rows");
  for (const char* type : {"ReduceMean", "ReduceL1", "ReduceL2", "ReduceMin", "ReduceProd", "ReduceLogSum",
                           "ReduceLogSumExp", "ReduceSumSquare"}) {
    EXPECT_THAT(With(type, {"x"},
                     [](TestNode& n) {
                       n.Ints("axes", {1, -2});
                     }),
                HasSubstr("works along the rows"))
        << type;
  }
}

TEST(RowsMixingTest, SoftmaxOverTheRows) {
  for (const char* type : {"Softmax", "LogSoftmax", "Hardmax"}) {
    EXPECT_THAT(With(type, {"x"}, Axis(0)), HasSubstr("works along the rows"));
    EXPECT_THAT(With(type, {"x"}, Axis(-2)), HasSubstr("works along the rows"));
  }
}

TEST(RowsMixingTest, OldSoftmaxNormalisesOverAllDimensionsFromItsAxis) {
  EXPECT_THAT(With("Softmax", {"x"}, Axis(0), 11), HasSubstr("works along the rows"));
  EXPECT_EQ(With("Softmax", {"x"}, Axis(1), 11), "apart");
  TestModel model = TestModel(11).Input("x", {"n", 4, 5}).Output("y", {"n", 4, 5});
  model.Node("Transpose", {"x"}, {"t"}).Ints("perm", {1, 0, 2});
  model.Node("Softmax", {"t"}, {"s"}).Int("axis", 1);
  model.Node("Transpose", {"s"}, {"y"}).Ints("perm", {1, 0, 2});
  EXPECT_THAT(Rows(model), HasSubstr("(Softmax): works along the rows"));
}

TEST(RowsMixingTest, SortingAndSummingAlongTheRows) {
  EXPECT_THAT(With("TopK", {"x", "one"}, Axis(0)), HasSubstr("works along the rows"));
  EXPECT_THAT(With("CumSum", {"x", "first"}), HasSubstr("works along the rows"));
  EXPECT_THAT(With("ArgMax", {"x"}), HasSubstr("works along the rows"));
  EXPECT_THAT(With("LpNormalization", {"x"}, Axis(0)), HasSubstr("works along the rows"));
  TestModel norm = Matrix().Weights("g", {4});
  norm.Node("LayerNormalization", {"x", "g"}, {"y"}).Int("axis", 0);
  EXPECT_THAT(Rows(norm), HasSubstr("works along the rows"));
}

TEST(RowsMixingTest, BatchNormalizationInTraining) {
  TestModel model = Matrix().Weights("c", {4});
  model.Node("BatchNormalization", {"x", "c", "c", "c", "c"}, {"y"}).Int("training_mode", 1);
  EXPECT_THAT(Rows(model), HasSubstr("training mode"));
  TestModel old = Matrix(13).Weights("c", {4});
  old.Node("BatchNormalization", {"x", "c", "c", "c", "c"}, {"y", "mean", "var"});
  EXPECT_THAT(Rows(old), HasSubstr("training mode"));
}

TEST(RowsMixingTest, QuantisationWithAScaleOfTheWholeBatch) {
  TestModel model = Matrix();
  model.Node("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"});
  model.Node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("(DynamicQuantizeLinear): is not on the list"));
}

// ---- picking and moving rows ----

TEST(RowsMixingTest, PickingRows) {
  EXPECT_THAT(With("Gather", {"x", "rows"}), HasSubstr("picks some of the rows"));
  EXPECT_THAT(With("Slice", {"x", "one", "four"}), HasSubstr("cuts away some of the rows"));
  EXPECT_THAT(With("Split", {"x"}), HasSubstr("splits the rows"));
  EXPECT_THAT(With("Tile", {"x", "four"}), HasSubstr("repeats"));
  EXPECT_THAT(With("GatherElements", {"x", "x"}, Axis(0)), HasSubstr("picks elements of other rows"));
}

TEST(RowsMixingTest, ReversingRowsByANegativeStep) {
  TestModel model = Matrix().Integers("end", {-1}).Integers("begin", {-1000000}).Integers("back", {-1});
  model.Node("Slice", {"x", "end", "begin", "rows", "back"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("cuts away some of the rows"));
}

TEST(RowsMixingTest, PaddingAndJoiningAlongTheRows) {
  EXPECT_THAT(With("Pad", {"x", "pads"}), HasSubstr("refused"));
  TestModel pad = Matrix().Integers("pads", {1, 0, 0, 0});
  pad.Node("Pad", {"x", "pads"}, {"y"});
  EXPECT_THAT(Rows(pad), HasSubstr("pads along the rows"));
  EXPECT_THAT(With("Concat", {"x", "x"}, Axis(0)), HasSubstr("one behind the other"));
}

TEST(RowsMixingTest, ATransposeThatLeavesTheRowsElsewhere) {
  EXPECT_EQ(With("Transpose", {"x"}), "output \"y\": has the rows in dimension 1");
}

TEST(RowsMixingTest, AReshapeThatMayCutRowsInPieces) {
  TestModel halves = Matrix().Integers("to", {-1, 8});
  halves.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_THAT(Rows(halves), HasSubstr("may no longer be in one piece"));
  TestModel turned = Matrix().Integers("to", {4, -1});
  turned.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_THAT(Rows(turned), HasSubstr("may no longer be in one piece"));
  TestModel unknown = TestModel().Input("x", {"n", "m"}).Integers("to", {-1, 4}).Output("y", {"n", 4});
  unknown.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_THAT(Rows(unknown), HasSubstr("may no longer be in one piece"));
}

TEST(RowsMixingTest, AReshapeThatPutsTwoEntriesPerRow) {
  TestModel model = Matrix().Integers("to", {-1, 2});
  model.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_EQ(Rows(model), "output \"y\": has 2 entries per row in dimension 0");
}

TEST(RowsMixingTest, AReshapeAfterATransposeShufflesRows) {
  TestModel model = Matrix().Integers("to", {-1, 4});
  model.Node("Transpose", {"x"}, {"t"});
  model.Node("Reshape", {"t", "to"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("may no longer be in one piece"));
}

TEST(RowsMixingTest, AFlattenThatPutsAllRowsIntoOne) {
  TestModel model = Matrix();
  model.Node("Flatten", {"x"}, {"y"}).Int("axis", 0);
  EXPECT_EQ(Rows(model), "output \"y\": has the rows in dimension 1");
}

TEST(RowsMixingTest, SqueezeWithoutAxesDependsOnTheNumberOfRows) {
  EXPECT_THAT(With("Squeeze", {"x"}), HasSubstr("dimensions that it does not name"));
  EXPECT_THAT(With("Squeeze", {"x", "rows"}), HasSubstr("removes the dimension of the rows"));
}

// ---- products and broadcasts ----

TEST(RowsMixingTest, ProductsThatSumOverRows) {
  TestModel gram = Matrix();
  gram.Node("Transpose", {"x"}, {"t"});
  gram.Node("MatMul", {"x", "t"}, {"y"});
  EXPECT_THAT(Rows(gram), HasSubstr("rows lie in different dimensions"));
  TestModel covariance = Matrix();
  covariance.Node("Gemm", {"x", "x"}, {"y"}).Int("transA", 1);
  EXPECT_THAT(Rows(covariance), HasSubstr("(Gemm)"));
  TestModel mixed = Matrix().Weights("w", {4, 4});
  mixed.Node("MatMul", {"w", "x"}, {"y"});
  EXPECT_THAT(Rows(mixed), HasSubstr("sums over the rows"));
}

TEST(RowsMixingTest, AMatrixPerRow) {
  TestModel model = TestModel().Input("x", {"n", 1, 4}).Weights("w", {5, 4, 4}).Output("y", {"n", 1, 4});
  model.Node("MatMul", {"x", "w"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("a factor of its own for each row"));
}

TEST(RowsMixingTest, AConstantPerRow) {
  TestModel model = Matrix().Weights("c", {5, 4});
  model.Node("Add", {"x", "c"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("a constant of its own"));
}

TEST(RowsMixingTest, AnInputBroadcastAgainstAnother) {
  TestModel model = TestModel().Input("x", {"n", 4}).Input("z", {"n"}).Output("y", {"n", 4});
  model.Node("Add", {"x", "z"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("rows lie in different dimensions"));
}

TEST(RowsMixingTest, RowsOfOneInputAsChannelsOfAnother) {
  TestModel model = TestModel().Input("x", {"n", 4}).Input("z", {"n", "", ""}).Output("y", {"n", "", ""});
  model.Node("Mul", {"x", "z"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("rows lie in different dimensions"));
}

// ---- the number of rows as a value ----

TEST(RowsMixingTest, TheNumberOfRowsAsData) {
  TestModel model = Matrix();
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Cast", {"s"}, {"f"}).Int("to", TensorProto::FLOAT);
  model.Node("Gather", {"f", "first"}, {"n"});
  model.Node("Div", {"x", "n"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("(Cast): turns the number of rows into data"));
}

TEST(RowsMixingTest, ARangeOverTheRows) {
  TestModel model = Matrix().Scalar("step", 1);
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Gather", {"s", "first"}, {"n"});
  model.Node("Range", {"first", "n", "step"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("(Range)"));
}

TEST(RowsMixingTest, AShapeThatDependsOnRowContents) {
  TestModel model = TestModel().Input("x", {"n"}, TensorProto::INT64).Output("y", {"n"});
  model.Node("ConstantOfShape", {"x"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("shape depends on the rows"));
  TestModel expand = TestModel().Input("x", {"n"}, TensorProto::INT64).Weights("c", {1}).Output("y", {"n"});
  expand.Node("Expand", {"c", "x"}, {"y"});
  EXPECT_THAT(Rows(expand), HasSubstr("not known"));
  TestModel squeeze = TestModel().Input("x", {"n"}, TensorProto::INT64).Weights("c", {1}).Output("y", {"n"});
  squeeze.Node("Unsqueeze", {"c", "x"}, {"y"});
  EXPECT_THAT(Rows(squeeze), HasSubstr("depend on the rows"));
}

TEST(RowsMixingTest, ArithmeticThatWrapsAroundInThirtyTwoBits) {
  TestModel model = Matrix();
  TensorProto& big = model.Initializer("big", TensorProto::INT32, {1});
  big.add_int32_data(65536);
  model.Node("Mul", {"big", "big"}, {"zero"});  // 2^32: 0 at run time, which copies a dimension
  model.Node("Cast", {"zero"}, {"wide"}).Int("to", TensorProto::INT64);
  model.Node("Concat", {"wide", "four"}, {"to"}).Int("axis", 0);
  model.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("shape that is not known"));
}

TEST(RowsMixingTest, AShapeFromAnUnknownDimensionMayBeZero) {
  // 0 would copy the number of rows into a second place.
  TestModel model = TestModel()
                        .Input("x", {"n", "m"})
                        .Scalar("second", 1)
                        .Integers("front", {0})
                        .Integers("rest", {-1})
                        .Output("y", {"n", ""});
  model.Node("Shape", {"x"}, {"s"});
  model.Node("Gather", {"s", "second"}, {"m"});
  model.Node("Unsqueeze", {"m", "front"}, {"m1"});
  model.Node("Concat", {"m1", "rest"}, {"to"}).Int("axis", 0);
  model.Node("Reshape", {"x", "to"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("shape that is not known"));
}

// ---- ai.onnx.ml ----

TEST(RowsMixingTest, AVectorOfRowsIsOneSampleToTheseKernels) {
  for (const char* type : {"Scaler", "Normalizer", "Imputer", "LinearRegressor", "TreeEnsembleRegressor",
                           "SVMRegressor", "LinearClassifier", "TreeEnsembleClassifier"}) {
    TestModel model = TestModel().Input("x", {"n"}).Output("y", {"n"});
    model.MlNode(type, {"x"}, {"y"});
    EXPECT_THAT(Rows(model), HasSubstr("does not have the rows as its samples")) << type;
  }
}

TEST(RowsMixingTest, ArrayFeatureExtractorPickingRows) {
  TestModel model = TestModel().Input("x", {"n"}).Integers("i", {0}).Output("y", {"n"});
  model.MlNode("ArrayFeatureExtractor", {"x", "i"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("picks some of the rows"));
  TestModel negative = Matrix().Integers("i", {-1});
  negative.MlNode("ArrayFeatureExtractor", {"x", "i"}, {"y"});
  EXPECT_THAT(Rows(negative), HasSubstr("index outside"));
}

TEST(RowsMixingTest, TheLabelPathWithShuffledIndices) {
  TestModel model = TestModel()
                        .Input("x", {"n", 2}, TensorProto::INT64)
                        .Weights("c", {9})
                        .Integers("to", {-1, 2})
                        .Output("y", {"n", 2});
  model.Node("Transpose", {"x"}, {"t"});
  model.MlNode("ArrayFeatureExtractor", {"c", "t"}, {"p"});
  model.Node("Reshape", {"p", "to"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("may not be in one piece"));
}

// ---- control flow, randomness, the unlisted ----

TEST(RowsMixingTest, OperatorsThatAreNotListed) {
  for (const char* type :
       {"NonZero", "Unique", "Compress", "Loop", "RandomNormalLike", "Bernoulli", "Einsum", "ScatterND",
        "ReverseSequence", "StringNormalizer", "Resize", "GatherND", "NonMaxSuppression", "Attention"}) {
    EXPECT_EQ(With(type, {"x"}),
              "node 0 (" + std::string(type) + "): is not on the list of operators known to keep rows apart");
  }
}

TEST(RowsMixingTest, RandomnessWithoutRows) {
  TestModel model = Matrix();
  model.Node("RandomNormal", {}, {"noise"}).Ints("shape", {4});
  model.Node("Add", {"x", "noise"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("(RandomNormal)"));
}

TEST(RowsMixingTest, DropoutInTraining) {
  TestModel model = Matrix();
  TensorProto& on = model.Initializer("on", TensorProto::BOOL, {});
  on.add_int32_data(1);
  model.Node("Dropout", {"x", "", "on"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("training mode"));
}

TEST(RowsMixingTest, ABranchChosenByRows) {
  GraphProto branch;
  AddNode(*branch.add_node(), "Relu", {"x"}, {"r"});
  branch.add_output()->set_name("r");
  TestModel model = TestModel().Input("x", {"n"}, TensorProto::BOOL).Output("y", {"n"});
  model.Node("If", {"x"}, {"y"}).Graph("then_branch", branch).Graph("else_branch", branch);
  EXPECT_THAT(Rows(model), HasSubstr("branches by a value that depends on the rows"));
}

TEST(RowsMixingTest, AScanFromRowToRow) {
  GraphProto body;
  SetType(*body.add_input(), "sum", {4}, TensorProto::FLOAT);
  SetType(*body.add_input(), "row", {4}, TensorProto::FLOAT);
  AddNode(*body.add_node(), "Add", {"sum", "row"}, {"next"});
  AddNode(*body.add_node(), "Identity", {"next"}, {"out"});
  SetType(*body.add_output(), "next", {4}, TensorProto::FLOAT);
  SetType(*body.add_output(), "out", {4}, TensorProto::FLOAT);
  TestModel model = Matrix().Weights("zero", {4});
  model.Node("Scan", {"zero", "x"}, {"end", "y"}).Graph("body", body).Int("num_scan_inputs", 1);
  EXPECT_THAT(Rows(model), HasSubstr("goes from row to row"));
}

TEST(RowsMixingTest, ASubgraphThatRedefinesANameFromOutside) {
  GraphProto branch;
  AddNode(*branch.add_node(), "Relu", {"x"}, {"h"});
  branch.add_output()->set_name("h");
  TestModel model = Matrix();
  TensorProto& flag = model.Initializer("flag", TensorProto::BOOL, {});
  flag.add_int32_data(1);
  model.Node("Neg", {"x"}, {"h"});
  model.Node("If", {"flag"}, {"y"}).Graph("then_branch", branch).Graph("else_branch", branch);
  EXPECT_THAT(Rows(model), HasSubstr("subgraph that is not followed"));
}

TEST(RowsMixingTest, AFunctionWrittenForAnotherOpset) {
  TestModel model = Matrix(17).Import("test", 1);
  FunctionProto& function = model.Function("F", {"a"}, {"b"});
  function.mutable_opset_import(0)->set_version(11);
  AddNode(*function.add_node(), "Softmax", {"a"}, {"b"});
  model.Node("F", {"x"}, {"y"}).Domain("test");
  EXPECT_THAT(Rows(model), HasSubstr("another opset"));
}

TEST(RowsMixingTest, ADeadNodeThatMixesRows) {
  TestModel model = Matrix();
  model.Node("Relu", {"x"}, {"y"});
  model.Node("ReduceSum", {"x"}, {"unused"}).Named("dead");
  EXPECT_EQ(Rows(model), "node \"dead\" (ReduceSum): works along the rows");
}

TEST(RowsMixingTest, IndicesThatCountThroughTheBatch) {
  TestModel model = TestModel().Input("x", {"n", 1, 4}).Output("y", {"n", 1, 2}, TensorProto::INT64);
  model.Node("MaxPool", {"x"}, {"v", "y"}).Ints("kernel_shape", {2}).Ints("strides", {2});
  EXPECT_THAT(Rows(model), StartsWith("output \"y\""));
}

// ---- declarations ----

TEST(RowsMixingTest, AFixedFirstDimension) {
  TestModel input = TestModel().Input("x", {1, 4}).Output("y", {"n", 4});
  input.Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(Rows(input), "input \"x\": dimension 0 does not vary");
  TestModel output = TestModel().Input("x", {"n", 4}).Output("y", {1, 4});
  output.Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(Rows(output), "output \"y\": dimension 0 does not vary");
  TestModel scalar = TestModel().Input("x", {"n", 4}).Input("s", {}).Output("y", {"n", 4});
  scalar.Node("Mul", {"x", "s"}, {"y"});
  EXPECT_EQ(Rows(scalar), "input \"s\": dimension 0 does not vary");
}

TEST(RowsMixingTest, ASquareOfRows) {
  TestModel model = TestModel().Input("x", {"n", "n"}).Output("y", {"n", ""});
  model.Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(Rows(model), "input \"x\": has the number of rows as dimension 1 too");
}

TEST(RowsMixingTest, AnOutputThatIsTheSameForAllRows) {
  TestModel model = Matrix().Weights("c", {4, 4}).Output("z", {"n", 4});
  model.Node("Relu", {"x"}, {"y"});
  model.Node("Relu", {"c"}, {"z"});
  EXPECT_EQ(Rows(model), "output \"z\": is the same for any number of rows");
}

TEST(RowsMixingTest, ALyingIntermediateShapeIsNotBelieved) {
  TestModel model = TestModel().Input("x", {"n", "m"}).Integers("to", {-1, 4}).Output("y", {"n", 4});
  model.Node("Relu", {"x"}, {"h"});
  SetType(*model.graph().add_value_info(), "h", {"n", 4}, TensorProto::FLOAT);
  model.Node("Reshape", {"h", "to"}, {"y"});
  EXPECT_THAT(Rows(model), HasSubstr("may no longer be in one piece"));
}

TEST(RowsMixingTest, OpsetsBeforeBroadcasting) {
  EXPECT_EQ(With(
                "Relu", {"x"}, [](TestNode&) {}, 6),
            "opset 6 is older than 7");
}

}  // namespace
}  // namespace glasscase::onnx
