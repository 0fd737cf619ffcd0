#include "s3_address.h"

#include <gmock/gmock.h>

#include <glasscase/crypto/sha256.h>

namespace glasscase::blobs {
namespace {

using ::testing::HasSubstr;

S3Options Plain() {
  S3Options options{
      .endpoint = "https://s3.example:9000", .bucket = "models", .prefix = "a/b-", .access_key = "AK"};
  options.secret_key = Secret("secret");
  return options;
}

TEST(S3AddressTest, TheBucketIsInThePathOrInTheHost) {
  const Digest digest = Sha256(AsBytes("weights"));
  const std::string hex = ToHex(digest);
  const std::string name = "a/b-sha256/" + hex.substr(0, 2) + "/" + hex;
  S3Options options = Plain();
  EXPECT_EQ(S3Address::Of(options).value().UrlOf(digest), "https://s3.example:9000/models/" + name);
  options.endpoint += "/";
  EXPECT_EQ(S3Address::Of(options).value().host(), "s3.example:9000");
  options.path_style = false;
  EXPECT_EQ(S3Address::Of(options).value().UrlOf(digest), "https://models.s3.example:9000/" + name);
}

TEST(S3AddressTest, QueriesAreSortedAndEscapedAsTheyAreSigned) {
  EXPECT_EQ(
      S3Address::Of(Plain()).value().UrlOfBucket({{"uploads", ""}, {"continuation-token", "a/b+c=~ \xc3"}}),
      "https://s3.example:9000/models/?continuation-token=a%2Fb%2Bc%3D~%20%C3&uploads=");
}

TEST(S3AddressTest, OnlyNamesThatOpenAsksForAreBlobs) {
  const S3Address address = S3Address::Of(Plain()).value();
  const Digest digest = Sha256(AsBytes("weights"));
  const std::string hex = ToHex(digest);
  const std::string folder = "a/b-sha256/" + hex.substr(0, 2) + "/";
  EXPECT_EQ(address.BlobNamed(folder + hex).value(), digest);
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  for (const std::string& name : {hex, "sha256/" + hex.substr(0, 2) + "/" + hex, folder + upper,
                                  "a/b-sha256/zz/" + hex, folder + hex + "x", folder, std::string()})
    EXPECT_FALSE(address.BlobNamed(name)) << name;
}

TEST(S3AddressTest, OptionsThatCannotBeAreNamed) {
  const auto message = [](auto change) {
    S3Options options = Plain();
    change(options);
    const auto address = S3Address::Of(options);
    if (address) return std::string("accepted");
    EXPECT_EQ(address.error().code(), Code::kInvalidArgument);
    return address.error().message();
  };
  for (const char* endpoint : {"", "s3.example", "https://s3.example/path", "ftp://s3.example",
                               "https://a:b@s3.example", "https://s3.example?x"})
    EXPECT_THAT(message([&](S3Options& o) { o.endpoint = endpoint; }), HasSubstr("endpoint")) << endpoint;
  for (const char* bucket : {"", "ab", "a/b/c", "-abc", "a b c"})
    EXPECT_THAT(message([&](S3Options& o) { o.bucket = bucket; }), HasSubstr("bucket")) << bucket;
  for (const char* prefix : {"/a", "a//b", "../a", "a/./b", "a b", "a%2f", "a\n"})
    EXPECT_THAT(message([&](S3Options& o) { o.prefix = prefix; }), HasSubstr("prefix")) << prefix;
  EXPECT_THAT(message([](S3Options& o) { o.access_key = "a:b"; }), HasSubstr("access key"));
  EXPECT_THAT(message([](S3Options& o) { o.secret_key = Secret(); }), HasSubstr("secret key"));
  EXPECT_THAT(message([](S3Options& o) { o.region = "a b"; }), HasSubstr("region"));
  EXPECT_THAT(message([](S3Options& o) { o.part_bytes_min = 0; }), HasSubstr("parts"));
}

}  // namespace
}  // namespace glasscase::blobs
