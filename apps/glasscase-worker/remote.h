// A worker on another machine than the installation: the worker itself, as everywhere, and beside it a
// process that holds its key and the connection. A third one, which does nothing else, keeps both going.
#pragma once

#include <string>

#include <glasscase/core/error.h>

#include "seat.h"

namespace glasscase::worker {

struct RemoteArguments {
  std::string connect;  // "HOST:PORT"; empty: a worker of this machine, started by glasscased
  std::string key;      // file
  std::string gate;     // the pin of the installation's gate
  std::string new_key;  // a file to make
};

// Makes a key where there is none and prints its pin.
Status MakeKey(const std::string& file);

// Returns in a process that is to be the worker, in its seat, with its lifeline as process::kLifelineFd;
// again in another one whenever one ends. An error: it cannot be. The process that called keeps them and ends
// with them, at SIGTERM or SIGINT with 0.
Result<SeatArguments> KeepWorker(const RemoteArguments& arguments, const std::string& spool_parent);

}  // namespace glasscase::worker
