#include "connection.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <glasscase/core/log.h>
#include <glasscase/outlet/connect.h>
#include <glasscase/outlet/server.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/file_io.h>
#include <glasscase/tunnel/tls.h>
#include <glasscase/tunnel/tunnel.h>

namespace glasscase::worker {
namespace {

constexpr int64_t kConnectMs = 10'000;
constexpr uint64_t kKeyBytesMax = 4'096;
constexpr uint64_t kOpenFilesMax = 16'384;  // the files of jobs on their way

}  // namespace

Result<Secret> ReadWorkerKey(const std::string& path) {
  auto text = process::ReadText(path, kKeyBytesMax);
  if (!text)
    return Fail(Error(text.error().code(), "the worker's key: " + text.error().message() +
                                               " (glasscase-worker --new-key " + path + " makes one)"));
  return Secret(*std::move(text));
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
  auto socket = outlet::Connect(*address, kConnectMs);
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
