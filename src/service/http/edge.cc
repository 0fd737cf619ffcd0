#include <glasscase/http/edge.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include <boost/asio/steady_timer.hpp>

#include <glasscase/core/log.h>
#include <glasscase/process/lifeline.h>

#include "transports.h"

namespace glasscase::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
using LifelineType = process::LifelineMessage::Type;

// Handlers run at most so many in a round, so that hosts are woken and answers fetched in between.
constexpr int kHandlersPerRound = 512;
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr int kTicksPerCheck = 5;
constexpr int kAcceptsPerWait = 64;

std::string DateField(int64_t wall_micros) {
  const time_t seconds = wall_micros / 1'000'000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return {text, strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts)};
}

}  // namespace

Gateway::Gateway(asio::io_context& io_context, EdgeOptions edge_options, const Clock& system_clock,
                 process::Confinement confinement)
    : io(io_context),
      options(edge_options),
      clock(system_clock),
      custodian(io_context, system_clock, std::move(confinement)),
      hosts(io_context, system_clock) {
  ReadClock();
  RenewDate();
}

void Gateway::ReadClock() {
  slept = false;
  now_ns = clock.MonotonicNanos();
  now_micros = clock.WallMicros();
}

void Gateway::RenewDate() { date = DateField(now_micros); }

class Edge::Impl {
 public:
  Impl(EdgeOptions options, const Clock& clock, process::Confinement confinement)
      : io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
        gateway_(io_, options, clock, std::move(confinement)),
        tick_(io_) {}

  ~Impl() {
    connections_.clear_and_dispose([](Connection* connection) { delete connection; });
  }

  Status Run(int lifeline_fd) {
    lifeline_.emplace(io_, lifeline_fd);
    fcntl(lifeline_fd, F_SETFL, fcntl(lifeline_fd, F_GETFL) | O_NONBLOCK);
    WaitForLifeline();
    Tick();
    bool ready = false;
    while (!done_) {
      RunRound();
      // Not before: until the first table is in force, every answer is 503.
      if (!ready && gateway_.custodian.TableInForce()) {
        GC_TRY_VOID(process::SendLifeline(lifeline_fd, {.type = LifelineType::kReady}));
        ready = true;
      }
    }
    gateway_.custodian.FlushAudit();
    return Ok();
  }

 private:
  // One round: everything that is ready, then one wake-up per host, then the answers at hand; sleep only when
  // there was nothing.
  void RunRound() {
    gateway_.ReadClock();
    int handled = 0;
    while (handled < kHandlersPerRound && io_.poll_one() != 0) ++handled;
    gateway_.hosts.WakeHosts();
    const bool answered = gateway_.hosts.DrainAnswers();
    BuryDead();
    if (handled != 0 || answered) return;
    if (gateway_.hosts.PrepareToSleep()) {
      gateway_.slept = true;
      io_.run_one();
    }
    gateway_.hosts.Awake();
  }

  void BuryDead() {
    while (!gateway_.dead.empty()) {
      Connection* connection = gateway_.dead.back();
      gateway_.dead.pop_back();
      connections_.erase_and_dispose(connections_.iterator_to(*connection),
                                     [](Connection* gone) { delete gone; });
      --connection_count_;
      if (paused_accepting_ && connection_count_ < gateway_.options.connections_max) WaitForConnections();
    }
  }

  // ---- supervisor ----

  void WaitForLifeline() {
    lifeline_->async_wait(Descriptor::wait_read, [this](const ErrorCode& error) {
      if (error) return;
      while (true) {
        auto received = process::ReceiveLifeline(lifeline_->native_handle());
        if (!received) {
          done_ = true;  // the supervisor is gone
          return;
        }
        if (!*received) break;
        OnLifeline(std::move(**received));
      }
      WaitForLifeline();
    });
  }

  void OnLifeline(process::ReceivedLifelineMessage received) {
    std::vector<Fd>& fds = received.fds;
    const process::LifelineMessage& message = received.message;
    switch (message.type) {
      case LifelineType::kListen:
        if (fds.size() == 1) Listen(std::move(fds[0]));
        break;
      case LifelineType::kRpcLink:
        if (fds.size() == 1) gateway_.custodian.Connect(std::move(fds[0]));
        break;
      case LifelineType::kCallLink:
        if (fds.size() == 3) {
          gateway_.hosts.Connect(message.slot, {std::move(fds[0]), std::move(fds[1]), std::move(fds[2])});
        }
        break;
      case LifelineType::kTlsFiles:
        if (fds.size() == 2) UseTlsFiles(fds[0].get(), fds[1].get());
        break;
      case LifelineType::kPeerGone:
        if (message.peer == process::ProcessKind::kHost) gateway_.hosts.Disconnect(message.slot);
        break;
      case LifelineType::kShutDown: ShutDown(message.value); break;
      default: break;
    }
  }

