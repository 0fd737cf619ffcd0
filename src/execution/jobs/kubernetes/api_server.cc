#include "api_server.h"

#include <algorithm>
#include <charconv>

#include <glasscase/core/bytes.h>
#include <glasscase/json/strict.h>
#include <glasscase/process/file_io.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;

constexpr uint64_t kAnswerBytesMax = uint64_t{16} << 20;
constexpr size_t kWordsMax = 600;
constexpr int64_t kRetryAfterMsMax = 120'000;

Result<Secret> ReadToken(const std::string& path) {
  std::string text = process::ReadText(path).value_or("");
  text.erase(text.find_last_not_of(" \r\n") + 1);
  if (text.empty())
    return Fail(Error::FailedPrecondition("the token of Kubernetes in " + path +
                                          " cannot be read: it must be there and readable by the user of "
                                          "workers (60606 where serve is started as root)"));
  return Secret(std::move(text));
}

int64_t RetryAfterMs(const fetch::Answer& answer) {
  const std::string_view text = answer.HeaderOf("retry-after");  // in seconds; dates are not used there
  int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::clamp<int64_t>(seconds, 0, kRetryAfterMsMax / 1000) * 1000;
}

// What a Status object says.
std::string WordsOf(std::string_view body) {
  const auto parsed = json::Parse(body, {});
  const bj::object* const object = parsed ? parsed->if_object() : nullptr;
  const bj::value* const message = object != nullptr ? object->if_contains("message") : nullptr;
  if (message != nullptr && message->is_string())
    return Printable(std::string(message->get_string()), kWordsMax);
  return Printable(body, 200);
}

}  // namespace

std::string InQuery(std::string_view text) {
  std::string query;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    const auto byte = static_cast<uint8_t>(c);
    query += plain ? std::string(1, c) : "%" + ToHex({&byte, 1});
  }
  return query;
}

Error ErrorOfAnswer(int status, std::string_view body, const std::string& host) {
  const std::string words =
      "Kubernetes at " + host + " says " + std::to_string(status) + ": " + WordsOf(body);
  switch (status) {
    case 400:
    case 422: return Error::InvalidArgument(words);
    case 401: return Error::Unauthenticated(words + " (its token or certificate was not accepted)");
    case 403: return Error::PermissionDenied(words);
    case 404: return Error::NotFound(words);
    case 409: return Error::AlreadyExists(words);
    case 429: return Error::Unavailable(words);
    default: break;
  }
  return status >= 500 ? Error::Unavailable(words) : Error::Internal(words);
}

ApiServer::ApiServer(ClusterAccess access, std::string host, std::unique_ptr<fetch::Fetcher> fetcher)
    : access_(std::move(access)), host_(std::move(host)), fetcher_(std::move(fetcher)) {}

Result<std::unique_ptr<ApiServer>> ApiServer::Connect(ClusterAccess access) {
  while (access.url.ends_with('/')) access.url.pop_back();
  GC_TRY(std::string host, fetch::HostOf(access.url));
  GC_TRY(const bool is_confidential, fetch::IsConfidential(access.url));
  if (!is_confidential)
    return Fail(Error::InvalidArgument("Kubernetes at " + host +
                                       " is asked over https only: its token would be read on the way"));
  GC_TRY(auto fetcher, fetch::Fetcher::Create({.ca_pem = access.ca_pem,
                                               .certificate_pem = access.certificate_pem,
                                               .key_pem = access.key_pem}));
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(access), std::move(host), std::move(fetcher)));
}

Result<fetch::Answer> ApiServer::Exchange(fetch::Request request) {
  retry_after_ms_ = 0;
  request.url = access_.url + request.url;
  std::string header;
  if (!access_.token_file.empty()) {
    GC_TRY(const Secret token, ReadToken(access_.token_file));
    header = "Bearer " + std::string(token.Reveal(RevealToken()));
    request.headers.push_back({"Authorization", header});
  }
  auto answer = fetcher_->Fetch(request);
  if (!header.empty()) {
    std::string& sent = request.headers.back().value;
    WipeMemory(sent.data(), sent.size());
    WipeMemory(header.data(), header.size());
  }
  if (!answer) return Fail(answer.error().WithContext("Kubernetes"));
  if (answer->status >= 200 && answer->status < 300) return answer;
  retry_after_ms_ = RetryAfterMs(*answer);
  return Fail(ErrorOfAnswer(answer->status, answer->body, host_));
}

Result<bj::value> ApiServer::Ask(fetch::Request request) {
  request.headers.push_back({"Accept", "application/json"});
  request.answer_bytes_max = kAnswerBytesMax;
  GC_TRY(const fetch::Answer answer, Exchange(std::move(request)));
  auto value = json::Parse(answer.body, {.bytes_max = kAnswerBytesMax, .depth_max = 64});
  if (!value)
    return Fail(Error::Unavailable("Kubernetes at " + host_ +
                                   " answers with what is no JSON: " + value.error().message()));
  return value;
}

Result<bj::value> ApiServer::Get(const std::string& path) { return Ask({.url = path}); }

Result<bj::value> ApiServer::Create(const std::string& path, const bj::value& object) {
  const std::string body = bj::serialize(object);
  return Ask({.method = "POST",
              .url = path,
              .headers = {{"Content-Type", "application/json"}},
              .body = AsBytes(body)});
}

Status ApiServer::Delete(const std::string& path, const bj::value& options) {
  const std::string body = bj::serialize(options);
  GC_TRY_VOID(Ask({.method = "DELETE",
                   .url = path,
                   .headers = {{"Content-Type", "application/json"}},
                   .body = AsBytes(body)}));
  return Ok();
}

Status ApiServer::Stream(const std::string& path, const std::function<void(std::string_view)>& take,
                         std::stop_token stop) {
  GC_TRY_VOID(Exchange({.url = path,
                        .answer_bytes_max = UINT64_MAX,
                        .sink =
                            [&](ByteSpan piece) {
                              take(AsText(piece));
                              return Ok();
                            },
                        .total_timeout_ms = 0,
                        .stall_timeout_ms = 0,
                        .stop = std::move(stop)}));
  return Ok();
}

}  // namespace glasscase::jobs
