// The installation's listening sockets. Private.
#pragma once

#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::supervision {

// One address to listen on. The socket outlives the edge that accepts from it, so that a restart loses no
// connection that waits.
class ListeningSocket {
 public:
  // "127.0.0.1:8000", "[::1]:8000" or "localhost:8000"; port 0 lets the kernel choose, and the choice stays.
  static Result<ListeningSocket> Open(const std::string& text);

  int fd() const { return fd_.get(); }
  const std::string& address() const { return address_; }  // with the port in use
  bool loopback() const { return loopback_; }

  // Opens it anew when it does not listen any more: a taken-over edge can shut it down for everybody.
  Status Repair();

 private:
  Fd fd_;
  std::string address_;
  bool loopback_ = false;
};

}  // namespace glasscase::supervision
