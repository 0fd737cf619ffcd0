// glasscase-gate: takes the connections of workers on other machines. A child of glasscased, started only
// with --worker-listen.
#include <unistd.h>

#include <csignal>
#include <string>

#include <CLI/CLI.hpp>

#include <glasscase/core/log.h>
#include <glasscase/gate/gate.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/follow_lifeline.h>
#include <glasscase/tunnel/spool.h>
#include <glasscase/tunnel/tls.h>

namespace {

namespace process = glasscase::process;
using glasscase::LogError;
using glasscase::LogWarning;
using glasscase::Ok;
using glasscase::Result;
using glasscase::Status;
using glasscase::gate::Gate;
using glasscase::tunnel::Spool;
using process::kLifelineFd;
using Type = process::LifelineMessage::Type;

constexpr uint32_t kGateUser = 7;           // user_offset; hosts begin at 10
constexpr uint64_t kOpenFilesMax = 16'384;  // the files of jobs on their way

// What is left when foreign bytes come: the listening socket, and files of its own.
Result<process::Confinement> ConfineToSpool(const Spool& spool) {
  GC_TRY_VOID(glasscase::tunnel::WarmUpTls());
  GC_TRY(process::Confinement confinement, process::Confine({.syscalls = process::SyscallProfile::kGate,
                                                             .root_directory_fd = spool.folder(),
                                                             .files_below_root = true,
                                                             .user_offset = kGateUser,
                                                             .open_files_max = kOpenFilesMax}));
  for (const std::string& missing : confinement.missing) LogWarning("not confined by " + missing);
  return confinement;
}

void OnMessage(Gate& gate, process::ReceivedLifelineMessage received) {
  const Type type = received.message.type;
  if (type == Type::kListen && received.fds.size() == 1) {
    gate.Listen(std::move(received.fds[0]));
  } else if (type == Type::kRpcLink && received.fds.size() == 1) {
    gate.Link(std::move(received.fds[0]));
  } else {
    LogWarning("the supervisor sent a message that is not for the gate");
  }
}

Status Serve(const std::string& spool_parent) {
  const uid_t user = ::geteuid() == 0 ? process::kUserBase + kGateUser : ::geteuid();
  GC_TRY(const Spool spool, Spool::Make(spool_parent, user));
  GC_TRY(process::Confinement confinement, ConfineToSpool(spool));
  process::EventLoop loop;
  Gate gate(loop, spool, {.confinement = std::move(confinement)});
  GC_TRY_VOID(process::FollowLifeline(loop, kLifelineFd, [&](process::ReceivedLifelineMessage received) {
    OnMessage(gate, std::move(received));
  }));
  GC_TRY_VOID(process::SendLifeline(kLifelineFd, {.type = Type::kReady}));
  loop.Run();
  return Ok();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Takes workers on other machines in; started by glasscased.", "glasscase-gate"};
  std::string spool = "/var/tmp";
  app.add_option("--spool", spool, "where files lie on their way");
  CLI11_PARSE(app, argc, argv);
  glasscase::InitLog("glasscase-gate");
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM}) std::signal(signal, SIG_IGN);
  const Status served = Serve(spool);
  if (!served) LogError(served.error().message());
  return served ? 0 : 1;
}
