#include <glasscase/gate/gate.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <glasscase/core/log.h>

namespace glasscase::gate {
namespace {

constexpr uint32_t kAcceptedPerRound = 16;
constexpr uint32_t kRefusalsPerSecond = 5;  // in the log, each for itself
constexpr int64_t kPauseMs = 500;           // when the system has no more descriptors

std::string AddressText(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
}

std::optional<Pin> PinFrom(const std::string& bytes) {
  Pin pin{};
  if (bytes.size() != pin.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), pin.begin());
  return pin;
}

}  // namespace

Gate::Gate(process::EventLoop& loop, const tunnel::Spool& spool, GateOptions options)
    : loop_(loop), spool_(spool), options_(std::move(options)) {
  timer_ = loop_.Every(1'000, [this] {
    if (refusals_ > kRefusalsPerSecond)
      LogWarning("refused " + std::to_string(refusals_ - kRefusalsPerSecond) + " more connections");
    refusals_ = 0;
  });
}

Gate::~Gate() {
  loop_.Cancel(timer_);
  if (accepts_) loop_.Remove(listener_.get());
  if (link_) loop_.Remove(link_->fd());
}

// ---- the custodian ----

void Gate::Link(Fd custodian) {
  if (link_) LoseLink("the installation was started again");
  link_.emplace(std::move(custodian), process::FrameSocket::Limits{});
  watching_writable_ = false;
  loop_.Add(link_->fd(), EPOLLIN, [this](uint32_t events) { OnLink(events); });
  rpc::ToCustodian message;
  message.mutable_hello()->set_pid(static_cast<uint32_t>(::getpid()));
  for (const std::string& one : options_.confinement.in_force) message.mutable_hello()->add_in_force(one);
  for (const std::string& one : options_.confinement.missing) message.mutable_hello()->add_missing(one);
  Say(message);
}

void Gate::OnLink(uint32_t events) {
  Status status = Ok();
  if ((events & EPOLLOUT) != 0) status = link_->Flush();
  if (status && (events & ~uint32_t{EPOLLOUT}) != 0) {
    status = link_->Receive([this](const process::Frame& frame) {
      rpc::FromCustodian message;
      if (message.ParseFromString(frame.payload) && message.has_gate_orders())
        TakeOrders(message.gate_orders());
    });
  }
  if (!status) return LoseLink("the installation is away: " + status.error().message());
  if (link_->wants_write() == watching_writable_) return;
  watching_writable_ = link_->wants_write();
  loop_.Modify(link_->fd(), watching_writable_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Gate::LoseLink(const std::string& why) {
  loop_.Remove(link_->fd());
  link_.reset();
  identity_.reset();
  enrolled_.clear();
  for (auto& [id, connection] : connections_) connection.tunnel->End(why);
  WatchListener();
}

void Gate::Say(const rpc::ToCustodian& message, std::vector<Fd> fds) {
  const Status sent = link_->Send(message.SerializeAsString(), std::move(fds));
  if (!sent) return LogWarning("the custodian does not listen: " + sent.error().message());
  if (!link_->wants_write() || watching_writable_) return;
  watching_writable_ = true;
  loop_.Modify(link_->fd(), EPOLLIN | EPOLLOUT);
}

void Gate::TakeOrders(const rpc::GateOrders& orders) {
  if (!identity_) {
    auto identity = tunnel::TlsIdentity::FromKey(Secret(orders.key()));
    if (!identity) return LogError("nobody can connect: " + identity.error().message());
    identity_ = *std::move(identity);
    LogInfo("workers may connect; the pin of this gate is " + PinText(identity_->pin()));
  }
  enrolled_.clear();
  for (const rpc::EnrolledWorker& worker : orders.workers())
    if (const auto pin = PinFrom(worker.pin())) enrolled_[*pin] = worker.name();
  CutOffRemoved();
  WatchListener();
}

void Gate::CutOffRemoved() {
  for (auto& [id, connection] : connections_) {
    if (!connection.pin) continue;
    const auto found = enrolled_.find(*connection.pin);
    if (found != enrolled_.end() && found->second == connection.name) continue;
    connection.tunnel->End("this worker is not enrolled any more");
  }
}

// ---- connections ----

void Gate::Listen(Fd socket) {
  if (accepts_) loop_.Remove(listener_.get());
  accepts_ = false;
  listener_ = std::move(socket);
  WatchListener();
}

void Gate::WatchListener() {
  const bool wanted = listener_.valid() && identity_.has_value() && !paused_;
  if (wanted == accepts_) return;
  accepts_ = wanted;
  if (!wanted) return loop_.Remove(listener_.get());
  loop_.Add(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); });
}

