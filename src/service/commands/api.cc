#include "api.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/core/bytes.h>

#include "json_members.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

// InvalidArgument is kept for commands that were used wrongly; a request that the server finds wrong is a
// refusal like others.
Code CodeOfStatus(long status) {
  switch (status) {
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 409: return Code::kAlreadyExists;
    case 413: return Code::kOutOfRange;
    case 429: return Code::kResourceExhausted;
    case 501: return Code::kUnimplemented;
    case 503: return Code::kUnavailable;
    case 504: return Code::kDeadlineExceeded;
    case 507: return Code::kResourceExhausted;
    default: return status >= 500 ? Code::kInternal : Code::kFailedPrecondition;
  }
}

std::string DetailOf(const HttpAnswer& answer) {
  json::error_code error;
  const json::value problem = json::parse(answer.body, error);
  std::string detail = error ? std::string() : TextOf(problem, "detail");
  if (detail.empty() && !error) detail = TextOf(problem, "error");
  if (detail.empty() && !error) detail = TextOf(problem, "title");
  return detail.empty() ? "HTTP status " + std::to_string(answer.status) : detail;
}

}  // namespace

Error ExplainRefusal(const HttpAnswer& answer, const std::string& url) {
  std::string message = DetailOf(answer);
  if (answer.status == 401) {
    message = "the server at " + url + " does not accept the token: " + message +
              ". Log in again (glasscase login URL) or set GLASSCASE_TOKEN";
  } else if (answer.status == 429 && !answer.retry_after.empty()) {
    message += " (again in " + Printable(answer.retry_after, 20) + " s)";
  } else if (answer.status == 503) {
    message += "; try again shortly";
  } else if (answer.status >= 300 && answer.status < 400) {
    message = url + " answers with a redirection; give the address it leads to";
  }
  return {CodeOfStatus(answer.status), message};
}

Api::Api(std::string url, std::string pin, const Secret& token)
    : url_(std::move(url)), token_(token), http_(std::move(pin)) {}

HttpRequest Api::NewRequest(std::string method, std::string_view path) const {
  HttpRequest request;
  request.method = std::move(method);
  request.url = url_ + std::string(path);
  request.token = &token_;
  return request;
}

Result<json::value> Api::SendForJson(const HttpRequest& request) {
  GC_TRY(const HttpAnswer answer, http_.Send(request));
  if (answer.status < 200 || answer.status > 299) return Fail(ExplainRefusal(answer, url_));
  if (answer.body.empty()) return json::value(json::object{});
  return ParseJson(answer.body, "the answer of " + url_ + " (is it a Glasscase server?)");
}

Result<json::value> Api::SendJson(std::string method, std::string_view path, const json::value& body) {
  HttpRequest request = NewRequest(std::move(method), path);
  request.content_type = "application/json";
  request.body = json::serialize(body);
  return SendForJson(request);
}

Result<json::value> Api::Get(std::string_view path) { return SendForJson(NewRequest("GET", path)); }
Result<json::value> Api::Delete(std::string_view path) { return SendForJson(NewRequest("DELETE", path)); }
Result<json::value> Api::Post(std::string_view path, const json::value& body) {
  return SendJson("POST", path, body);
}
Result<json::value> Api::Put(std::string_view path, const json::value& body) {
  return SendJson("PUT", path, body);
}

Result<json::value> Api::PostPatiently(std::string_view path, const json::value& body,
                                       std::function<void()> while_waiting) {
  HttpRequest request = NewRequest("POST", path);
  request.content_type = "application/json";
  request.body = json::serialize(body);
  request.timeout_seconds = 0;
  request.while_waiting = std::move(while_waiting);
  return SendForJson(request);
}

Result<std::string> Api::PostRaw(std::string_view path, std::string body) {
  HttpRequest request = NewRequest("POST", path);
  request.content_type = "application/json";
  request.body = std::move(body);
  request.timeout_seconds = 0;
  GC_TRY(HttpAnswer answer, http_.Send(request));
  if (answer.status < 200 || answer.status > 299) return Fail(ExplainRefusal(answer, url_));
  return std::move(answer.body);
}

}  // namespace glasscase::commands
