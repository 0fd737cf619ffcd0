#include "listening_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include <glasscase/core/bytes.h>

namespace glasscase::supervision {
namespace {

constexpr int kBacklog = 4096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
  sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
};

Result<Address> Parse(std::string_view text) {
  const auto fail = [&] {
    return Fail(Error::InvalidArgument("not an address and port: " + Printable(text)));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail();
  std::string host(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return fail();
  if (host == "localhost") host = "127.0.0.1";
  Address address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.size = sizeof(sockaddr_in6);
    address.v6().sin6_family = AF_INET6;
    address.v6().sin6_port = htons(port);
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), &address.v6().sin6_addr) != 1) return fail();
    return address;
  }
  address.size = sizeof(sockaddr_in);
  address.v4().sin_family = AF_INET;
  address.v4().sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.v4().sin_addr) != 1) return fail();
  return address;
}

std::string Print(Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &address.v6().sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(address.v6().sin6_port));
  }
  inet_ntop(AF_INET, &address.v4().sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(address.v4().sin_port));
}

bool IsLoopback(Address& address) {
  if (address.storage.ss_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&address.v6().sin6_addr);
  return ntohl(address.v4().sin_addr.s_addr) >> 24 == 127;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Open(const std::string& text) {
  GC_TRY(Address address, Parse(text));
  ListeningSocket result;
  result.loopback_ = IsLoopback(address);
  result.fd_ = Fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!result.fd_.valid()) return Fail(Error::FromErrno(errno, "socket for " + text));
  const int on = 1;
  setsockopt(result.fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(result.fd_.get(), address.get(), address.size) != 0 || listen(result.fd_.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) return Fail(Error::AlreadyExists("another program listens on " + text));
    return Fail(Error::FromErrno(errno, "listen on " + text));
  }
  getsockname(result.fd_.get(), address.get(), &address.size);
  result.address_ = Print(address);
  return result;
}

Status ListeningSocket::Repair() {
  int listening = 0;
  socklen_t size = sizeof listening;
  const bool known = getsockopt(fd_.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0;
  if (known && listening != 0) return Ok();
  fd_ = Fd();  // it may still hold the address
  GC_TRY(ListeningSocket opened, Open(address_));
  *this = std::move(opened);
  return Ok();
}

}  // namespace glasscase::supervision
