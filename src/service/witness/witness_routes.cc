#include "witness_routes.h"

#include <optional>

#include <glasscase/core/log.h>

namespace glasscase::witness {
namespace {

namespace http = boost::beast::http;
using ledger::WitnessAnswer;

constexpr std::string_view kAddCheckpoint = "/add-checkpoint";
constexpr std::string_view kCheckpoint = "/checkpoint";
constexpr size_t kDigestDigits = 64;

Response Make(http::status status, std::string_view type, std::string body) {
  Response response(status, 11);
  response.set(http::field::content_type, type);
  response.body() = std::move(body);
  return response;
}

Response Add(ledger::Witness& witness, const Request& request) {
  WitnessAnswer answer = witness.Add(request.body());
  if (!answer.report.empty()) LogWarning(answer.report);
  return Make(static_cast<http::status>(answer.verdict),
              answer.body_is_a_size ? "text/x.tlog.size" : "text/plain; charset=utf-8",
              std::move(answer.body));
}

// The digest of "/<digest>/checkpoint".
std::optional<std::string_view> DigestOf(std::string_view target) {
  if (target.size() != 1 + kDigestDigits + kCheckpoint.size() || !target.ends_with(kCheckpoint) ||
      target[0] != '/')
    return std::nullopt;
  return target.substr(1, kDigestDigits);
}

Response Latest(const ledger::Witness& witness, std::string_view digest) {
  auto latest = witness.Latest(digest);
  if (latest) {
    Response response = Make(http::status::ok, "text/plain; charset=utf-8", std::move(*latest));
    response.set(http::field::cache_control, "no-cache");
    return response;
  }
  if (latest.error().code() == Code::kNotFound)
    return Refusal(http::status::not_found, latest.error().message());
  LogError(latest.error().message());
  return Refusal(http::status::internal_server_error, "the witness could not read its state");
}

Response NotAllowed(std::string_view allowed) {
  Response response = Refusal(http::status::method_not_allowed, "use " + std::string(allowed));
  response.set(http::field::allow, allowed);
  return response;
}

}  // namespace

Response Refusal(http::status status, std::string_view why) {
  return Make(status, "text/plain; charset=utf-8", std::string(why) + "\n");
}

Response Answer(ledger::Witness& witness, const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  if (target == kAddCheckpoint)
    return request.method() == http::verb::post ? Add(witness, request) : NotAllowed("POST");
  if (const auto digest = DigestOf(target))
    return request.method() == http::verb::get ? Latest(witness, *digest) : NotAllowed("GET");
  return Refusal(http::status::not_found,
                 "a witness answers POST /add-checkpoint and GET /<hex SHA-256(origin)>/checkpoint");
}

}  // namespace glasscase::witness
