// glasscase-relay: carries the custodian's connections to the servers that the operator named. A child of
// glasscased, started only when there are such servers.
#include <csignal>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <glasscase/core/log.h>
#include <glasscase/outlet/relay.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/follow_lifeline.h>

namespace {

namespace process = glasscase::process;
using glasscase::LogError;
using glasscase::LogWarning;
using glasscase::Ok;
using glasscase::Result;
using glasscase::Status;
using glasscase::outlet::Relay;
using glasscase::outlet::Server;
using process::kLifelineFd;
using Type = process::LifelineMessage::Type;

constexpr uint32_t kRelayUser = 5;  // user_offset; hosts begin at 10

Result<std::vector<Server>> ServersFrom(const std::vector<std::string>& texts) {
  std::vector<Server> servers;
  for (const std::string& text : texts) {
    GC_TRY(Server server, Server::Parse(text));
    servers.push_back(std::move(server));
  }
  return servers;
}

Status ConfineToNetwork() {
  GC_TRY(const process::Confinement confinement,
         process::Confine({.syscalls = process::SyscallProfile::kRelay,
                           .network = true,
                           .looks_names_up = true,
                           .user_offset = kRelayUser}));
  for (const std::string& missing : confinement.missing) LogWarning("not confined by " + missing);
  return Ok();
}

void OnMessage(Relay& relay, process::ReceivedLifelineMessage received) {
  if (received.message.type != Type::kOutlet || received.fds.size() != 1)
    return LogWarning("the supervisor sent a message that is not for the relay");
  const Status set = relay.SetListener(received.message.slot, std::move(received.fds[0]));
  if (!set) LogError(set.error().message());
}

Status Serve(const std::vector<std::string>& texts) {
  GC_TRY(std::vector<Server> servers, ServersFrom(texts));
  GC_TRY_VOID(ConfineToNetwork());
  process::EventLoop loop;
  Relay relay(loop, std::move(servers));
  GC_TRY_VOID(process::FollowLifeline(loop, kLifelineFd, [&](process::ReceivedLifelineMessage received) {
    OnMessage(relay, std::move(received));
  }));
  GC_TRY_VOID(process::SendLifeline(kLifelineFd, {.type = Type::kReady}));
  loop.Run();
  return Ok();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Carries the custodian's connections; started by glasscased.", "glasscase-relay"};
  std::vector<std::string> servers;
  app.add_option("--server", servers, "HOST:PORT (repeat)")->required()->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  glasscase::InitLog("glasscase-relay");
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM}) std::signal(signal, SIG_IGN);
  const Status served = Serve(servers);
  if (!served) LogError(served.error().message());
  return served ? 0 : 1;
}
