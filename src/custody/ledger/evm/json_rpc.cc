#include "json_rpc.h"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace glasscase::ledger::evm {
namespace {

constexpr uint64_t kAnswerBytesMax = 16 << 20;  // events are the longest

// Nodes quote what they were sent, and what they say ends in messages and in logs.
void Hide(const Secret& authorization, std::string& said) {
  const std::string_view value = authorization.Reveal(RevealToken());
  const std::string_view credential = value.substr(value.find(' ') + 1);
  if (credential.empty()) return;
  for (size_t at = said.find(credential); at != std::string::npos; at = said.find(credential, at))
    said.replace(at, credential.size(), "(hidden)");
}

Error ErrorOfStatus(int status, const std::string& host, bool is_authorized) {
  const std::string what = "the chain node at " + host + " answered " + std::to_string(status);
  if (status == 401 || status == 403)
    return Error::FailedPrecondition(what + (is_authorized
                                                 ? ": it wants another authorization than the configured one"
                                                 : ": it wants an authorization, and none is configured"));
  if (status == 429 || status >= 500) return Error::Unavailable(what);
  return Error::FailedPrecondition(what + ": is this the URL of its JSON-RPC?");
}

}  // namespace

JsonRpc::JsonRpc(JsonRpcOptions options, std::string host, std::unique_ptr<fetch::Fetcher> fetcher)
    : options_(std::move(options)), host_(std::move(host)), fetcher_(std::move(fetcher)) {}

Result<std::unique_ptr<JsonRpc>> JsonRpc::Create(JsonRpcOptions options) {
  GC_TRY(std::string host, fetch::HostOf(options.url));
  GC_TRY(const bool is_confidential, fetch::IsConfidential(options.url));
  if (!options.authorization.empty() && !is_confidential)
    return Fail(Error::InvalidArgument("an authorization is not sent to " + host +
                                       " over plain HTTP, where others on the way can read it: use https"));
  GC_TRY(auto fetcher, fetch::Fetcher::Create({.ca_pem = options.ca_pem, .resolved = options.resolved}));
  return std::unique_ptr<JsonRpc>(new JsonRpc(std::move(options), std::move(host), std::move(fetcher)));
}

Result<RpcAnswer> JsonRpc::Ask(std::string_view method, boost::json::array parameters) {
  const uint64_t id = ++last_id_;
  const std::string body = boost::json::serialize(boost::json::object{
      {"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(parameters)}});
  fetch::Request request{.method = "POST",
                         .url = options_.url,
                         .headers = {{"Content-Type", "application/json"}},
                         .body = AsBytes(body),
                         .answer_bytes_max = kAnswerBytesMax,
                         .total_timeout_ms = options_.timeout_ms};
  if (!options_.authorization.empty())
    request.headers.push_back({"Authorization", std::string(options_.authorization.Reveal(RevealToken()))});
  GC_TRY(fetch::Answer answer, fetcher_->Fetch(request));
  Hide(options_.authorization, answer.body);
  auto parsed = ParseRpcAnswer(answer.body, id);
  // Some nodes put their refusals into answers with an error status; other bodies there are of proxies.
  const bool is_refusal = parsed && std::holds_alternative<RpcError>(*parsed);
  if (answer.status == 401 || (answer.status != 200 && !is_refusal))
    return Fail(ErrorOfStatus(answer.status, host_, !options_.authorization.empty()));
  if (!parsed) return Fail(parsed.error().WithContext(std::string(method) + " at " + host_));
  return parsed;
}

}  // namespace glasscase::ledger::evm
