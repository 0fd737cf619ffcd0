#include "connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <glasscase/core/log.h>
#include <glasscase/outlet/server.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/tunnel/tls.h>
#include <glasscase/tunnel/tunnel.h>

namespace glasscase::worker {
namespace {

constexpr int kConnectMs = 10'000;
constexpr size_t kKeyBytesMax = 4'096;
constexpr uint64_t kOpenFilesMax = 16'384;  // the files of jobs on their way

}  // namespace

Result<Secret> ReadWorkerKey(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid())
    return Fail(Error::FromErrno(errno, "cannot open the worker's key " + path +
                                            " (glasscase-worker --new-key " + path + " makes one)"));
  std::string text(kKeyBytesMax, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read the worker's key " + path));
  text.resize(static_cast<size_t>(got));
  return Secret(std::move(text));
}

namespace {

Status ConfineToConnection(const tunnel::Spool& spool) {
  GC_TRY_VOID(tunnel::WarmUpTls());
  GC_TRY(const process::Confinement confinement,
         process::Confine({.syscalls = process::SyscallProfile::kTunnel,
                           .network = true,
                           .looks_names_up = true,
                           .root_directory_fd = spool.folder(),
                           .files_below_root = true,
                           .user_offset = kConnectionUser,
                           .open_files_max = kOpenFilesMax}));
  for (const std::string& missing : confinement.missing) LogWarning("not confined by " + missing);
  return Ok();
}

Status AwaitConnected(int socket) {
  pollfd ready{.fd = socket, .events = POLLOUT, .revents = 0};
  const int count = ::poll(&ready, 1, kConnectMs);
  if (count == 0) return Fail(Error::Unavailable("it does not answer"));
  int error = 0;
  socklen_t length = sizeof error;
  if (count < 0 || ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    return Fail(Error::FromErrno(errno, "cannot connect"));
  return error == 0 ? Ok() : Fail(Error::FromErrno(error, "cannot connect"));
}

Result<Fd> ConnectTo(const addrinfo& address) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Fail(Error::FromErrno(errno, "cannot make a socket"));
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Fail(Error::FromErrno(errno, "cannot connect"));
    GC_TRY_VOID(AwaitConnected(socket.get()));
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

Result<Fd> Connect(const outlet::Server& gate) {
  addrinfo hints{};
  hints.ai_flags = AI_ADDRCONFIG;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(gate.host.c_str(), std::to_string(gate.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  if (code != 0)
    return Fail(
        Error::Unavailable("there is no address of " + Printable(gate.host) + ": " + ::gai_strerror(code)));
  Result<Fd> connected = Fail(Error::Unavailable("there is no address of " + Printable(gate.host)));
  for (const addrinfo* one = addresses.get(); one != nullptr && !connected; one = one->ai_next)
    connected = ConnectTo(*one);
  return connected;
}

Error GateError(const RemoteArguments& arguments, const Error& error, const Pin& own) {
  const bool unknown = error.message().find("does not know this key") != std::string::npos;
  return error.WithContext("gate " + arguments.connect)
      .WithContext(unknown ? "enrol this worker there: glasscase workers add NAME --key " + PinText(own)
                           : "");
}

// Until it is over; why.
Error Carry(const RemoteArguments& arguments, const tunnel::Spool& spool, tunnel::TlsStream stream, Fd link,
            const Fd& up) {
  process::EventLoop loop;
  Error end = Error::Unavailable("ended");
  std::unique_ptr<tunnel::Tunnel> tunnel;
  const auto attach = [&](const Pin&) { tunnel->Attach(std::move(link)); };
  const auto heard = [&] {
    LogInfo("connected to " + arguments.connect);
    (void)!::write(up.get(), "u", 1);
  };
  const auto gone = [&](const Error& why) {
    end = why;
    loop.Stop();
  };
  tunnel = std::make_unique<tunnel::Tunnel>(
      loop, std::move(stream), spool, tunnel::TunnelLimits{},
      tunnel::Tunnel::Listener{.on_up = attach, .on_heard = heard, .on_gone = gone});
  loop.Run();
  return end;
}

}  // namespace

ConnectionEnd RunConnection(const RemoteArguments& arguments, const tunnel::Spool& spool, Fd link, Fd up) {
  const auto never = [](const Error& error) {
    LogError(error.message());
    return ConnectionEnd::kNever;
  };
  const auto address = outlet::Server::Parse(arguments.connect);
  if (!address) return never(address.error().WithContext("--connect"));
  const auto gate = ParsePin(arguments.gate);
  if (!gate) return never(gate.error().WithContext("--gate"));
  const auto key = ReadWorkerKey(arguments.key);
  if (!key) return never(key.error());
  const auto identity = tunnel::TlsIdentity::FromKey(*key);
  if (!identity) return never(identity.error().WithContext(arguments.key));
  if (const Status confined = ConfineToConnection(spool); !confined) return never(confined.error());

  const auto again = [&](const Error& error) {
    LogWarning(GateError(arguments, error, identity->pin()).message());
    return ConnectionEnd::kTryAgain;
  };
  auto socket = Connect(*address);
  if (!socket) return again(socket.error());
  const auto trust = [&](const Pin& pin) -> Status {
    if (pin == *gate) return Ok();
    return Fail(Error(Code::kUnauthenticated,
                      "it is not the one that --gate names: its key has the pin " + PinText(pin)));
  };
  auto stream = tunnel::TlsStream::Connect(*identity, *std::move(socket), trust);
  if (!stream) return again(stream.error());
  return again(Carry(arguments, spool, *std::move(stream), std::move(link), up));
}

}  // namespace glasscase::worker
