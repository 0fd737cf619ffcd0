#include "self_signed.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(SelfSignedTest, EachHasItsOwnPin) {
  const SelfSigned one = MakeSelfSigned("models.example.org").value();
  const SelfSigned two = MakeSelfSigned("models.example.org").value();
  EXPECT_TRUE(one.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  const std::string pin = PinOfCertificate(one.certificate_pem).value();
  EXPECT_TRUE(pin.starts_with("sha256//"));
  EXPECT_EQ(pin.size(), 8U + 44U);
  EXPECT_NE(pin, PinOfCertificate(two.certificate_pem).value());
}

TEST(SelfSignedTest, AnOddHostNameIsLeftOut) { EXPECT_TRUE(MakeSelfSigned("a,IP:1.2.3.4").has_value()); }

// Made and pinned with the openssl program: openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256.
TEST(SelfSignedTest, ThePinIsThatOfOpenssl) {
  constexpr char kCertificate[] =
      "-----BEGIN CERTIFICATE-----\n"
      "MIIBbjCCAROgAwIBAgIUU8wgvMxgrHKzoHzxqJpX7ngsnewwCgYIKoZIzj0EAwIw\n"
      "DDEKMAgGA1UEAwwBeDAeFw0yNjExMjEwMDE2MDJaFw0zNjExMTgwMDE2MDJaMAwx\n"
      "CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASGOtjLoYT/8TVz\n"
      "l/ZcLkhNBuaGq10vBV0Bua+8x+YtHwNwAXdldRLYJpdxXREO5SBD8Iis59j+n8yO\n"
      "CxrWesq1o1MwUTAdBgNVHQ4EFgQUGD5/h0PjyNyZ4NvC6mS9ceCftHMwHwYDVR0j\n"
      "BBgwFoAUGD5/h0PjyNyZ4NvC6mS9ceCftHMwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n"
      "hkjOPQQDAgNJADBGAiEA5yFmTa+F3XVk5xrlj/8TXVJVI0Wj3Ko9dLEi5bGaa4sC\n"
      "IQCps9WPGdSKRnT/FOcgRmYOxwzbnEh9Vi2AcwMt/8RjoQ==\n"
      "-----END CERTIFICATE-----\n";
  EXPECT_EQ(PinOfCertificate(kCertificate).value(), "sha256//AdPRW6DaDABfF+bdvXsmcsDZPiyaESF6Ps08wVFhLRo=");
}

TEST(SelfSignedTest, WhatIsNoCertificateHasNoPin) { EXPECT_FALSE(PinOfCertificate("x").has_value()); }

}  // namespace
}  // namespace glasscase::commands
