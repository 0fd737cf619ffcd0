// Against servers that misbehave, by script.
#include <glasscase/blobs_s3/s3_blob_store.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include <gmock/gmock.h>

#include <glasscase/crypto/sha256.h>
#include <glasscase/fetch/testing/loopback_server.h>

#include "s3_fixture_test.h"

namespace glasscase::blobs::testing {
namespace {

using fetch::testing::Connection;
using fetch::testing::LoopbackServer;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string ErrorXml(const std::string& code) {
  return "<Error><Code>" + code + "</Code><Message>said</Message></Error>";
}
std::string Listing(const std::string& inside) {
  return "<ListBucketResult><IsTruncated>false</IsTruncated>" + inside + "</ListBucketResult>";
}
std::string Listed(const Digest& digest) {
  const std::string hex = ToHex(digest);
  return "<Contents><Key>glasscase/sha256/" + hex.substr(0, 2) + "/" + hex +
         "</Key><Size>7</Size></Contents>";
}

// Answers each request by `answer`, which gets the request and how many of its method came before it; false
// closes.
class ScriptedServer {
 public:
  using Script = std::function<bool(Connection&, const std::string& request, int before)>;
  explicit ScriptedServer(Script answer)
      : answer_(std::move(answer)), server_([this](Connection& connection) { Serve(connection); }) {}

  std::string url() const { return server_.url(""); }
  std::string host() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  std::vector<std::string> Requests(std::string_view beginning) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    std::ranges::copy_if(requests_, std::back_inserter(found),
                         [&](const auto& request) { return request.starts_with(beginning); });
    return found;
  }

 private:
  void Serve(Connection& connection) {
    for (std::string request = connection.ReadRequest(); !request.empty();
         request = connection.ReadRequest()) {
      const auto before = Requests(request.substr(0, request.find(' ') + 1)).size();
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      if (!answer_(connection, request, static_cast<int>(before))) return;
    }
  }

