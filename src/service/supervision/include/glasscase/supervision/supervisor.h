// Starts every process of an installation, hands them their descriptors, wires them with each other, restarts
// them when they die, and ends them in order. Speaks process/lifeline.h and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::supervision {

struct SupervisorOptions {
  std::string data_directory;
  std::string http = "127.0.0.1:8000";  // IPv4 or [IPv6] literal and port
  std::string control = "127.0.0.1:8010";
  std::string tls_certificate;  // path of a PEM chain; empty: no TLS
  std::string tls_key;
  bool behind_proxy = false;  // whoever starts us vouches for a proxy that ends TLS
  std::string
      program_directory;  // of glasscase-custodian, -edge, -gate, -host, -inspector, -relay and -worker
  int ready_fd = -1;      // gets "ready\n" when every process is ready; closed at the end
  uint64_t host_memory_bytes = 0;    // of each host; 0: no limit
  std::vector<std::string> servers;  // "host:port" of each server that the custodian may reach, by the relay
  std::vector<std::string> custodian_arguments;  // appended to the command lines
  std::vector<std::string> edge_arguments;
  std::vector<std::string> host_arguments;
  uint32_t workers = 0;       // that run jobs
  std::string worker_listen;  // as http, for workers on other machines; empty: none
  std::vector<std::string> worker_arguments;
  std::vector<std::string> gate_arguments;
};

class Supervisor {
 public:
  // Takes the lock of the data directory, opens the listening sockets and starts the processes. Blocks
  // SIGTERM, SIGINT, SIGHUP and SIGCHLD in the calling thread, which must be the only one.
  // FailedPrecondition when another supervisor serves the directory, InvalidArgument for options that are
  // wrong whatever the machine.
  static Result<std::unique_ptr<Supervisor>> Start(SupervisorOptions options);
  ~Supervisor();

  // Until a signal or the custodian ends it and every process is gone. An error when a process that all need
  // cannot start.
  Status Run();

 private:
  class State;
  explicit Supervisor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace glasscase::supervision
