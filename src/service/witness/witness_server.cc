#include <glasscase/witness/witness_server.h>

#include <chrono>
#include <csignal>
#include <exception>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <glasscase/core/log.h>

#include "witness_routes.h"

namespace glasscase::witness {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// Errors as values, not as exceptions.
constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);

http::status StatusOf(const ErrorCode& error) {
  if (error == http::error::body_limit) return http::status::payload_too_large;
  if (error == http::error::header_limit) return http::status::request_header_fields_too_large;
  return http::status::bad_request;
}

// Of HTTP itself: whoever went away or was too slow gets no answer.
bool IsMalformed(const ErrorCode& error) {
  return error.category() == http::make_error_code(http::error::body_limit).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

class WitnessServer::Service {
 public:
  Service(ledger::Witness& witness, Limits limits) : witness_(witness), limits_(limits) {}

  Status Listen(const std::string& address, uint16_t port) {
    ErrorCode error;
    const auto ip = asio::ip::make_address(address, error);
    if (error) return Fail(Error::InvalidArgument("\"" + Printable(address) + "\" is no numeric address"));
    const Tcp::endpoint endpoint(ip, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return Ok();
    return Fail(Error::FailedPrecondition("cannot listen on " + address + ":" + std::to_string(port) + ": " +
                                          error.message()));
  }

  uint16_t port() const {
    ErrorCode ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  void Run() {
    asio::co_spawn(context_, Accept(), asio::detached);
    signals_.async_wait([this](const ErrorCode&, int) { context_.stop(); });
    context_.run();
  }

  void Stop() {
    asio::post(context_, [this] { context_.stop(); });
  }

 private:
  asio::awaitable<void> Accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error) {
        // Out of descriptors, most likely: wait until some connection is over.
        asio::steady_timer pause(context_, std::chrono::milliseconds(100));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (connections_ == limits_.connections_max) continue;  // the socket closes here
      ++connections_;
      asio::co_spawn(context_, Serve(beast::tcp_stream(std::move(socket))),
                     [this](const std::exception_ptr&) { --connections_; });
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer(limits_.header_bytes_max + limits_.body_bytes_max);
    for (bool goes_on = true; goes_on;) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(static_cast<uint32_t>(limits_.header_bytes_max));
      parser.body_limit(limits_.body_bytes_max);
      if (buffer.size() == 0) {
        stream.expires_after(std::chrono::seconds(limits_.idle_seconds_max));
        const auto [error, bytes] =
            co_await stream.async_read_some(buffer.prepare(limits_.header_bytes_max), kAwait);
        if (error) break;
        buffer.commit(bytes);
      }
      stream.expires_after(std::chrono::seconds(limits_.request_seconds_max));
      const auto [error, bytes] = co_await http::async_read(stream, buffer, parser, kAwait);
      if (error && !IsMalformed(error)) break;
      Response response = error ? Refusal(StatusOf(error), error.message()) : Answer(witness_, parser.get());
      goes_on = !error && parser.get().keep_alive();
      response.keep_alive(goes_on);
      response.prepare_payload();
      const auto [write_error, written] = co_await http::async_write(stream, response, kAwait);
      if (write_error) break;
    }
    ErrorCode ignored;  // the peer may be gone already
    stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  }

  ledger::Witness& witness_;
  Limits limits_;
  asio::io_context context_{1};
  Tcp::acceptor acceptor_{context_};
  asio::signal_set signals_{context_, SIGTERM, SIGINT};
  size_t connections_ = 0;
};

WitnessServer::WitnessServer(std::unique_ptr<Service> service) : service_(std::move(service)) {}
WitnessServer::~WitnessServer() = default;

Result<std::unique_ptr<WitnessServer>> WitnessServer::Listen(const std::string& address, uint16_t port,
                                                             ledger::Witness& witness, Limits limits) {
  auto service = std::make_unique<Service>(witness, limits);
  GC_TRY_VOID(service->Listen(address, port));
  return std::unique_ptr<WitnessServer>(new WitnessServer(std::move(service)));
}

uint16_t WitnessServer::port() const { return service_->port(); }
void WitnessServer::Run() { service_->Run(); }
void WitnessServer::Stop() { service_->Stop(); }

}  // namespace glasscase::witness
