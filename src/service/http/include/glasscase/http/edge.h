// The edge: the only process that reads what learners and owners send. Terminates TLS, parses HTTP, makes the
// first decision from the pushed access table, and translates: calls into the hosts' shared-memory channels,
// control acts into messages to the custodian. Links no database, no blob store, no inference runtime.
//
// The same code serves as public edge (calls and everyone's own affairs) and as control edge (owners'
// and operators' acts); the route table (routes.h) says which listener serves what.
#pragma once

#include <cstdint>
#include <memory>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/http/routes.h>
#include <glasscase/process/confine.h>

namespace glasscase::http {

struct EdgeOptions {
  Listener listener = Listener::kPublic;
  uint64_t body_bytes_max = uint64_t{32} << 20;  // of an infer request, also after unpacking
  uint32_t connections_max = 20'000;
  bool closed_log = false;            // the ledger's files need a token
  int64_t call_deadline_ms = 10'000;  // a request's own `timeout` can only shorten it
};

// Runs on the calling thread until the supervisor says so or is gone. `lifeline_fd`: see process/lifeline.h.
// `confinement` is what Confine reported; it is handed on to the custodian for `glasscase status`.
class Edge {
 public:
  Edge(EdgeOptions options, const Clock& clock, process::Confinement confinement);
  ~Edge();
  Status Run(int lifeline_fd);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glasscase::http
