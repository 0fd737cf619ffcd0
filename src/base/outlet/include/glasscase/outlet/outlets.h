// The ways out of a process without a network: README.md.
#pragma once

#include <cstdint>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/outlet/server.h>
#include <glasscase/process/fd.h>

namespace glasscase::outlet {

class Outlets {
 public:
  Outlets() = default;  // none
  // Listens on 127.0.0.1, one port per server. Between process::EnterNamespaces and process::Confine: raising
  // the loopback of a new network namespace and listening are both forbidden afterwards.
  static Result<Outlets> Open(std::vector<Server> servers);

  bool empty() const { return servers_.empty(); }
  const std::vector<Server>& servers() const { return servers_; }
  // What the relay accepts from, in the order of `servers`.
  int listener(size_t index) const { return listeners_[index].get(); }
  const std::vector<uint16_t>& ports() const { return ports_; }
  // Where on 127.0.0.1 this process finds the server. FailedPrecondition when it is none of `servers`.
  Result<uint16_t> PortOf(const Server& server) const;

 private:
  std::vector<Server> servers_;
  std::vector<Fd> listeners_;
  std::vector<uint16_t> ports_;
};

}  // namespace glasscase::outlet
