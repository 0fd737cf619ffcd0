#include "listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include <glasscase/core/bytes.h>
#include <glasscase/process/fd.h>

namespace glasscase::commands {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress ToSocketAddress(const ListenAddress& where) {
  SocketAddress result;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, where.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(where.port);
    result.size = sizeof v4;
    std::memcpy(&result.storage, &v4, sizeof v4);
  } else if (inet_pton(AF_INET6, where.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(where.port);
    result.size = sizeof v6;
    std::memcpy(&result.storage, &v6, sizeof v6);
  }
  return result;
}

}  // namespace

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  const auto refuse = [&] {
    return Fail(Error::InvalidArgument(
        "an address is written NUMBERS:PORT, for example 127.0.0.1:8000 or [::1]:8000: " + Printable(text)));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);

  ListenAddress where{host == "localhost" ? "127.0.0.1" : std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), where.port);
  if (error != std::errc{} || end != port.data() + port.size()) return refuse();
  const bool is_v6 = where.address.find(':') != std::string::npos;
  if (is_v6 != bracketed || ToSocketAddress(where).size == 0) return refuse();
  return where;
}

bool ListenAddress::IsLoopback() const { return address == "::1" || address.starts_with("127."); }

std::string ListenAddress::ToString() const {
  const bool is_v6 = address.find(':') != std::string::npos;
  return (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::string ListenAddress::Url(bool tls) const {
  ListenAddress reachable = *this;
  if (address == "0.0.0.0") reachable.address = "127.0.0.1";
  if (address == "::") reachable.address = "::1";
  return (tls ? "https://" : "http://") + reachable.ToString();
}

Status CheckPortIsFree(const ListenAddress& where, std::string_view option) {
  if (where.port == 0) return Ok();
  const SocketAddress address = ToSocketAddress(where);
  const Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return Fail(Error::FromErrno(errno, "could not make a socket"));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), address.get(), address.size) == 0) return Ok();
  const std::string text = where.ToString();
  if (errno == EADDRINUSE) {
    return Fail(Error::AlreadyExists("another program listens on " + text +
                                     " already. If that is Glasscase, end it with: "
                                     "glasscase stop. Or choose another address: " +
                                     std::string(option) + " ADDRESS:PORT"));
  }
  return Fail(Error::FromErrno(errno, "could not listen on " + text + " (" + std::string(option) + ")"));
}

}  // namespace glasscase::commands
