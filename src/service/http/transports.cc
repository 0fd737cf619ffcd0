#include "transports.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <boost/asio/write.hpp>

#include <glasscase/core/secret.h>

namespace glasscase::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

Result<std::string> ReadWhole(int fd) {
  constexpr size_t kBytesMax = 1 << 20;
  std::string text;
  char chunk[4096];
  while (text.size() < kBytesMax) {
    const ssize_t bytes = pread(fd, chunk, sizeof chunk, static_cast<off_t>(text.size()));
    if (bytes < 0) return Fail(Error::FromErrno(errno, "read TLS file"));
    if (bytes == 0) return text;
    text.append(chunk, static_cast<size_t>(bytes));
  }
  return Fail(Error::InvalidArgument("a TLS file has more than a megabyte"));
}

}  // namespace

PlainConnection::PlainConnection(Gateway& gateway, TcpSocket socket)
    : Connection(gateway), socket_(std::move(socket)) {
  ErrorCode ignored;
  socket_.native_non_blocking(true, ignored);  // it is so already; Asio has to know
}

void PlainConnection::ReadSome(char* to, size_t bytes) {
  socket_.async_read_some(asio::buffer(to, bytes),
                          [this](const ErrorCode& error, size_t read) { OnRead(bool(error), read); });
}

void PlainConnection::WriteAll(const char* from, size_t bytes) {
  asio::async_write(socket_, asio::buffer(from, bytes),
                    [this](const ErrorCode& error, size_t) { OnWritten(bool(error)); });
}

size_t PlainConnection::TryWrite(const char* from, size_t bytes) {
  const ssize_t sent = send(socket_.native_handle(), from, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

ssize_t PlainConnection::MoveToPipe(int pipe, size_t bytes) {
  return splice(socket_.native_handle(), nullptr, pipe, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

ssize_t PlainConnection::MoveFromFile(int file, uint64_t offset, size_t bytes) {
  auto from = static_cast<off_t>(offset);
  return sendfile(socket_.native_handle(), file, &from, bytes);
}

void PlainConnection::WaitReadable() {
  socket_.async_wait(TcpSocket::wait_read, [this](const ErrorCode& error) { OnReady(bool(error)); });
}

void PlainConnection::WaitWritable() {
  socket_.async_wait(TcpSocket::wait_write, [this](const ErrorCode& error) { OnReady(bool(error)); });
}

void PlainConnection::ShutDownSending() {
  ErrorCode ignored;  // the peer may be gone already
  socket_.shutdown(TcpSocket::shutdown_send, ignored);
}

void PlainConnection::CloseTransport() {
  ErrorCode ignored;
  socket_.close(ignored);
}

TlsConnection::TlsConnection(Gateway& gateway, TcpSocket socket, std::shared_ptr<asio::ssl::context> context)
    : Connection(gateway), context_(std::move(context)), stream_(std::move(socket), *context_) {}

void TlsConnection::Handshake() {
  ++operations_;
  stream_.async_handshake(asio::ssl::stream_base::server, [this](const ErrorCode& error) {
    --operations_;
    if (error) {
      Close();
    } else {
      Start();
    }
  });
}

void TlsConnection::ReadSome(char* to, size_t bytes) {
  stream_.async_read_some(asio::buffer(to, bytes),
                          [this](const ErrorCode& error, size_t read) { OnRead(bool(error), read); });
}

void TlsConnection::WriteAll(const char* from, size_t bytes) {
  asio::async_write(stream_, asio::buffer(from, bytes),
                    [this](const ErrorCode& error, size_t) { OnWritten(bool(error)); });
}

void TlsConnection::ShutDownSending() {
  ErrorCode ignored;
  stream_.next_layer().shutdown(TcpSocket::shutdown_send, ignored);
}

void TlsConnection::CloseTransport() {
  ErrorCode ignored;
  stream_.next_layer().close(ignored);
}

Result<std::shared_ptr<asio::ssl::context>> MakeTlsContext(int certificate_fd, int key_fd) {
  GC_TRY(const std::string certificate, ReadWhole(certificate_fd));
  GC_TRY(std::string key, ReadWhole(key_fd));
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 |
                       asio::ssl::context::no_compression | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  ErrorCode error;
  context->use_certificate_chain(asio::buffer(certificate), error);
  if (error) return Fail(Error::InvalidArgument("the TLS certificate cannot be used: " + error.message()));
  context->use_private_key(asio::buffer(key), asio::ssl::context::pem, error);
  WipeMemory(key.data(), key.size());
  if (error) return Fail(Error::InvalidArgument("the TLS key cannot be used: " + error.message()));
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Fail(Error::InvalidArgument("the TLS key does not belong to the certificate"));
  }
  SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace glasscase::http
