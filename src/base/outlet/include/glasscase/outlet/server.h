// A server that the operator configured: a host and a port.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::outlet {

struct Server {
  std::string host;  // a name, or an address without brackets
  uint16_t port = 0;

  // "host:port" or "[IPv6]:port". InvalidArgument.
  static Result<Server> Parse(std::string_view text);
  // Behind a URL: http and https, postgres and postgresql (5432), and s3 by its parameter `endpoint`, itself
  // an http or https URL. InvalidArgument for other schemes, for URLs without a host, for lists of hosts, and
  // for a port that is none.
  static Result<Server> OfUrl(std::string_view url);

  std::string ToString() const;
  auto operator<=>(const Server&) const = default;
};

// Of "scheme://…?a=1&b=2": the value of one parameter, with %XX resolved; empty when it is not there.
std::string UrlParameter(std::string_view url, std::string_view name);

}  // namespace glasscase::outlet
