#include <glasscase/manifest/manifest.h>

#include <string>
#include <vector>

#include <glasscase/crypto/sha256.h>
#include <gtest/gtest.h>

namespace glasscase::manifest {
namespace {

TEST(ManifestTest, PathsStayBelowTheirFolder) {
  for (const char* path : {"m.onnx", "weights/0.bin", "...", "a..b", "r\xc3\xa9seau.onnx"})
    EXPECT_TRUE(CheckPath(path)) << path;
  for (const char* path :
       {"", "/etc/passwd", "../m", "a/../m", "a/..", ".", "./a", "a//b", "a/", "a\\b", "a\nb", "\xff"})
    EXPECT_FALSE(CheckPath(path)) << path;
  EXPECT_FALSE(CheckPath(std::string(513, 'a')));
}

TEST(ManifestTest, ARefusalShowsTheWholePath) {
  const Status refused = CheckPath("weights/../../secret");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("\"weights/../../secret\""), std::string::npos);
}

// Two files of a folder that would be one after a copy to Windows or macOS.
TEST(ManifestTest, PathsThatOtherSystemsTakeForOneHaveOneKey) {
  EXPECT_EQ(CollisionKey("Weights/A.bin"), CollisionKey("weights/a.BIN"));
  EXPECT_EQ(CollisionKey("r\xc3\xa9seau"), CollisionKey("re\xcc\x81seau"));  // composed, decomposed
  EXPECT_EQ(CollisionKey("R\xc3\x89SEAU"), CollisionKey("re\xcc\x81seau"));  // and in capitals
  EXPECT_EQ(CollisionKey("stra\xc3\x9f"
                         "e"),
            CollisionKey("STRASSE"));
  EXPECT_NE(CollisionKey("a"), CollisionKey("b"));
  EXPECT_NE(CollisionKey("resau"), CollisionKey("r\xc3\xa9sau"));
}

TEST(ManifestTest, FilesOfOneFolderDoNotGetInEachOthersWay) {
  EXPECT_TRUE(CheckPaths({}));
  EXPECT_TRUE(CheckPaths({"a", "b/a", "b/c", "a.b"}));
  EXPECT_NE(CheckPaths({"a", "b", "A"}).error().message().find("would be one file"), std::string::npos);
  EXPECT_NE(CheckPaths({"b/c", "B"}).error().message().find("\"B\" cannot be a folder too"),
            std::string::npos);
  EXPECT_EQ(CheckPaths({"a", "../b"}).error().code(), Code::kInvalidArgument);
}

TEST(ManifestTest, TheDigestIsOfSortedLinesOfDigestAndPath) {
  const auto of = [](std::string_view path) {
    return NamedDigest{.path = path, .sha256 = Sha256(AsBytes(path))};
  };
  const std::string lines = ToHex(Sha256(AsBytes("B"))) + "  B\n" + ToHex(Sha256(AsBytes("a"))) + "  a\n" +
                            ToHex(Sha256(AsBytes("a.b"))) + "  a.b\n";
  EXPECT_EQ(DigestOf({of("a.b"), of("a"), of("B")}), Sha256(AsBytes(lines)));
  EXPECT_EQ(DigestOf(std::vector<NamedDigest>{}), Sha256({}));
}

}  // namespace
}  // namespace glasscase::manifest
