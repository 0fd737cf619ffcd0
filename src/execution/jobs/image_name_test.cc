#include <glasscase/jobs/image_name.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

using ::testing::HasSubstr;

const std::string kDigest = "@sha256:" + std::string(64, 'a');

TEST(ImageName, TheRegistryIsTheFirstPart) {
  for (const auto& [text, registry] :
       {std::pair("registry.example/a/b", "registry.example"),
        std::pair("127.0.0.1:5000/a", "127.0.0.1:5000"), std::pair("localhost/a", "localhost")}) {
    const auto name = ImageName::Parse(text + kDigest);
    ASSERT_TRUE(name) << name.error().message();
    EXPECT_EQ(name->registry, registry);
  }
}

TEST(ImageName, ATagAndAShortNameAreRefused) {
  EXPECT_THAT(ImageName::Parse("registry.example/a:1").error().message(), HasSubstr("digest"));
  EXPECT_THAT(ImageName::Parse("registry.example/a@sha256:00").error().message(), HasSubstr("digest"));
  for (const std::string text : {"python", "library/python", "-v.x/a", "x.example/a b", ""})
    EXPECT_THAT(ImageName::Parse(text + kDigest).error().message(), HasSubstr("registry")) << text;
}

TEST(ImageName, OnlyTheLoopbackMayBeWithoutTls) {
  for (const auto& [registry, is_loopback] :
       {std::pair("localhost", true), std::pair("localhost:5000", true), std::pair("127.0.0.1:5000", true),
        std::pair("127.evil.example", false), std::pair("127.0.0.1.evil.example:80", false),
        std::pair("registry.example", false), std::pair("10.0.0.1:5000", false)})
    EXPECT_EQ(ImageName::Parse(registry + ("/a" + kDigest))->IsOnLoopback(), is_loopback) << registry;
}

TEST(ImageName, OtherRegistriesAreNotAskedForAnything) {
  const auto name = ImageName::Parse("10.0.0.1:80/a" + kDigest);
  EXPECT_TRUE(CheckRegistry(*name, {"registry.example", "10.0.0.1:80"}));
  EXPECT_THAT(CheckRegistry(*name, {"registry.example", "10.0.0.1"}).error().message(),
              HasSubstr("only from: registry.example, 10.0.0.1"));
  EXPECT_THAT(CheckRegistry(*name, {}).error().message(), HasSubstr("nowhere"));
}

TEST(ImageName, ARegistrysRefusalIsToldFromItsAbsence) {
  for (const char* words :
       {"reading manifest sha256:00 in a/b: manifest unknown",
        "failed to resolve reference \"r.example/a@sha256:00\": r.example/a@sha256:00: not found",
        "unexpected status from HEAD request to https://r.example/v2/a: 403 Forbidden",
        "pull access denied, repository does not exist or may require authorization"})
    EXPECT_TRUE(IsRefusalOfRegistry(words)) << words;
  for (const char* words : {"dial tcp: lookup r.example: no such host", "i/o timeout", "connection refused",
                            "unexpected status: 503 Service Unavailable"})
    EXPECT_FALSE(IsRefusalOfRegistry(words)) << words;
}

}  // namespace
}  // namespace glasscase::jobs
