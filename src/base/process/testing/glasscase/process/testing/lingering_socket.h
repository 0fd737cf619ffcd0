// For tests: a socket that takes long to close.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <glasscase/process/fd.h>

namespace glasscase::process::testing {

// Its peer, the second, reads nothing, and closing it waits for that, for so many seconds at most.
inline std::pair<Fd, Fd> LingeringSocket(int seconds) {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const place = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), place, length), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), place, &length), 0);
  Fd lingers(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(lingers.get(), place, length), 0);
  Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const linger wait{.l_onoff = 1, .l_linger = seconds};
  EXPECT_EQ(::setsockopt(lingers.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait), 0);
  const std::string much(size_t{1} << 20, 'x');
  while (::send(lingers.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  return {std::move(lingers), std::move(peer)};
}

}  // namespace glasscase::process::testing