void Gate::Accept() {
  for (uint32_t i = 0; i < kAcceptedPerRound && accepts_; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    Fd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
      return PauseAccepting();
    if (!socket.valid()) return;  // nobody is there, or went again
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Take(std::move(socket), AddressText(address));
  }
}

void Gate::PauseAccepting() {
  LogWarning("no connection can be taken just now: " + Error::FromErrno(errno, "accept").message());
  paused_ = true;
  WatchListener();
  loop_.After(kPauseMs, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    paused_ = false;
    WatchListener();
  });
}

void Gate::Take(Fd socket, std::string address) {
  MakeRoom();
  auto stream = tunnel::TlsStream::Accept(*identity_, std::move(socket),
                                          [this](const Pin& pin) { return Trusts(pin); });
  if (!stream) return NoteRefusal(address, stream.error().message());
  const Id id = next_++;
  tunnel::Tunnel::Listener listener{.on_up = [this, id](const Pin& pin) { OnUp(id, pin); },
                                    .on_gone = [this, id](const Error& why) { OnGone(id, why); }};
  auto tunnel = std::make_unique<tunnel::Tunnel>(loop_, *std::move(stream), spool_, options_.limits,
                                                 std::move(listener));
  Connection& connection = connections_[id];
  connection.tunnel = std::move(tunnel);
  connection.address = std::move(address);
}

// The oldest that has not shaken hands: a worker does so at once.
void Gate::MakeRoom() {
  size_t waiting = 0;
  Connection* oldest = nullptr;
  for (auto& [id, connection] : connections_) {
    if (connection.tunnel->is_up() || connection.tunnel->is_gone()) continue;
    if (oldest == nullptr) oldest = &connection;
    ++waiting;
  }
  if (waiting >= options_.waiting_max) oldest->tunnel->End("too many others have not shaken hands either");
}

Status Gate::Trusts(const Pin& pin) const {
  if (enrolled_.contains(pin)) return Ok();
  return Fail(
      Error(Code::kUnauthenticated, "its key " + PinText(pin) +
                                        " is not enrolled; if it is yours: glasscase workers add NAME "
                                        "--key " +
                                        PinText(pin)));
}

size_t Gate::CountUp() const {
  return static_cast<size_t>(std::ranges::count_if(
      connections_, [](const auto& one) { return one.second.pin && !one.second.tunnel->is_gone(); }));
}

void Gate::OnUp(Id id, const Pin& pin) {
  Connection& connection = connections_[id];
  // It may have been removed while hands were shaken.
  const auto enrolled = enrolled_.find(pin);
  if (enrolled == enrolled_.end() || !link_)
    return connection.tunnel->End("this worker is not enrolled any more");
  for (auto& [other, earlier] : connections_)
    if (earlier.pin == pin) earlier.tunnel->End("another connection came with the same key");
  if (CountUp() >= options_.workers_max) return connection.tunnel->End("too many workers are connected");
  auto ends = process::MakeSocketPair();
  if (!ends) return connection.tunnel->End(ends.error().message());
  connection.pin = pin;
  connection.name = enrolled->second;
  LogInfo("worker " + connection.name + " connected from " + connection.address);
  rpc::ToCustodian message;
  message.mutable_worker_came()->set_pin(std::string(AsText(pin)));
  message.mutable_worker_came()->set_address(connection.address);
  std::vector<Fd> fds;
  fds.push_back(std::move(ends->first));
  Say(message, std::move(fds));
  connection.tunnel->Attach(std::move(ends->second));
}

void Gate::OnGone(Id id, const Error& why) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.pin) {
    LogWarning("worker " + found->second.name + " at " + found->second.address +
               " is gone: " + why.message());
  } else {
    NoteRefusal(found->second.address, why.message());
  }
  connections_.erase(found);
}

void Gate::NoteRefusal(const std::string& address, const std::string& why) {
  if (++refusals_ <= kRefusalsPerSecond) LogWarning("refused " + address + ": " + why);
}

}  // namespace glasscase::gate
