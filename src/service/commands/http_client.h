// HTTP to one server, through libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

namespace glasscase::commands {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  const Secret* token = nullptr;  // sent as bearer; none when null or empty
  std::string content_type;
  std::vector<std::string> fields;  // further header lines, without CRLF
  std::string body;
  int64_t timeout_seconds = 60;  // 0: as long as it takes
  // Ends a transfer in which nothing has moved for so long; 0: never.
  int64_t stall_seconds = 0;
  // A streamed body instead of `body`: fills the buffer and returns how much; 0 at the end.
  std::function<size_t(char* buffer, size_t size)> read_body;
  int64_t read_body_bytes = 0;
  // Takes the body of an answer that is no refusal, piece by piece; false ends the transfer.
  std::function<bool(std::string_view piece)> take_body;
  std::function<void()> while_waiting;  // called now and then until the answer is there
};

struct HttpAnswer {
  long status = 0;
  std::string content_type;
  std::string retry_after;
  std::string location;
  std::string upload_offset;
  std::string body;
};

// One connection is kept between requests. Not thread-safe.
class HttpClient {
 public:
  // `pin`: sha256//... of the server's public key, which then takes the place of the certificate's
  // authorities (for self-signed ones); empty: the system's authorities decide.
  explicit HttpClient(std::string pin);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is an answer. Unavailable when no answer came, Cancelled after ^C (see Interrupt).
  Result<HttpAnswer> Send(const HttpRequest& request);

 private:
  void Prepare(const HttpRequest& request);
  Error Explain(int code, const std::string& url, const char* detail) const;

  std::string pin_;
  void* curl_;  // CURL*
};

}  // namespace glasscase::commands
