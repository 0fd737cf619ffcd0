#include "invitation_link.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

constexpr char kPin[] = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

TEST(InvitationLinkTest, WhatInvitePrintsLoginReads) {
  const auto text = FormatInvitationLink("https://models.example:8000", "gci_abc", kPin);
  const auto link = InvitationLink::Parse(text).value();
  EXPECT_EQ(link.url, "https://models.example:8000");
  EXPECT_EQ(link.credential.Reveal(RevealToken()), "gci_abc");
  EXPECT_EQ(link.pin, kPin);
}

TEST(InvitationLinkTest, CredentialAndPinMayBeMissing) {
  const auto link = InvitationLink::Parse("http://127.0.0.1:8000/").value();
  EXPECT_EQ(link.url, "http://127.0.0.1:8000");
  EXPECT_TRUE(link.credential.empty());
  EXPECT_TRUE(link.pin.empty());
}

TEST(InvitationLinkTest, RefusalsDoNotQuoteWhatMayBeASecret) {
  const auto link = InvitationLink::Parse("http://127.0.0.1:8000#cgi_secret");
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().message().find("secret"), std::string::npos);
}

TEST(InvitationLinkTest, OnlyHttpAddressesAreServers) {
  for (const char* text : {"", "ftp://a", "http://", "http://:80", "//a", "http://user@a", "http://a?x",
                           "http://a b", "http://a#pin=md5//x", "http://a#pin=sha256//short"}) {
    EXPECT_FALSE(InvitationLink::Parse(text).has_value()) << text;
  }
}

TEST(InvitationLinkTest, LoopbackIsRecognised) {
  EXPECT_TRUE(IsLoopbackUrl("http://127.0.0.1:8000"));
  EXPECT_TRUE(IsLoopbackUrl("http://localhost"));
  EXPECT_TRUE(IsLoopbackUrl("http://[::1]:8000/x"));
  EXPECT_FALSE(IsLoopbackUrl("http://127.evil.example"));
  EXPECT_FALSE(IsLoopbackUrl("http://10.0.0.1:8000"));
}

}  // namespace
}  // namespace glasscase::commands