  Script answer_;
  mutable std::mutex mutex_;  // guards requests_
  std::vector<std::string> requests_;
  LoopbackServer server_;
};

bool SendHead(Connection& connection, int status, size_t bytes) {
  return connection.Send("HTTP/1.1 " + std::to_string(status) +
                         " Said\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
}
bool IsListing(const std::string& request) { return request.find("list-type=2") < request.find('\r'); }

const Digest kWeights = Sha256(AsBytes("weights"));

// A server with one object, "weights", whose downloads are as told.
ScriptedServer::Script Holding(std::function<bool(Connection&, int before)> download) {
  return [=](Connection& connection, const std::string& request, int before) {
    if (request.starts_with("HEAD ")) return SendHead(connection, 200, 7);
    return download(connection, before);
  };
}

TEST(S3MisbehavingTest, ABusyServerIsAskedAgain) {
  for (const int status : {429, 500, 502, 503, 504}) {
    ScriptedServer server([=](Connection& connection, const std::string&, int before) {
      return connection.SendAnswer(before < 2 ? status : 200, before < 2 ? ErrorXml("SlowDown") : "");
    });
    S3Fixture fixture;
    const auto put = TryPut(*fixture.At(server.url()).Open(), "weights");
    EXPECT_TRUE(put) << put.error().message();
    const auto requests = server.Requests("PUT ");
    ASSERT_THAT(requests, SizeIs(3));
    EXPECT_TRUE(requests[2].ends_with("\r\n\r\nweights")) << "the body is sent from its beginning each time";
    EXPECT_THAT(requests[2], HasSubstr("x-amz-checksum-sha256: " + ToBase64(kWeights)));
    EXPECT_THAT(requests[2], HasSubstr("If-None-Match: *"));
  }
}

TEST(S3MisbehavingTest, AServerThatStaysBusyIsUnavailableAndNothingIsCommitted) {
  ScriptedServer server([](Connection& connection, const std::string&, int) {
    return connection.SendAnswer(503, ErrorXml("ServiceUnavailable"));
  });
  S3Fixture fixture;
  const auto put = TryPut(*fixture.At(server.url()).Open(), "weights");
  EXPECT_EQ(put.error().code(), Code::kUnavailable);
  EXPECT_THAT(put.error().message(), HasSubstr(server.host()));
  EXPECT_THAT(put.error().message(), HasSubstr("503 ServiceUnavailable"));
  EXPECT_THAT(server.Requests("PUT "), SizeIs(3));
  EXPECT_FALSE(fixture.IsCached(kWeights));
}

TEST(S3MisbehavingTest, NoAttemptBeginsAfterTheTotalTime) {
  ScriptedServer server([](Connection& connection, const std::string&, int) {
    usleep(20'000);
    return connection.SendAnswer(503, "");
  });
  S3Fixture fixture;
  fixture.At(server.url()).options.retries = {.attempts = 100, .first_pause_ms = 1, .total_ms = 10};
  EXPECT_EQ(fixture.Open()->List().error().code(), Code::kUnavailable);
  EXPECT_THAT(server.Requests("GET "), SizeIs(1));
}

TEST(S3MisbehavingTest, ASilentServerIsUnavailable) {
  ScriptedServer server([](Connection&, const std::string&, int) { return true; });
  S3Fixture fixture;
  fixture.At(server.url()).options.request_timeout_ms = 200;
  fixture.options.retries.attempts = 2;
  const auto size = fixture.Open()->Size(kWeights);
  EXPECT_EQ(size.error().code(), Code::kUnavailable) << size.error().message();
  EXPECT_THAT(size.error().message(), HasSubstr(server.host()));
}

TEST(S3MisbehavingTest, AServerThatIsAwayStillLeavesWhatIsCached) {
  S3Fixture fixture;
  {
    ScriptedServer server(
        [](Connection& connection, const std::string&, int) { return connection.SendAnswer(200, ""); });
    ASSERT_TRUE(TryPut(*fixture.At(server.url()).Open(), "weights"));
  }
  const auto store = fixture.Open();
  EXPECT_EQ(ReadAll(store->Open(kWeights).value().get()), "weights");
  EXPECT_EQ(store->Open(Digest{}).error().code(), Code::kUnavailable);
  EXPECT_EQ(store->Remove(kWeights).error().code(), Code::kUnavailable);
}

TEST(S3MisbehavingTest, HalfABodyIsAskedForAgainFromItsBeginning) {
  ScriptedServer server(Holding([](Connection& connection, int before) {
    if (before > 0) return connection.SendAnswer(200, "weights");
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwei");
    return false;
  }));
  S3Fixture fixture;
  const auto fd = fixture.At(server.url()).Open()->Open(kWeights);
  ASSERT_TRUE(fd) << fd.error().message();
  EXPECT_EQ(ReadAll(fd->get()), "weights");
}

TEST(S3MisbehavingTest, HalfABodyEachTimeIsUnavailableAndLeavesNothing) {
  ScriptedServer server(Holding([](Connection& connection, int) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwei");
    return false;
  }));
  S3Fixture fixture;
  EXPECT_EQ(fixture.At(server.url()).Open()->Open(kWeights).error().code(), Code::kUnavailable);
  EXPECT_FALSE(fixture.IsCached(kWeights));
  EXPECT_TRUE(std::filesystem::is_empty(fixture.folder / "staging"));
}

TEST(S3MisbehavingTest, OtherLongerAndShorterBytesAreDataLoss) {
  for (const std::string& bytes :
       {std::string("WEIGHTS"), std::string(100'000, 'x'), std::string("wei"), std::string()}) {
    ScriptedServer server(
        Holding([=](Connection& connection, int) { return connection.SendAnswer(200, bytes); }));
    S3Fixture fixture;
    const auto fd = fixture.At(server.url()).Open()->Open(kWeights);
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code(), Code::kDataLoss) << fd.error().message();
    EXPECT_FALSE(fixture.IsCached(kWeights));
  }
}

// ---- listings ----

TEST(S3MisbehavingTest, AListedObjectThatIsGoneIsNotFound) {
  ScriptedServer server([](Connection& connection, const std::string& request, int) {
    if (request.starts_with("HEAD ")) return SendHead(connection, 404, 0);
    if (IsListing(request)) return connection.SendAnswer(200, Listing(Listed(kWeights)));
    return connection.SendAnswer(404, ErrorXml("NoSuchKey"));
  });
  S3Fixture fixture;
  const auto store = fixture.At(server.url()).Open();
  EXPECT_THAT(store->List().value(), SizeIs(1));
  EXPECT_EQ(store->Open(kWeights).error().code(), Code::kNotFound);
  EXPECT_EQ(store->Size(kWeights).error().code(), Code::kNotFound);
  EXPECT_TRUE(store->Remove(kWeights));
}

TEST(S3MisbehavingTest, AnObjectThatIsNotListedYetIsFound) {
  ScriptedServer server([](Connection& connection, const std::string& request, int) {
    if (request.starts_with("HEAD ")) return SendHead(connection, 200, 7);
    if (request.starts_with("PUT ")) return connection.SendAnswer(412, ErrorXml("PreconditionFailed"));
    return connection.SendAnswer(200, IsListing(request) ? Listing("") : "weights");
  });
  S3Fixture fixture;
  const auto store = fixture.At(server.url()).Open();
  EXPECT_TRUE(store->List().value().empty());
  EXPECT_EQ(ReadAll(store->Open(kWeights).value().get()), "weights");
  EXPECT_TRUE(TryPut(*store, "weights")) << "which is there already";
  EXPECT_THAT(server.Requests("PUT "), SizeIs(1));
}

TEST(S3MisbehavingTest, ListingsThatAreNoneOrGoRoundAreDataLoss) {
  for (const char* xml : {"<html>hello</html>", "",
                          "<ListBucketResult><IsTruncated>true</IsTruncated>"
                          "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"}) {
    ScriptedServer server(
        [=](Connection& connection, const std::string&, int) { return connection.SendAnswer(200, xml); });
    S3Fixture fixture;
    const auto found = fixture.At(server.url()).Open()->List();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), Code::kDataLoss);
    EXPECT_THAT(found.error().message(), HasSubstr(server.host()));
  }
}

// ---- refusals ----

TEST(S3MisbehavingTest, RefusalsNameTheSetting) {
  struct Case {
    int status;
    const char* s3_code;
    Code code;
    const char* named;
  };
  for (const Case& c :
       {Case{403, "AccessDenied", Code::kPermissionDenied, "may not do this"},
        Case{403, "InvalidAccessKeyId", Code::kPermissionDenied, "the access key is not known"},
        Case{403, "SignatureDoesNotMatch", Code::kPermissionDenied, "the secret key"},
        Case{403, "ExpiredToken", Code::kPermissionDenied, "the session token"},
        Case{403, "RequestTimeTooSkewed", Code::kFailedPrecondition, "the clocks"},
        Case{301, "PermanentRedirect", Code::kFailedPrecondition, "the region or the endpoint"},
        Case{400, "AuthorizationHeaderMalformed", Code::kFailedPrecondition, "the region"},
        Case{404, "NoSuchBucket", Code::kFailedPrecondition, "there is no bucket bucket"}}) {
    // Answers to HEAD have no body: the reason is asked for.
    ScriptedServer server([c](Connection& connection, const std::string& request, int) {
      if (request.starts_with("HEAD ")) return SendHead(connection, c.status, 0);
      return connection.SendAnswer(c.status, ErrorXml(c.s3_code));
    });
    S3Fixture fixture;
    const auto store = fixture.At(server.url()).Open();
    for (const Error& error : {store->Size(kWeights).error(), TryPut(*store, "weights").error(),
                               store->Remove(kWeights).error(), store->Open(kWeights).error()}) {
      EXPECT_EQ(error.code(), c.code) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(c.named));
    }
  }
}

