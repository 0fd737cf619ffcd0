#include <glasscase/comparison/parts.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_files_test.h"

namespace glasscase::comparison {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Part& PartCalled(const Parts& parts, std::string_view name) {
  for (const Part& part : parts.parts)
    if (part.name == name) return part;
  ADD_FAILURE() << "no part " << name;
  static const Part kNone;
  return kNone;
}

std::string ErrorOf(std::string_view file) {
  const auto parts = ReadParts(AsBytes(file));
  return parts ? "accepted" : parts.error().message();
}

TEST(PartsTest, NamesOfJsonAreTheWayToThem) {
  const auto parts = ReadParts(AsBytes(R"({"a":{"b":[1,2.5]},"c":[{"d":"word"},{"d":null}],"e":true})"));
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(parts->format, "JSON");
  EXPECT_THAT(PartCalled(*parts, "a.b").numbers, ElementsAre(1, 2.5));
  EXPECT_EQ(PartCalled(*parts, "c[0].d").text, "word");
  EXPECT_EQ(PartCalled(*parts, "c[1].d").text, "null");
  EXPECT_EQ(PartCalled(*parts, "e").text, "true");
}

TEST(PartsTest, UbjsonIsNotTakenForJson) {
  const auto parts = ReadParts(AsBytes(std::string_view("{L\0\0\0\0\0\0\0\1ai\5}", 14)));
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(parts->format, "UBJSON");
  EXPECT_THAT(PartCalled(*parts, "a").numbers, ElementsAre(5));
}

TEST(PartsTest, LightgbmTextIsReadByTree) {
  const auto parts =
      ReadParts(AsBytes("tree\nversion=v4\n\nTree=0\nleaf_value=0.5 -1e-3\nTree=1\nleaf_value=2\n"));
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(PartCalled(*parts, "version").text, "v4");
  EXPECT_THAT(PartCalled(*parts, "Tree 0.leaf_value").numbers, ElementsAre(0.5, -1e-3));
  EXPECT_THAT(PartCalled(*parts, "Tree 1.leaf_value").numbers, ElementsAre(2));
}

TEST(PartsTest, ArraysAreReadByTheirType) {
  const auto npy = ReadParts(AsBytes(NpyFile<float>("<f4", "(2,)", {1.5F, -2})));
  ASSERT_TRUE(npy) << npy.error().message();
  EXPECT_THAT(PartCalled(*npy, "array").numbers, ElementsAre(1.5, -2));
  EXPECT_EQ(PartCalled(*npy, "array.type").text, "<f4 (2,) False");
  const auto tensors = ReadParts(AsBytes(SafetensorsFile({3, 4})));
  ASSERT_TRUE(tensors) << tensors.error().message();
  EXPECT_THAT(PartCalled(*tensors, "w").numbers, ElementsAre(3, 4));
  EXPECT_EQ(PartCalled(*tensors, "w.type").text, "F32 [2]");
}

TEST(PartsTest, WholeNumbersThatADoubleDoesNotHoldAreWords) {
  const auto parts = ReadParts(AsBytes(NpyFile<int64_t>("<i8", "(1,)", {(int64_t{1} << 53) + 1})));
  ASSERT_TRUE(parts);
  EXPECT_TRUE(PartCalled(*parts, "array").numbers.empty());
  EXPECT_EQ(PartCalled(*parts, "array").text.size(), 8u);
}

TEST(PartsTest, EntriesOfAnArchiveAreReadByName) {
  const auto parts =
      ReadParts(AsBytes(ZipFile({{"a.npy", NpyFile<double>("<f8", "(1,)", {7})}, {"b", "bytes"}}, 1)));
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(parts->format, "ZIP");
  EXPECT_THAT(PartCalled(*parts, "a.npy").numbers, ElementsAre(7));
  EXPECT_EQ(PartCalled(*parts, "b").text, "bytes");
}

TEST(PartsTest, AModelsInitializersAndAttributesAreNumbers) {
  const auto parts = ReadParts(AsBytes(OnnxFile({1, 2, 3}, "one")));
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(parts->format, "ONNX");
  EXPECT_THAT(PartCalled(*parts, "w").numbers, ElementsAre(1, 2, 3));
  EXPECT_EQ(PartCalled(*parts, "node[0](Add)").numbers.size(), 0u);
}

TEST(PartsTest, BrokenFilesNameThePlace) {
  const std::string npy = NpyFile<float>("<f4", "(2,)", {1, 2});
  const std::string zip = ZipFile({{"a", "bytes"}}, 1);
  EXPECT_THAT(ErrorOf(""), HasSubstr("none whose numbers can be compared"));
  EXPECT_THAT(ErrorOf("\x80\x04pickle"), HasSubstr("none whose numbers can be compared"));
  EXPECT_THAT(ErrorOf(R"({"a":)"), HasSubstr("byte"));
  EXPECT_THAT(ErrorOf(npy.substr(0, 9)), HasSubstr("header of NPY"));
  EXPECT_THAT(ErrorOf(npy.substr(0, 30)), HasSubstr("header of NPY"));
  EXPECT_THAT(ErrorOf(zip.substr(0, zip.size() - 1)), HasSubstr("no directory"));
  EXPECT_THAT(ErrorOf(zip.substr(0, 30) + zip.substr(40)), HasSubstr("no directory"));
  for (size_t length = 0; length < zip.size(); ++length)
    EXPECT_NE(ErrorOf(zip.substr(0, length)), "accepted");
}

}  // namespace
}  // namespace glasscase::comparison
