// A server on loopback that says exactly the bytes a test wants, whether they are HTTP or not.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::fetch::testing {

// One connection, from the side of the server.
class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}

  // Head and body of the next request; empty when the client has closed. Understands Content-Length only.
  std::string ReadRequest() {
    size_t head_end;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!ReadMore()) return "";
    size_t body_bytes = 0;
    if (const size_t at = buffer_.find("Content-Length: "); at < head_end)
      body_bytes = std::strtoull(buffer_.c_str() + at + 16, nullptr, 10);
    while (buffer_.size() < head_end + 4 + body_bytes)
      if (!ReadMore()) break;
    std::string request = buffer_.substr(0, head_end + 4 + body_bytes);
    buffer_.erase(0, request.size());
    return request;
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  bool SendAnswer(int status, std::string_view body, std::string_view more_headers = "") {
    return Send("HTTP/1.1 " + std::to_string(status) +
                " Said\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                std::string(more_headers) + "\r\n" + std::string(body));
  }

 private:
  bool ReadMore() {
    char piece[4096];
    const ssize_t got = recv(descriptor_, piece, sizeof piece, 0);
    if (got <= 0) return false;
    buffer_.append(piece, static_cast<size_t>(got));
    return true;
  }

  int descriptor_;
  std::string buffer_;
};

// Serves each connection with `serve`, in a thread of its own, until destroyed. A client may keep several
// open.
class LoopbackServer {
 public:
  explicit LoopbackServer(std::function<void(Connection&)> serve) : serve_(std::move(serve)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GC_CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    GC_CHECK(listen(listener_, 8) == 0);
    socklen_t size = sizeof address;
    GC_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~LoopbackServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      for (const int descriptor : connected_) shutdown(descriptor, SHUT_RDWR);
    }
    thread_.join();
    for (std::thread& serving : serving_) serving.join();
    close(listener_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  int connections() const { return connections_; }

 private:
  void Run() {
    while (!stopping_) {
      const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) continue;
      {
        const std::lock_guard lock(mutex_);
        connected_.insert(descriptor);
      }
      ++connections_;
      serving_.emplace_back([this, descriptor] { Serve(descriptor); });
    }
  }
  void Serve(int descriptor) {
    Connection connection(descriptor);
    if (!stopping_) serve_(connection);
    const std::lock_guard lock(mutex_);
    connected_.erase(descriptor);
    close(descriptor);
  }

  std::function<void(Connection&)> serve_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;  // guards connected_
  std::set<int> connected_;
  std::vector<std::thread> serving_;  // thread_'s, and after its end the destructor's
  std::thread thread_;
};

}  // namespace glasscase::fetch::testing