TEST(S3MisbehavingTest, APageOfSomeProxyIsNoWordAboutTheObject) {
  ScriptedServer server([](Connection& connection, const std::string&, int) {
    return connection.SendAnswer(404, "<html>not here</html>");
  });
  S3Fixture fixture;
  const auto removed = fixture.At(server.url()).Open()->Remove(kWeights);
  EXPECT_EQ(removed.error().code(), Code::kFailedPrecondition) << removed.error().message();
}

// ---- uploads in parts ----

class S3PartsTest : public ::testing::Test {
 protected:
  // Runs an upload of 7 bytes in parts of 3 against a server that does all right but what `otherwise`
  // answers.
  Result<Digest> Upload(ScriptedServer::Script otherwise) {
    server.emplace([=](Connection& connection, const std::string& request, int before) {
      const std::string line = request.substr(0, request.find('\r'));
      if (otherwise(connection, request, before)) return true;
      if (line.starts_with("HEAD ")) return SendHead(connection, 404, 0);
      if (IsListing(request)) return connection.SendAnswer(200, Listing(""));
      if (line.find("uploads=") != std::string::npos)
        return connection.SendAnswer(200,
                                     "<InitiateMultipartUploadResult><UploadId>up 1</UploadId>"
                                     "</InitiateMultipartUploadResult>");
      return connection.SendAnswer(200, "<CompleteMultipartUploadResult/>", "ETag: \"part\"\r\n");
    });
    S3Fixture fixture;
    fixture.At(server->url()).options.multipart_above_bytes = 6;
    fixture.options.part_bytes_min = 3;
    return TryPut(*fixture.Open(), "weights");
  }
  static bool IsCompletion(const std::string& request) {
    return request.starts_with("POST ") && request.find("uploadId=") < request.find('\r');
  }
  std::optional<ScriptedServer> server;
};

