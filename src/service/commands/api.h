// The routes under /glasscase/v1 and /v2, with refusals turned into errors that say what to do.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

#include "http_client.h"

namespace glasscase::commands {

// One listener of one server, as one subject.
class Api {
 public:
  // `token` outlives this.
  Api(std::string url, std::string pin, const Secret& token);

  Result<boost::json::value> Get(std::string_view path);
  Result<boost::json::value> Post(std::string_view path, const boost::json::value& body);
  Result<boost::json::value> Put(std::string_view path, const boost::json::value& body);
  Result<boost::json::value> Delete(std::string_view path);
  // `body` is sent as it is; the answer is returned as it came.
  Result<std::string> PostRaw(std::string_view path, std::string body);
  // Waits as long as the server works: for publishing, which reads and runs the model. `while_waiting` is
  // called now and then.
  Result<boost::json::value> PostPatiently(std::string_view path, const boost::json::value& body,
                                           std::function<void()> while_waiting);
  // One exchange, for what the others do not do. Any status is an answer.
  HttpRequest NewRequest(std::string method, std::string_view path) const;
  Result<HttpAnswer> Exchange(const HttpRequest& request) { return http_.Send(request); }

  const std::string& url() const { return url_; }

 private:
  Result<boost::json::value> SendForJson(const HttpRequest& request);
  Result<boost::json::value> SendJson(std::string method, std::string_view path,
                                      const boost::json::value& body);

  std::string url_;
  const Secret& token_;
  HttpClient http_;
};

// What a refusal says to the person at the keyboard. `url`: the server's.
Error ExplainRefusal(const HttpAnswer& answer, const std::string& url);

}  // namespace glasscase::commands
