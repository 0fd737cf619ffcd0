// A connection to a server that the operator named.
#pragma once

#include <cstdint>

#include <glasscase/core/error.h>
#include <glasscase/outlet/server.h>
#include <glasscase/process/fd.h>

namespace glasscase::outlet {

// A non-blocking TCP socket, without delay of small writes; keep-alive notices a server that vanished. Blocks
// while the name is looked up, and then for at most `timeout_ms` with each of its addresses, in their order.
// Unavailable when the name has none, kCancelled when `stop` (-1: never) becomes readable, else what the last
// address said. Any thread.
Result<Fd> Connect(const Server& server, int64_t timeout_ms, int stop = -1);

}  // namespace glasscase::outlet
