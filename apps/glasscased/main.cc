// glasscased: the supervisor. Started by `glasscase serve`; starts every other process.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <glasscase/core/log.h>
#include <glasscase/supervision/supervisor.h>

namespace {

using glasscase::supervision::Supervisor;
using glasscase::supervision::SupervisorOptions;

std::string OwnDirectory() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string program(path.data(), length > 0 ? static_cast<size_t>(length) : 0);
  return program.substr(0, program.rfind('/'));
}

void Declare(CLI::App& app, SupervisorOptions& options) {
  app.add_option("--data", options.data_directory, "data directory")->required();
  app.add_option("--http", options.http, "address and port of the public edge")->capture_default_str();
  app.add_option("--control", options.control, "address and port of the control edge")->capture_default_str();
  auto* certificate = app.add_option("--tls-cert", options.tls_certificate, "certificate chain, PEM");
  auto* key = app.add_option("--tls-key", options.tls_key, "its key, PEM");
  certificate->needs(key);
  key->needs(certificate);
  app.add_flag("--behind-proxy", options.behind_proxy, "a proxy in front of us ends TLS");
  app.add_option("--bin", options.program_directory,
                 "where the other programs are (default: beside this one)");
  app.add_option("--ready-fd", options.ready_fd, "descriptor that gets a line when all is ready");
  app.add_option("--host-memory", options.host_memory_bytes,
                 "memory of each host, in bytes (default: no limit)");
  // Given as --edge-arg=--x=y: without the first "=" a value that begins with a dash would be taken for ours.
  const auto repeated = [&](const char* name, std::vector<std::string>& arguments, const char* what) {
    app.add_option(name, arguments, what)->allow_extra_args(false);
  };
  app.add_option("--workers", options.workers, "processes that run jobs");
  repeated("--worker-arg", options.worker_arguments, "an argument for every worker (repeat)");
  app.add_option("--worker-listen", options.worker_listen,
                 "address and port for workers on other machines (default: none)");
  repeated("--gate-arg", options.gate_arguments, "an argument for the gate (repeat)");
  repeated("--server", options.servers, "a server that the custodian may reach, HOST:PORT (repeat)");
  repeated("--edge-arg", options.edge_arguments, "one more argument for both edges (repeat)");
  repeated("--host-arg", options.host_arguments, "one more argument for hosts (repeat)");
  repeated("--custodian-arg", options.custodian_arguments, "one more argument for the custodian (repeat)");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The supervisor of a Glasscase installation; started by glasscase serve."};
  SupervisorOptions options;
  Declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.program_directory.empty()) options.program_directory = OwnDirectory();
  glasscase::InitLog("glasscased");
  // Started by `glasscase serve`: ends in order when that is killed.
  if (options.ready_fd >= 0) prctl(PR_SET_PDEATHSIG, SIGTERM);
  auto supervisor = Supervisor::Start(std::move(options));
  if (!supervisor) {
    glasscase::LogError(supervisor.error().message());
    return 1;
  }
  const glasscase::Status ended = (*supervisor)->Run();
  if (!ended) glasscase::LogError(ended.error().message());
  return ended ? 0 : 1;
}
