#include "infer_body.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

namespace json = boost::json;

const json::value kOneInput = json::parse(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}]})");
const json::value kTwoInputs = json::parse(
    R"({"inputs":[{"name":"a","datatype":"INT32","shape":[2]},{"name":"b","datatype":"BYTES","shape":[-1]}]})");

std::string Complete(const char* input, const json::value& metadata) {
  const auto body = CompleteInferBody(json::parse(input), metadata);
  return body ? json::serialize(*body) : body.error().message();
}

TEST(CompleteInferBodyTest, ANestedArrayGetsNameTypeAndShape) {
  EXPECT_EQ(Complete("[[1,2],[3,4]]", kOneInput),
            R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[1,2,3,4]}]})");
}

TEST(CompleteInferBodyTest, OneRowAndFlatListsAreCompleted) {
  EXPECT_EQ(Complete("[1,2]", kOneInput),
            R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]})");
  EXPECT_EQ(Complete("[1,2,3,4]", kOneInput),
            R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[1,2,3,4]}]})");
}

TEST(CompleteInferBodyTest, ObjectsNameTheirInputs) {
  EXPECT_EQ(
      Complete(R"({"b":["q"],"a":[1,2]})", kTwoInputs),
      R"({"inputs":[{"name":"a","datatype":"INT32","shape":[2],"data":[1,2]},{"name":"b","datatype":"BYTES","shape":[1],"data":["q"]}]})");
}

TEST(CompleteInferBodyTest, MistakesNameTheInput) {
  EXPECT_EQ(Complete("[[1,2,3]]", kOneInput), "input x: the model takes shape [any, 2], given is [1, 3]");
  EXPECT_EQ(Complete("[[1,2],[3]]", kOneInput), "input x: lists of unequal length: 2 and 1 elements");
  EXPECT_EQ(Complete("[[1,[2]]]", kOneInput), "input x: some elements are nested deeper than others");
  EXPECT_EQ(Complete("[[1,2],3]", kOneInput), "input x: some elements are nested deeper than others");
  EXPECT_EQ(Complete("[1]", kTwoInputs),
            "the model has several inputs: give an object with an array for each of a, b");
  EXPECT_EQ(Complete(R"({"a":[1,2]})", kTwoInputs), "input b is missing");
  EXPECT_EQ(Complete(R"({"a":[1,2],"b":[],"c":1})", kTwoInputs), "the model has no input c; it has a, b");
}

TEST(IsInferBodyTest, OnlyAListOfObjectsIs) {
  EXPECT_TRUE(IsInferBody(json::parse(R"({"inputs":[{"name":"x"}]})")));
  EXPECT_FALSE(IsInferBody(json::parse(R"({"inputs":[[1,2]]})")));
  EXPECT_FALSE(IsInferBody(json::parse("[1]")));
}

TEST(FormatOutputsTest, RowsAndNumbersAreReadable) {
  const auto answer = json::parse(
      R"({"outputs":[{"name":"label","datatype":"INT64","shape":[1],"data":[7]},
                     {"name":"p","datatype":"FP32","shape":[2,2],"data":[0.1,0.9,1,0]},
                     {"name":"s","datatype":"BYTES","shape":[1],"data":["a\u001b"]}]})");
  EXPECT_EQ(FormatOutputs(answer),
            "label  INT64 [1]\n  7\np  FP32 [2, 2]\n  0.1 0.9\n  1 0\ns  BYTES [1]\n  \"a\\x1b\"\n");
}

}  // namespace
}  // namespace glasscase::commands
