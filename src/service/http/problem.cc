#include "problem.h"

#include <array>
#include <utility>

#include <glasscase/core/bytes.h>

namespace glasscase::http {

std::string_view StatusText(unsigned status) {
  static constexpr std::array<std::pair<unsigned, std::string_view>, 32> kTexts = {
      {{200, "OK"},
       {201, "Created"},
       {204, "No Content"},
       {206, "Partial Content"},
       {304, "Not Modified"},
       {400, "Bad Request"},
       {401, "Unauthorized"},
       {403, "Forbidden"},
       {404, "Not Found"},
       {405, "Method Not Allowed"},
       {408, "Request Timeout"},
       {409, "Conflict"},
       {411, "Length Required"},
       {412, "Precondition Failed"},
       {413, "Content Too Large"},
       {414, "URI Too Long"},
       {415, "Unsupported Media Type"},
       {416, "Range Not Satisfiable"},
       {417, "Expectation Failed"},
       {423, "Locked"},
       {429, "Too Many Requests"},
       {431, "Request Header Fields Too Large"},
       {460, "Checksum Mismatch"},
       {499, "Client Closed Request"},
       {500, "Internal Server Error"},
       {501, "Not Implemented"},
       {502, "Bad Gateway"},
       {503, "Service Unavailable"},
       {504, "Gateway Timeout"},
       {505, "HTTP Version Not Supported"},
       {507, "Insufficient Storage"}}};
  for (const auto& [code, text] : kTexts) {
    if (code == status) return text;
  }
  return "Error";
}

unsigned StatusOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kAborted: return 409;
    case Code::kResourceExhausted: return 507;  // quotas answer 429 themselves
    case Code::kCancelled: return 499;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss: return 500;
  }
  return 500;
}

Problem ToProblem(const Error& error) {
  Problem problem{.status = StatusOf(error.code()), .detail = error.message(), .fields = {}, .close = false};
  if (problem.status == 503) problem.fields = "Retry-After: 1\r\n";
  if (problem.status == 401) problem.fields = "WWW-Authenticate: Bearer\r\n";
  return problem;
}

void AppendJsonEscaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const bool well_formed = IsUtf8(text);
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (byte >= 0x80 && !well_formed) {
      out += "\\ufffd";
    } else {
      out += c;
    }
  }
}

std::string ProblemBody(unsigned status, std::string_view detail) {
  std::string body = R"({"type":"about:blank","title":")";
  body += StatusText(status);
  body += R"(","status":)";
  body += std::to_string(status);
  for (const std::string_view member : {R"(,"detail":")", R"(","error":")"}) {
    body += member;
    AppendJsonEscaped(body, detail);
  }
  body += "\"}\n";
  return body;
}

}  // namespace glasscase::http
