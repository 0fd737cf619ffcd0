// The two transports of a connection: plain TCP and TLS.
#pragma once

#include <memory>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>

#include "connection.h"

namespace glasscase::http {

// A concrete executor spares Asio's type-erased one on every operation.
using TcpSocket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

class PlainConnection final : public Connection {
 public:
  PlainConnection(Gateway& gateway, TcpSocket socket);

 private:
  void ReadSome(char* to, size_t bytes) override;
  void WriteAll(const char* from, size_t bytes) override;
  size_t TryWrite(const char* from, size_t bytes) override;
  bool moves_bytes() const override { return true; }
  ssize_t MoveToPipe(int pipe, size_t bytes) override;
  ssize_t MoveFromFile(int file, uint64_t offset, size_t bytes) override;
  void WaitReadable() override;
  void WaitWritable() override;
  void ShutDownSending() override;
  void CloseTransport() override;

  TcpSocket socket_;
};

class TlsConnection final : public Connection {
 public:
  // `context` holds the certificate that was current when the connection came.
  TlsConnection(Gateway& gateway, TcpSocket socket, std::shared_ptr<boost::asio::ssl::context> context);
  void Handshake();

 private:
  void ReadSome(char* to, size_t bytes) override;
  void WriteAll(const char* from, size_t bytes) override;
  size_t TryWrite(const char*, size_t) override { return 0; }
  void ShutDownSending() override;
  void CloseTransport() override;

  std::shared_ptr<boost::asio::ssl::context> context_;
  boost::asio::ssl::stream<TcpSocket> stream_;
};

// A server context from PEM files by descriptor: TLS 1.2 and 1.3, session tickets off.
Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(int certificate_fd, int key_fd);

}  // namespace glasscase::http
