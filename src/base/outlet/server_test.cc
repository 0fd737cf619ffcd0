#include <glasscase/outlet/server.h>

#include <gtest/gtest.h>

namespace glasscase::outlet {
namespace {

TEST(ServerTest, ReadsHostAndPort) {
  EXPECT_EQ(Server::Parse("db.example:5432").value(), (Server{"db.example", 5432}));
  EXPECT_EQ(Server::Parse("[2001:db8::1]:1").value(), (Server{"2001:db8::1", 1}));
  EXPECT_EQ(Server::Parse("[2001:db8::1]:1")->ToString(), "[2001:db8::1]:1");
  EXPECT_EQ(Server::Parse("127.0.0.1:80")->ToString(), "127.0.0.1:80");
}

TEST(ServerTest, RefusesWhatIsNoServer) {
  for (const char* bad : {"", "db", "db:", ":1", "db:0", "db:65536", "db:1x", "a b:1", "[::1:1", "[::1]",
                          "[::1]1", "2001:db8::1:1", "db\n:1", "a,b:1"})
    EXPECT_EQ(Server::Parse(bad).error().code(), Code::kInvalidArgument) << bad;
}

TEST(ServerTest, FindsTheServerBehindAUrl) {
  EXPECT_EQ(Server::OfUrl("https://node.example").value(), (Server{"node.example", 443}));
  EXPECT_EQ(Server::OfUrl("http://node.example:8545/a?b=c").value(), (Server{"node.example", 8545}));
  EXPECT_EQ(Server::OfUrl("postgresql://me@db.example/glasscase").value(), (Server{"db.example", 5432}));
  EXPECT_EQ(Server::OfUrl("postgres://db.example:6000?dbname=x").value(), (Server{"db.example", 6000}));
  EXPECT_EQ(Server::OfUrl("s3://bucket/p?region=x&endpoint=https%3A%2F%2Fs3.example%3A9000").value(),
            (Server{"s3.example", 9000}));
  EXPECT_EQ(Server::OfUrl("s3://bucket?endpoint=http://[::1]:9000").value(), (Server{"::1", 9000}));
}

TEST(ServerTest, RefusesUrlsWithoutOneServer) {
  for (const char* bad : {"", "db.example:5432", "ftp://a", "postgresql:///glasscase?host=/run/postgresql",
                          "postgresql://a,b/glasscase", "s3://bucket", "s3://bucket?endpoint=s3.example",
                          "https://:443", "https://a:b"})
    EXPECT_EQ(Server::OfUrl(bad).error().code(), Code::kInvalidArgument) << bad;
}

TEST(UrlParameterTest, ResolvesPercentsAndKeepsWhatIsNone) {
  EXPECT_EQ(UrlParameter("s3://b?a=1&b=%2Fx%2", "b"), "/x%2");
  EXPECT_EQ(UrlParameter("s3://b?a=1", "b"), "");
  EXPECT_EQ(UrlParameter("s3://b", "b"), "");
}

}  // namespace
}  // namespace glasscase::outlet