  void UseTlsFiles(int certificate_fd, int key_fd) {
    auto context = MakeTlsContext(certificate_fd, key_fd);
    if (!context) {
      // The certificate in use stays: a half-written renewal must not take the service down.
      LogError(context.error().message());
      tls_wanted_ = true;
      return;
    }
    tls_ = std::move(*context);
    tls_wanted_ = true;
    LogInfo("TLS certificate loaded");
  }

  void ShutDown(uint32_t limit_ms) {
    gateway_.stopping = true;
    if (acceptor_) {
      ErrorCode ignored;
      acceptor_->close(ignored);
    }
    for (Connection& connection : connections_) connection.CloseWhenIdle();
    shutdown_deadline_ns_ = gateway_.clock.MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
    CheckShutDown();
  }

  void CheckShutDown() {
    if (!gateway_.stopping) return;
    const bool idle = gateway_.hosts.waiting_calls() == 0 && connection_count_ == gateway_.dead.size();
    if (idle || gateway_.clock.MonotonicNanos() >= shutdown_deadline_ns_) done_ = true;
  }

  // ---- connections ----

  void Listen(Fd socket) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
    protocol_ = address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
    acceptor_.emplace(io_, protocol_, socket.release());
    acceptor_->native_non_blocking(true);
    WaitForConnections();
  }

  void WaitForConnections() {
    paused_accepting_ = false;
    acceptor_->async_wait(Acceptor::wait_read, [this](const ErrorCode& error) {
      if (error || gateway_.stopping) return;
      for (int i = 0; i < kAcceptsPerWait; ++i) {
        if (connection_count_ >= gateway_.options.connections_max) {
          paused_accepting_ = true;
          return;
        }
        const int socket =
            accept4(acceptor_->native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) break;
        Adopt(socket);
      }
      WaitForConnections();
    });
  }

  void Adopt(int native_socket) {
    const int on = 1;
    setsockopt(native_socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ErrorCode error;
    TcpSocket socket(io_);
    socket.assign(protocol_, native_socket, error);
    if (error) {
      close(native_socket);
      return;
    }
    if (tls_wanted_ && !tls_) return;  // TLS was asked for and there is no certificate: nothing in the clear
    Connection* connection = nullptr;
    if (tls_) {
      auto* secured = new TlsConnection(gateway_, std::move(socket), tls_);
      secured->Handshake();
      connection = secured;
    } else {
      connection = new PlainConnection(gateway_, std::move(socket));
      connection->Start();
    }
    connections_.push_back(*connection);
    ++connection_count_;
  }

  void Tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([this](const ErrorCode& error) {
      if (error) return;
      gateway_.custodian.FlushAudit();
      CheckShutDown();
      if (++ticks_ % kTicksPerCheck == 0) {
        gateway_.RenewDate();
        gateway_.hosts.ExpireCalls();
        for (Connection& connection : connections_) connection.CheckTime();
      }
      Tick();
    });
  }

  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;

  asio::io_context io_;
  Gateway gateway_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      tick_;
  std::optional<Descriptor> lifeline_;
  std::optional<Acceptor> acceptor_;
  asio::ip::tcp protocol_ = asio::ip::tcp::v4();  // of the listening socket
  std::shared_ptr<asio::ssl::context> tls_;
  bool tls_wanted_ = false;
  bool paused_accepting_ = false;
  bool done_ = false;
  int64_t shutdown_deadline_ns_ = 0;
  int ticks_ = 0;
  boost::intrusive::list<Connection> connections_;
  size_t connection_count_ = 0;
};

Edge::Edge(EdgeOptions options, const Clock& clock, process::Confinement confinement)
    : impl_(std::make_unique<Impl>(options, clock, std::move(confinement))) {}

Edge::~Edge() = default;

Status Edge::Run(int lifeline_fd) { return impl_->Run(lifeline_fd); }

}  // namespace glasscase::http
