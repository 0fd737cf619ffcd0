// One HTTP exchange with a server that the operator configured.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

namespace glasscase::fetch {

struct Header {
  std::string name;
  std::string value;
};

// AWS Signature Version 4 over this request. `Authorization` and `x-amz-date` are added; the caller gives
// `Content-Type` where there is a body, `x-amz-content-sha256` (S3 wants it) and, with temporary credentials,
// `x-amz-security-token`: they are signed like every x-amz header. The credentials outlive the call.
struct SigV4Credentials {
  std::string region;   // "eu-central-1"
  std::string service;  // "s3"
  std::string access_key;
  Secret secret_key{};
};

// A body that is read while it is sent. Fills the front of `room` and gives how many bytes those are; 0 ends
// the body, which is an error before `bytes` of them were given. An error ends the exchange and is its
// result.
struct StreamedBody {
  std::function<Result<size_t>(std::span<uint8_t> room)> pull;
  uint64_t bytes = 0;
};

// Takes a piece of the answer's body. An error ends the exchange and is its result.
using Sink = std::function<Status(ByteSpan piece)>;

struct Request {
  std::string method = "GET";
  std::string url{};
  std::vector<Header> headers{};
  ByteSpan body{};                         // outlives the call
  std::optional<StreamedBody> streamed{};  // instead of `body`
  uint64_t answer_bytes_max = 1 << 20;     // of the body; a longer one is an error, not cut
  Sink sink{};  // gets the body of an answer with a 2xx status; other answers' bodies are in Answer::body
  const SigV4Credentials* sign_with = nullptr;
  int64_t total_timeout_ms = 30'000;  // 0: only `stall_timeout_ms` ends it
  int64_t stall_timeout_ms = 30'000;  // without a byte in either direction, in steps of a second; 0: no limit
  std::stop_token stop{};             // ends the exchange within a second
};

struct Answer {
  int status = 0;
  std::vector<Header> headers;  // names in lower case, in the order of the answer
  std::string body;

  // Of the first header of that name (lower case); empty when there is none.
  std::string_view HeaderOf(std::string_view name) const;
};

// An address to be asked for a host instead of the resolver's: for processes that lose the resolver's files.
// Certificates are still checked against the name.
struct ResolvedHost {
  std::string host;
  uint16_t port = 0;
  std::string address;        // "192.0.2.7" or "2001:db8::7"
  uint16_t connect_port = 0;  // there; 0: `port`
};

struct FetcherOptions {
  int64_t connect_timeout_ms = 10'000;
  // Certificates (PEM) of the authorities that are trusted, instead of the system's. Text, not a file:
  // whoever fetches may have given up its files by then, and with them the system's.
  std::string ca_pem{};
  // Who this side is, to servers that ask for a certificate: PEM, and its key. Several fetchers of one client
  // share the key.
  std::string certificate_pem{};
  std::shared_ptr<const Secret> key_pem{};
  std::vector<ResolvedHost> resolved{};
};

// Keeps the connection open between exchanges with one host. Not thread-safe: one per thread.
class Fetcher {
 public:
  static Result<std::unique_ptr<Fetcher>> Create(FetcherOptions options = {});
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // Any HTTP status is an answer. Fails with
  //   InvalidArgument     the URL, the method or a header cannot be sent; nothing was
  //   Unavailable         no connection, one that broke, or something that is not HTTP
  //   FailedPrecondition  the server's certificate is not trusted, or ours is none
  //   DeadlineExceeded    too slow; the server may have done what it was asked
  //   ResourceExhausted   the answer is longer than allowed
  //   Cancelled           asked to stop
  // or with the error of `streamed` or `sink`.
  Result<Answer> Fetch(const Request& request);

 private:
  struct State;
  explicit Fetcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "host:port" of an http or https URL: what messages may show of it. InvalidArgument for other URLs and for
// ones with a user name or password in them.
Result<std::string> HostOf(std::string_view url);

// Whether nobody on the way can read what is sent there: an https URL, or one of this machine (localhost,
// 127.0.0.0/8, ::1). InvalidArgument as for HostOf.
Result<bool> IsConfidential(std::string_view url);

}  // namespace glasscase::fetch
