// Refusals as HTTP answers: application/problem+json (RFC 9457) whose member `error` repeats the sentence for
// clients of the Open Inference Protocol, which read nothing else.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::http {

struct Problem {
  unsigned status = 500;
  std::string detail;
  std::string fields;  // further header lines, each ending in CRLF
  bool close = false;  // the rest of the request cannot be read
};

std::string_view StatusText(unsigned status);

// The one place where canonical codes become statuses.
unsigned StatusOf(Code code);
Problem ToProblem(const Error& error);

// {"type":"about:blank","title":...,"status":...,"detail":...,"error":...}
std::string ProblemBody(unsigned status, std::string_view detail);

// `text` as the inside of a JSON string: escaped, and with ill-formed UTF-8 replaced by U+FFFD.
void AppendJsonEscaped(std::string& out, std::string_view text);

}  // namespace glasscase::http