TEST_F(S3PartsTest, AllPartsAreSentWithTheirDigests) {
  const auto put = Upload([](auto&&...) { return false; });
  ASSERT_TRUE(put) << put.error().message();
  const auto parts = server->Requests("PUT ");
  ASSERT_THAT(parts, SizeIs(3));
  EXPECT_THAT(parts[1], HasSubstr("?partNumber=2&uploadId=up%201 "));
  EXPECT_THAT(parts[1], HasSubstr("x-amz-checksum-sha256: " + ToBase64(Sha256(AsBytes("ght")))));
  EXPECT_TRUE(parts[2].ends_with("\r\n\r\ns"));
  EXPECT_THAT(server->Requests("DELETE "), SizeIs(0));
}

TEST_F(S3PartsTest, AnUploadThatFailsIsAborted) {
  const auto put = Upload([](Connection& connection, const std::string& request, int before) {
    if (!request.starts_with("PUT ") || before == 0) return false;
    return connection.SendAnswer(403, ErrorXml("AccessDenied"));
  });
  EXPECT_EQ(put.error().code(), Code::kPermissionDenied);
  ASSERT_THAT(server->Requests("DELETE "), SizeIs(1));
  EXPECT_THAT(server->Requests("DELETE ")[0], HasSubstr("?uploadId=up%201 "));
}

TEST_F(S3PartsTest, AFailureThatComesAfter200IsSeenAndTheCompletionRepeated) {
  const auto put = Upload([](Connection& connection, const std::string& request, int before) {
    return IsCompletion(request) && before == 1 && connection.SendAnswer(200, ErrorXml("InternalError"));
  });
  EXPECT_TRUE(put) << put.error().message();
  EXPECT_THAT(server->Requests("POST "), SizeIs(3));
}

TEST_F(S3PartsTest, ACompletionWhoseAnswerGotLostIsRecognised) {
  std::atomic<bool> completed = false;
  const auto put = Upload([&](Connection& connection, const std::string& request, int) {
    if (request.starts_with("HEAD ") && completed) return SendHead(connection, 200, 7);
    if (!IsCompletion(request)) return false;
    const bool first = !completed.exchange(true);
    return connection.SendAnswer(first ? 503 : 404, ErrorXml(first ? "SlowDown" : "NoSuchUpload"));
  });
  EXPECT_TRUE(put) << put.error().message();
}

}  // namespace
}  // namespace glasscase::blobs::testing
