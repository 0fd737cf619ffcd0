// glasscase-edge: the network's side. Started twice by the supervisor: --public and --control.
#include <csignal>
#include <cstdio>
#include <string>

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <openssl/ssl.h>

#include <glasscase/core/log.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/http/edge.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/lifeline.h>

namespace {

namespace http = glasscase::http;
namespace process = glasscase::process;
using glasscase::InitLog;
using glasscase::LogError;
using glasscase::LogWarning;
using glasscase::Sha256;
using glasscase::Status;
using glasscase::SystemClock;

constexpr uint64_t kOtherDescriptors = 256;  // links, channels, listening sockets

std::string_view ListenerName(http::Listener listener) {
  if (listener == http::Listener::kBoth) return "both";
  return listener == http::Listener::kPublic ? "public" : "control";
}

void PrintRoutes() {
  for (const http::Route& route : http::Routes()) {
    const char* presents = route.presents == http::Presents::kNothing ? "none"
                           : route.presents == http::Presents::kToken ? "token"
                                                                      : "invitation";
    std::printf(R"({"method":"%s","path":"%s","listener":"%s","token":"%s","name":"%s"})"
                "\n",
                std::string(http::MethodName(route.method)).c_str(), std::string(route.path).c_str(),
                std::string(ListenerName(route.listener)).c_str(), presents, std::string(route.name).c_str());
  }
}

// OpenSSL reads its configuration and fetches its algorithms now, while files can still be opened.
void WarmUpLibraries() {
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
  Sha256({});
}

// Confine takes what the system gives: where that is less than was asked for, connections wait instead of
// failing to be accepted.
void LimitConnections(http::EdgeOptions& options) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const uint64_t room =
      limit.rlim_cur > 2 * kOtherDescriptors ? limit.rlim_cur - kOtherDescriptors : kOtherDescriptors;
  if (room >= options.connections_max) return;
  LogWarning("serving at most " + std::to_string(room) + " connections at a time, not " +
             std::to_string(options.connections_max) + ": the limit of open files is " +
             std::to_string(limit.rlim_cur) + " (see LimitNOFILE in systemd, or `ulimit -Hn`)");
  options.connections_max = static_cast<uint32_t>(room);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The edge of a Glasscase installation; started by glasscased."};
  bool is_public = false;
  bool is_control = false;
  bool print_routes = false;
  http::EdgeOptions options;
  app.add_flag("--public", is_public, "serve calls and everyone's own affairs");
  app.add_flag("--control", is_control, "serve owners' and operators' acts");
  app.add_flag("--print-routes", print_routes, "print the route table, a JSON object per line, and exit");
  app.add_option("--max-body", options.body_bytes_max, "largest body of an infer request, in bytes")
      ->check(CLI::Range(uint64_t{1024}, uint64_t{32} << 20));
  app.add_option("--max-connections", options.connections_max, "connections served at a time");
  app.add_flag("--closed-log", options.closed_log, "the ledger's files need a token");
  app.add_option("--call-deadline-ms", options.call_deadline_ms, "longest time a call may take");
  CLI11_PARSE(app, argc, argv);
  if (print_routes) {
    PrintRoutes();
    return 0;
  }
  if (is_public == is_control) {
    std::fputs("glasscase-edge: give either --public or --control\n", stderr);
    return 2;
  }
  options.listener = is_public ? http::Listener::kPublic : http::Listener::kControl;
  std::signal(SIGPIPE, SIG_IGN);  // of pipes whose reader has gone
  InitLog(is_public ? "edge-public" : "edge-control");
  WarmUpLibraries();
  auto confinement = process::Confine({.syscalls = process::SyscallProfile::kEdge,
                                       .user_offset = is_public ? 2u : 3u,
                                       .open_files_max = options.connections_max + kOtherDescriptors});
  if (!confinement) {
    LogError(confinement.error().message());
    return 1;
  }
  LimitConnections(options);
  const SystemClock clock;
  http::Edge edge(options, clock, std::move(*confinement));
  const Status ended = edge.Run(process::kLifelineFd);
  if (!ended) LogError(ended.error().message());
  return ended ? 0 : 1;
}
