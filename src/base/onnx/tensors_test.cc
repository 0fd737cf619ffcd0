#include "tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build_model_test.h"

namespace glasscase::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TensorProto Tensor(int type, std::initializer_list<int64_t> dims) {
  TensorProto tensor;
  tensor.set_name("t");
  tensor.set_data_type(type);
  for (const int64_t dim : dims) tensor.add_dims(dim);
  return tensor;
}

std::string Check(const TensorProto& tensor, std::span<const ExternalFile> files = {},
                  const Limits& limits = {}) {
  const Status status = TensorChecker(files, limits).Check(tensor);
  return status ? "ok" : status.error().message();
}

std::string Check(const SparseTensorProto& tensor) {
  const Status status = TensorChecker({}, Limits{}).Check(tensor);
  return status ? "ok" : status.error().message();
}

// ---- stored in the model ----

TEST(TensorsTest, RawDataMustHaveExactlyTheDeclaredSize) {
  TensorProto tensor = Tensor(TensorProto::FLOAT, {2, 3});
  tensor.set_raw_data(std::string(24, '\0'));
  EXPECT_EQ(Check(tensor), "ok");
  tensor.set_raw_data(std::string(23, '\0'));
  EXPECT_EQ(Check(tensor), "dims [2,3] of FLOAT announce 24 bytes, raw_data has 23");
}

TEST(TensorsTest, APetabyteIsRefused) {
  TensorProto tensor = Tensor(TensorProto::FLOAT, {int64_t{1} << 47, 2});
  tensor.set_raw_data("abcd");
  EXPECT_THAT(Check(tensor), HasSubstr("announce 1125899906842624 bytes, raw_data has 4"));
  EXPECT_THAT(Check(Tensor(TensorProto::FLOAT, {int64_t{1} << 40, int64_t{1} << 40})),
              HasSubstr("more than 2^48"));
}

TEST(TensorsTest, ADimensionOfZeroDoesNotHideAHugeOne) {
  EXPECT_EQ(Check(Tensor(TensorProto::FLOAT, {0, 3})), "ok");
  EXPECT_THAT(Check(Tensor(TensorProto::FLOAT, {0, int64_t{1} << 62})), HasSubstr("more than 2^48"));
  EXPECT_THAT(Check(Tensor(TensorProto::FLOAT, {-1})), HasSubstr("negative"));
}

TEST(TensorsTest, TypedDataMustBeInTheFieldOfItsType) {
  TensorProto tensor = Tensor(TensorProto::INT64, {2});
  tensor.add_int64_data(1);
  tensor.add_int64_data(2);
  EXPECT_EQ(Check(tensor), "ok");
  tensor.add_float_data(1);
  EXPECT_THAT(Check(tensor), HasSubstr("announce 2 elements, the file holds 3"));
  TensorProto elsewhere = Tensor(TensorProto::INT64, {1});
  elsewhere.add_int32_data(1);
  EXPECT_THAT(Check(elsewhere), HasSubstr("dims [1] of INT64"));
}

TEST(TensorsTest, PackedElementsAreCountedByBytes) {
  TensorProto four_bits = Tensor(TensorProto::INT4, {3});
  four_bits.set_raw_data("ab");
  EXPECT_EQ(Check(four_bits), "ok");
  TensorProto typed = Tensor(TensorProto::UINT2, {5});
  typed.add_int32_data(0);
  typed.add_int32_data(0);
  EXPECT_EQ(Check(typed), "ok");
  TensorProto complex = Tensor(TensorProto::COMPLEX64, {1});
  complex.add_float_data(1);
  complex.add_float_data(2);
  EXPECT_EQ(Check(complex), "ok");
}

TEST(TensorsTest, RawAndTypedDataTogetherAreRefused) {
  TensorProto tensor = Tensor(TensorProto::FLOAT, {1});
  tensor.set_raw_data("abcd");
  tensor.add_float_data(1);
  EXPECT_THAT(Check(tensor), StartsWith("raw_data: "));
}

