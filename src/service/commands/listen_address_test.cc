#include "listen_address.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(ListenAddressTest, BothFamiliesAreRead) {
  EXPECT_EQ(ListenAddress::Parse("127.0.0.1:8000").value().Url(false), "http://127.0.0.1:8000");
  EXPECT_EQ(ListenAddress::Parse("[::1]:8000").value().Url(true), "https://[::1]:8000");
  EXPECT_EQ(ListenAddress::Parse("localhost:1").value().address, "127.0.0.1");
}

TEST(ListenAddressTest, OnlyLoopbackIsLoopback) {
  EXPECT_TRUE(ListenAddress::Parse("127.9.9.9:1").value().IsLoopback());
  EXPECT_TRUE(ListenAddress::Parse("[::1]:1").value().IsLoopback());
  EXPECT_FALSE(ListenAddress::Parse("0.0.0.0:1").value().IsLoopback());
  EXPECT_FALSE(ListenAddress::Parse("[::]:1").value().IsLoopback());
}

TEST(ListenAddressTest, TheWildcardIsReachedThroughLoopback) {
  EXPECT_EQ(ListenAddress::Parse("0.0.0.0:8000").value().Url(false), "http://127.0.0.1:8000");
}

TEST(ListenAddressTest, WrongFormsAreRefused) {
  for (const char* text : {"", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:80x", "::1:8000", "[127.0.0.1]:80", "example.org:80", "127.0.0.1.:1"}) {
    EXPECT_FALSE(ListenAddress::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace glasscase::commands
