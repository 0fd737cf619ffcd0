#include <glasscase/fetch/fetch.h>

#include <chrono>
#include <condition_variable>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <glasscase/fetch/testing/loopback_server.h>

namespace glasscase::fetch {
namespace {

using testing::Connection;
using ::testing::HasSubstr;
using testing::LoopbackServer;
using ::testing::Not;
using ::testing::StartsWith;

std::unique_ptr<Fetcher> MakeFetcher(FetcherOptions options = {}) {
  return Fetcher::Create(std::move(options)).value();
}

// Answers every request with its own bytes.
void Echo(Connection& connection) {
  for (std::string request = connection.ReadRequest(); !request.empty(); request = connection.ReadRequest())
    connection.SendAnswer(200, request, "X-Said: yes \r\n");
}

Error ErrorOfServerThat(std::function<void(Connection&)> serves, Request request = {}) {
  LoopbackServer server(std::move(serves));
  request.url = server.url("/secret-key");
  auto answer = MakeFetcher()->Fetch(request);
  EXPECT_FALSE(answer);
  if (answer) return Error(Code::kUnknown, "");
  EXPECT_THAT(answer.error().message(), HasSubstr("127.0.0.1:" + std::to_string(server.port())));
  EXPECT_THAT(answer.error().message(), Not(HasSubstr("secret-key")));
  return answer.error();
}

TEST(FetchTest, MethodHeadersAndBodyArriveAndTheAnswerComesBack) {
  LoopbackServer server(Echo);
  const auto answer =
      MakeFetcher()->Fetch({.method = "POST",
                            .url = server.url("/a?b=c"),
                            .headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}},
                            .body = AsBytes("[1]")});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->HeaderOf("x-said"), "yes");
  EXPECT_EQ(answer->HeaderOf("x-other"), "");
  EXPECT_THAT(answer->body, StartsWith("POST /a?b=c HTTP/1.1\r\n"));
  EXPECT_THAT(answer->body, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer->body, HasSubstr("X-Empty:\r\n"));
  EXPECT_THAT(answer->body, HasSubstr("\r\n\r\n[1]"));
}

TEST(FetchTest, BodiesAreNotCalledForms) {
  LoopbackServer server(Echo);
  const auto answer = MakeFetcher()->Fetch({.method = "POST", .url = server.url(), .body = AsBytes("x")});
  EXPECT_THAT(answer.value().body, Not(HasSubstr("Content-Type")));
}

TEST(FetchTest, OneConnectionServesManyExchanges) {
  LoopbackServer server(Echo);
  const auto fetcher = MakeFetcher();
  for (const char* method : {"GET", "PUT", "DELETE", "POST"})
    EXPECT_THAT(fetcher->Fetch({.method = method, .url = server.url()}).value().body, StartsWith(method));
  EXPECT_EQ(server.connections(), 1);
}

TEST(FetchTest, HeadGivesHeadersOnly) {
  LoopbackServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 4096\r\nETag: \"x\"\r\n\r\n");
  });
  const auto answer = MakeFetcher()->Fetch({.method = "HEAD", .url = server.url()});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->HeaderOf("etag"), "\"x\"");
  EXPECT_EQ(answer->HeaderOf("content-length"), "4096");
}

TEST(FetchTest, AnErrorStatusIsAnAnswer) {
  LoopbackServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.SendAnswer(503, "later", "Retry-After: 7\r\n");
  });
  std::string sunk;
  const auto answer = MakeFetcher()->Fetch({.url = server.url(), .sink = [&sunk](ByteSpan piece) {
                                              sunk += AsText(piece);
                                              return Ok();
                                            }});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "later");
  EXPECT_EQ(answer->HeaderOf("retry-after"), "7");
  EXPECT_EQ(sunk, "");
}

TEST(FetchTest, RedirectsAreNotFollowed) {
  LoopbackServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.SendAnswer(307, "", "Location: http://127.0.0.1:1/\r\n");
  });
  EXPECT_EQ(MakeFetcher()->Fetch({.url = server.url()}).value().status, 307);
}