TEST(TensorsTest, StringsHaveNoRawForm) {
  TensorProto tensor = Tensor(TensorProto::STRING, {1});
  tensor.add_string_data("a");
  EXPECT_EQ(Check(tensor), "ok");
  TensorProto raw = Tensor(TensorProto::STRING, {1});
  raw.set_raw_data("a");
  EXPECT_THAT(Check(raw), StartsWith("raw_data: "));
}

TEST(TensorsTest, UnknownTypesAndSegmentsAreRefused) {
  EXPECT_THAT(Check(Tensor(0, {1})), StartsWith("data_type: "));
  EXPECT_THAT(Check(Tensor(99, {1})), StartsWith("data_type: 99"));
  TensorProto tensor = Tensor(TensorProto::FLOAT, {0});
  tensor.mutable_segment();
  EXPECT_THAT(Check(tensor), StartsWith("segment: "));
}

TEST(TensorsTest, TensorsInNodesAreCheckedInEveryGraph) {
  TestModel model;
  model.Input("x", {"n"}).Output("x", {"n"});
  const auto add_constant = [](NodeProto& node) {
    *AddNode(node, "Constant", {}, {"c"}).Add("value", AttributeProto::TENSOR).mutable_t() =
        Tensor(TensorProto::FLOAT, {9});
  };
  GraphProto branch;
  add_constant(*branch.add_node());
  model.Node("If", {"x"}, {"z"}).Graph("then_branch", branch);
  EXPECT_THAT(Verdict(model),
              StartsWith("node 0 (If): node 0 (Constant): attribute \"value\": t: dims [9] of FLOAT"));
  TestModel with_function;
  with_function.Input("x", {"n"}).Output("x", {"n"});
  add_constant(*with_function.Function("F", {}, {"c"}).add_node());
  EXPECT_THAT(Verdict(with_function),
              StartsWith("function \"test.F\": node 0 (Constant): attribute \"value\""));
}

// ---- sparse ----

SparseTensorProto Sparse(std::vector<int64_t> dims, const std::vector<int64_t>& indices) {
  SparseTensorProto sparse;
  const auto count = static_cast<int64_t>(indices.size());
  *sparse.mutable_values() = Tensor(TensorProto::FLOAT, {count});
  *sparse.mutable_indices() = Tensor(TensorProto::INT64, {count});
  for (const int64_t index : indices) {
    sparse.mutable_values()->add_float_data(1);
    sparse.mutable_indices()->add_int64_data(index);
  }
  for (const int64_t dim : dims) sparse.add_dims(dim);
  return sparse;
}

TEST(TensorsTest, SparseIndicesMustLieInside) {
  EXPECT_EQ(Check(Sparse({2, 3}, {0, 5})), "ok");
  EXPECT_EQ(Check(Sparse({2, 3}, {0, 6})), "indices: 6 is outside dims [2,3]");
  EXPECT_EQ(Check(Sparse({2, 3}, {-1})), "indices: -1 is outside dims [2,3]");
}

TEST(TensorsTest, SparseIndicesInPairsAreCheckedPerDimension) {
  SparseTensorProto sparse = Sparse({2, 3}, {0, 1});
  *sparse.mutable_indices() = Tensor(TensorProto::INT64, {2, 2});
  for (const int64_t index : {1, 2, 0, 3}) sparse.mutable_indices()->add_int64_data(index);
  EXPECT_EQ(Check(sparse), "indices: 3 is outside dims [2,3]");
}

TEST(TensorsTest, ASparsePetabyteIsRefused) {
  EXPECT_THAT(Check(Sparse({int64_t{1} << 40}, {0})), HasSubstr("made dense"));
}

// ---- external ----

TensorProto External(std::initializer_list<std::pair<const char*, const char*>> entries) {
  TensorProto tensor = Tensor(TensorProto::FLOAT, {4});
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return tensor;
}

std::string CheckWithFile(const TensorProto& tensor, const Limits& limits = {}) {
  const Bytes data(32);
  const ExternalFile files[] = {{"weights.bin", data}};
  return Check(tensor, files, limits);
}

