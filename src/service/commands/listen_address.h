// Where to listen: ADDRESS:PORT.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct ListenAddress {
  std::string address;  // numeric: "127.0.0.1", "::1"
  uint16_t port = 0;

  // "127.0.0.1:8000", "[::1]:8000", "localhost:8000". InvalidArgument shows the form.
  static Result<ListenAddress> Parse(std::string_view text);

  bool IsLoopback() const;
  std::string ToString() const;  // "[::1]:8000"
  // What a browser on this machine would be given; a wildcard address becomes the loopback one.
  std::string Url(bool tls) const;
};

// AlreadyExists when another program listens there, with what to do about it; `option` is named in it.
Status CheckPortIsFree(const ListenAddress& where, std::string_view option);

}  // namespace glasscase::commands