TEST(FetchTest, ProxiesOfTheEnvironmentAreNotAsked) {
  LoopbackServer server(Echo);
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  EXPECT_TRUE(MakeFetcher()->Fetch({.url = server.url()}));
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST(FetchTest, InformationalAnswersArePassedOver) {
  LoopbackServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
    connection.SendAnswer(200, "done");
  });
  const auto answer = MakeFetcher()->Fetch({.url = server.url()}).value();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.HeaderOf("x-early"), "");
}

// ---- bodies in pieces ----

TEST(FetchTest, StreamedBodiesAreSentWholeAndSinksGetAllPieces) {
  LoopbackServer server(Echo);
  const std::string text(700'000, 'x');
  size_t at = 0;
  const StreamedBody body{.pull =
                              [&](std::span<uint8_t> room) {
                                const size_t size = std::min({room.size(), text.size() - at, size_t{10'001}});
                                std::copy_n(text.begin() + static_cast<ptrdiff_t>(at), size, room.begin());
                                at += size;
                                return Result<size_t>(size);
                              },
                          .bytes = text.size()};
  std::string sunk;
  const auto answer = MakeFetcher()->Fetch(
      {.method = "PUT", .url = server.url(), .streamed = body, .sink = [&sunk](ByteSpan piece) {
         sunk += AsText(piece);
         return Ok();
       }});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "");
  EXPECT_THAT(sunk, StartsWith("PUT / HTTP/1.1\r\n"));
  EXPECT_TRUE(sunk.ends_with("\r\n\r\n" + text));
}

TEST(FetchTest, ErrorsOfBodiesAndSinksComeBack) {
  LoopbackServer server(Echo);
  const auto fetcher = MakeFetcher();
  const StreamedBody failing{
      .pull = [](std::span<uint8_t>) -> Result<size_t> { return Fail(Error::DataLoss("disk")); },
      .bytes = 10};
  EXPECT_EQ(fetcher->Fetch({.method = "PUT", .url = server.url(), .streamed = failing}).error().message(),
            "disk");
  const StreamedBody ending{.pull = [](std::span<uint8_t>) { return Result<size_t>(0); }, .bytes = 10};
  EXPECT_EQ(fetcher->Fetch({.method = "PUT", .url = server.url(), .streamed = ending}).error().code(),
            Code::kInternal);
  const auto full = [](ByteSpan) -> Status { return Fail(Error::ResourceExhausted("full")); };
  EXPECT_EQ(fetcher->Fetch({.url = server.url(), .sink = full}).error().message(), "full");
  EXPECT_TRUE(fetcher->Fetch({.url = server.url()})) << "the fetcher goes on";
}

// ---- servers that misbehave ----

TEST(FetchTest, HalfAnAnswerIsUnavailable) {
  const Error error = ErrorOfServerThat([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });
  EXPECT_EQ(error.code(), Code::kUnavailable) << error.message();
}

TEST(FetchTest, HalfAHeadIsUnavailable) {
  const Error error = ErrorOfServerThat([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Le");
  });
  EXPECT_EQ(error.code(), Code::kUnavailable) << error.message();
}

TEST(FetchTest, AConnectionClosedWithoutAWordIsUnavailable) {
  const Error error = ErrorOfServerThat([](Connection& connection) { connection.ReadRequest(); });
  EXPECT_EQ(error.code(), Code::kUnavailable) << error.message();
}

TEST(FetchTest, AnAnswerBeyondTheLimitIsRefusedAndNotCut) {
  LoopbackServer server([](Connection& connection) {
    while (!connection.ReadRequest().empty()) connection.SendAnswer(200, std::string(1000, 'x'));
  });
  const auto fetcher = MakeFetcher();
  EXPECT_EQ(fetcher->Fetch({.url = server.url(), .answer_bytes_max = 999}).error().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(fetcher->Fetch({.url = server.url(), .answer_bytes_max = 1000}).value().body.size(), 1000u);
}

TEST(FetchTest, AnAnswerWithoutEndIsRefused) {
  const Error error = ErrorOfServerThat([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.Send(std::string(4096, 'x'))) {
    }
  });
  EXPECT_EQ(error.code(), Code::kResourceExhausted) << error.message();
}

TEST(FetchTest, HeadersWithoutEndAreRefused) {
  const Error error = ErrorOfServerThat([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\n");
    while (connection.Send("X-More: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  EXPECT_EQ(error.code(), Code::kResourceExhausted) << error.message();
}

TEST(FetchTest, SlowServersMeetTheDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  const Error error = ErrorOfServerThat(
      [](Connection& connection) {
        connection.ReadRequest();
        connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        while (connection.Send("x")) usleep(20'000);
      },
      {.total_timeout_ms = 300});
  EXPECT_EQ(error.code(), Code::kDeadlineExceeded) << error.message();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(FetchTest, SilentServersMeetTheStallLimit) {
  const Error error =
      ErrorOfServerThat([](Connection& connection) { connection.ReadRequest(), connection.ReadRequest(); },
                        {.total_timeout_ms = 0, .stall_timeout_ms = 1000});
  EXPECT_EQ(error.code(), Code::kDeadlineExceeded) << error.message();
}

TEST(FetchTest, AStopEndsTheExchange) {
  std::stop_source stop;
  const Error error = ErrorOfServerThat(
      [&stop](Connection& connection) {
        connection.ReadRequest();
        stop.request_stop();
        connection.ReadRequest();
      },
      {.stop = stop.get_token()});
  EXPECT_EQ(error.code(), Code::kCancelled) << error.message();
}

TEST(FetchTest, RefusedConnectionsAreUnavailable) {
  int port = 0;
  {
    LoopbackServer gone(Echo);
    port = gone.port();
  }
  const auto answer = MakeFetcher()->Fetch({.url = "http://127.0.0.1:" + std::to_string(port) + "/"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::kUnavailable);
  EXPECT_THAT(answer.error().message(), HasSubstr("127.0.0.1:" + std::to_string(port)));
}

TEST(FetchTest, UnknownHostsAreUnavailable) {
  const auto answer = MakeFetcher()->Fetch({.url = "http://no-such-host.invalid/"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::kUnavailable);
  EXPECT_THAT(answer.error().message(), HasSubstr("no-such-host.invalid:80"));
}

TEST(FetchTest, ResolvedHostsNeedNoResolver) {
  LoopbackServer server(Echo);
  const auto port = static_cast<uint16_t>(server.port());
  const auto fetcher =
      MakeFetcher({.resolved = {{.host = "no-such-host.invalid", .port = port, .address = "127.0.0.1"}}});
  for (int i = 0; i < 2; ++i) {
    const auto answer = fetcher->Fetch({.url = "http://no-such-host.invalid:" + std::to_string(port) + "/"});
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_THAT(answer->body, HasSubstr("Host: no-such-host.invalid:"));
  }
}

TEST(FetchTest, GarbageInsteadOfHttpIsUnavailable) {
  for (const char* garbage :
       {"SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x02", "HTTP/9.9 abc\r\n\r\n", "\r\n\r\n"}) {
    const Error error = ErrorOfServerThat([garbage](Connection& connection) {
      connection.ReadRequest();
      connection.Send(garbage);
    });
    EXPECT_EQ(error.code(), Code::kUnavailable) << error.message();
  }
}

TEST(FetchTest, PlainHttpBehindAnHttpsUrlIsUnavailable) {
  LoopbackServer server([](Connection& connection) { connection.Send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const auto answer = MakeFetcher()->Fetch({.url = "https://127.0.0.1:" + std::to_string(server.port())});
  EXPECT_EQ(answer.error().code(), Code::kUnavailable) << answer.error().message();
}

// ---- requests that cannot be sent ----

TEST(FetchTest, ACertificateToShowThatIsNoneIsSaid) {
  LoopbackServer server([](Connection& connection) { connection.ReadRequest(); });
  const auto fetcher = MakeFetcher(
      {.certificate_pem = "none", .key_pem = std::make_shared<const Secret>(std::string("secret-key"))});
  const auto answer = fetcher->Fetch({.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::kFailedPrecondition) << answer.error().message();
  EXPECT_THAT(answer.error().message(), Not(HasSubstr("secret-key")));
}

TEST(FetchTest, OnlyHttpUrlsAreAsked) {
  const auto fetcher = MakeFetcher();
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:1/", "", "http://",
                          "http://a b/", "http://user:password@127.0.0.1/", "http://user@127.0.0.1/"}) {
    const auto answer = fetcher->Fetch({.url = url});
    ASSERT_FALSE(answer) << url;
    EXPECT_EQ(answer.error().code(), Code::kInvalidArgument) << url;
    EXPECT_THAT(answer.error().message(), Not(HasSubstr("password@")));
  }
}

TEST(FetchTest, HeadersAndMethodsThatWouldSplitTheRequestAreRefused) {
  const auto fetcher = MakeFetcher();
  for (const Header& header :
       {Header{"X-A", "1\r\nX-B: 2"}, Header{"X-A\r\n", "1"}, Header{"", "1"}, Header{"a:b", ""}})
    EXPECT_EQ(fetcher->Fetch({.url = "http://127.0.0.1:1/", .headers = {header}}).error().code(),
              Code::kInvalidArgument);
  EXPECT_EQ(fetcher->Fetch({.method = "GET / HTTP/1.1\r\nX", .url = "http://127.0.0.1:1/"}).error().code(),
            Code::kInvalidArgument);
}

TEST(FetchTest, HostsAreNamedWithTheirPort) {
  EXPECT_EQ(HostOf("https://node.example/key").value(), "node.example:443");
  EXPECT_EQ(HostOf("http://[::1]:8545").value(), "[::1]:8545");
}

TEST(FetchTest, OnlyHttpsAndThisMachineAreConfidential) {
  for (const char* url : {"https://node.example", "http://127.0.0.1:8545", "http://127.9.9.9",
                          "http://[::1]:8545", "http://LOCALHOST:8545/key"})
    EXPECT_TRUE(IsConfidential(url).value()) << url;
  for (const char* url : {"http://node.example", "http://127.0.0.1.example", "http://192.0.2.7:8545",
                          "http://localhost.example", "http://[2001:db8::1]"})
    EXPECT_FALSE(IsConfidential(url).value()) << url;
  EXPECT_EQ(IsConfidential("ftp://127.0.0.1").error().code(), Code::kInvalidArgument);
}

// ---- signatures ----

std::string Sha256Hex(std::string_view text) {
  Digest digest;
  SHA256(AsBytes(text).data(), text.size(), digest.data());
  return ToHex(digest);
}

std::string Hmac(std::string_view key, std::string_view text) {
  uint8_t mac[32];
  unsigned size = sizeof mac;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), AsBytes(text).data(), text.size(), mac, &size);
  return std::string(AsText(mac));
}

std::string ValueOf(const std::string& request, const std::string& name) {
  const size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

// Computes the signature again, from what arrived, as an object store does.
TEST(FetchTest, SignedRequestsCarryTheSignatureThatAServerComputes) {
  LoopbackServer server(Echo);
  SigV4Credentials credentials{.region = "eu-central-1", .service = "s3", .access_key = "AKID"};
  credentials.secret_key = Secret("a secret");
  const std::string payload = Sha256Hex("body");
  const auto answer = MakeFetcher()->Fetch({.method = "PUT",
                                            .url = server.url("/bucket/key"),
                                            .headers = {{"x-amz-content-sha256", payload}},
                                            .body = AsBytes("body"),
                                            .sign_with = &credentials});
  ASSERT_TRUE(answer) << answer.error().message();
  const std::string& request = answer->body;
  std::string date = ValueOf(request, "X-Amz-Date");
  ASSERT_EQ(date.size(), 16u) << request;
  const std::string day = date.substr(0, 8);
  const std::string canonical = "PUT\n/bucket/key\n\nhost:" + ValueOf(request, "Host") +
                                "\nx-amz-content-sha256:" + payload + "\nx-amz-date:" + date +
                                "\n\nhost;x-amz-content-sha256;x-amz-date\n" + payload;
  const std::string scope = day + "/eu-central-1/s3/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + Sha256Hex(canonical);
  const std::string key = Hmac(Hmac(Hmac(Hmac("AWS4a secret", day), "eu-central-1"), "s3"), "aws4_request");
  EXPECT_EQ(ValueOf(request, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKID/" + scope +
                ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" +
                ToHex(AsBytes(Hmac(key, to_sign))))
      << request;
  EXPECT_THAT(request, Not(HasSubstr("a secret")));
}

}  // namespace
}  // namespace glasscase::fetch
