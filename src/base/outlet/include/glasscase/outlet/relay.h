// Carries connections from outlets to servers: README.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include <glasscase/outlet/server.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>

namespace glasscase::outlet {

struct RelayOptions {
  int64_t connect_timeout_ms = 10'000;  // of each address of a name
  size_t connections_max = 64;          // more wait until one ends
};

// Accepts on the loop's thread; a thread of its own for each connection, since looking a name up blocks.
class Relay {
 public:
  Relay(process::EventLoop& loop, std::vector<Server> servers, RelayOptions options = {});
  // Cuts all connections.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Connections that arrive there go to servers[index]; replaces an earlier one. InvalidArgument for another
  // index.
  Status SetListener(size_t index, Fd listener);
  size_t connections() const;

 private:
  struct Connection;
  void Accept(size_t index);
  void DropEnded();

  process::EventLoop& loop_;
  const std::vector<Server> servers_;
  const RelayOptions options_;
  std::vector<Fd> listeners_;
  std::list<std::unique_ptr<Connection>> connections_;
};

}  // namespace glasscase::outlet