TEST(TensorsTest, ExternalDataMustHaveExactlyTheDeclaredSize) {
  EXPECT_EQ(CheckWithFile(External({{"location", "weights.bin"}, {"offset", "16"}})), "ok");
  EXPECT_EQ(CheckWithFile(External({{"location", "weights.bin"}, {"offset", "8"}, {"length", "16"}})), "ok");
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}})), HasSubstr("announce 16 bytes"));
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"length", "12"}})),
              HasSubstr("gives 12"));
}

TEST(TensorsTest, ExternalDataMustLieInsideTheFile) {
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"offset", "24"}, {"length", "16"}})),
              HasSubstr("reach past the end"));
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"offset", "33"}})),
              HasSubstr("reach past the end"));
}

TEST(TensorsTest, OffsetsAndLengthsAreDecimalNumbers) {
  for (const char* text : {"", "-1", "0x10", "1e3", " 1", "1 ", "99999999999999999999"}) {
    EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"offset", text}})),
                HasSubstr("not a number"))
        << text;
  }
}

TEST(TensorsTest, PathsOutsideTheFolderAreRefused) {
  for (const char* path :
       {"", "/etc/passwd", "../weights.bin", "a/../../b", "a//b", "./weights.bin", "a\\b", "C:/w", "a\nb"}) {
    EXPECT_THAT(CheckWithFile(External({{"location", path}})), StartsWith("external_data: location")) << path;
  }
}

TEST(TensorsTest, MarkersThatMakeTheRuntimeReadItsMemoryAreRefused) {
  const Bytes data(16);
  const ExternalFile files[] = {{"*/_ORT_MEM_ADDR_/*", data}};
  EXPECT_THAT(Check(External({{"location", "*/_ORT_MEM_ADDR_/*"}}), files),
              HasSubstr("reserved by ONNX Runtime"));
}

TEST(TensorsTest, AMissingFileIsNamed) {
  EXPECT_THAT(Check(External({{"location", "weights.bin"}})),
              HasSubstr("\"weights.bin\" did not come with the model"));
}

TEST(TensorsTest, UnknownAndRepeatedKeysAreRefused) {
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"basepath", "/"}})),
              HasSubstr("not a key"));
  EXPECT_THAT(CheckWithFile(External({{"location", "weights.bin"}, {"location", "b"}})),
              HasSubstr("given twice"));
}

TEST(TensorsTest, DataBothInsideAndOutsideIsRefused) {
  TensorProto tensor = External({{"location", "weights.bin"}, {"offset", "16"}});
  tensor.set_raw_data(std::string(16, '\0'));
  EXPECT_THAT(CheckWithFile(tensor), StartsWith("data_location: "));
  TensorProto unused = External({{"location", "weights.bin"}});
  unused.clear_data_location();
  EXPECT_THAT(CheckWithFile(unused), StartsWith("external_data: "));
}

TEST(TensorsTest, OneFileNamedByManyTensorsCountsEachTime) {
  const Bytes data(16);
  const ExternalFile files[] = {{"weights.bin", data}};
  TensorChecker checker(files, {.total_bytes_max = 40});
  EXPECT_TRUE(checker.Check(External({{"location", "weights.bin"}})));
  EXPECT_TRUE(checker.Check(External({{"location", "weights.bin"}})));
  EXPECT_FALSE(checker.Check(External({{"location", "weights.bin"}})));
}

TEST(TensorsTest, TheFilesReferredToAreListed) {
  const Bytes data(16);
  const ExternalFile files[] = {{"b.bin", data}, {"a/a.bin", data}, {"README", data}};
  TestModel model;
  model.Input("x", {"n"}).Output("x", {"n"});
  for (const char* path : {"b.bin", "a/a.bin", "b.bin"}) {
    TensorProto tensor = External({{"location", path}});
    tensor.set_name("t" + std::to_string(model.graph().initializer_size()));
    *model.graph().add_initializer() = tensor;
  }
  EXPECT_THAT(model.Inspect(files)->external_paths, ElementsAre("a/a.bin", "b.bin"));
}

}  // namespace
}  // namespace glasscase::onnx
