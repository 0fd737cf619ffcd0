// A witness over HTTP.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <glasscase/core/error.h>
#include <glasscase/ledger/witness.h>

namespace glasscase::witness {

class WitnessServer {
 public:
  struct Limits {
    size_t body_bytes_max = size_t{512} << 10;
    size_t header_bytes_max = size_t{8} << 10;
    int request_seconds_max = 10;
    int idle_seconds_max = 30;
    size_t connections_max = 256;
  };

  // Listens at once. `address` is numeric; port 0 takes a free one. `witness` outlives the server.
  static Result<std::unique_ptr<WitnessServer>> Listen(const std::string& address, uint16_t port,
                                                       ledger::Witness& witness, Limits limits);
  ~WitnessServer();

  uint16_t port() const;
  // Serves until SIGTERM, SIGINT or Stop. Once.
  void Run();
  // From any thread.
  void Stop();

 private:
  class Service;
  explicit WitnessServer(std::unique_ptr<Service> service);
  std::unique_ptr<Service> service_;
};

}  // namespace glasscase::witness
