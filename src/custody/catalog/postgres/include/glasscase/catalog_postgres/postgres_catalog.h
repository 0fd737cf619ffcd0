// The catalog in a PostgreSQL database, and the lock by which custodians elect the one that writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>

namespace glasscase::catalog {

struct PostgresOptions {
  bool create = false;          // make the tables when they are missing; otherwise NotFound
  bool read_whole = true;       // read and check every row before the first use
  int lock_timeout_ms = 2'000;  // how long Begin waits for the transaction of another process
  int idle_transaction_ms =
      10'000;                      // how long an open transaction may stand still before the server drops it
  int answer_timeout_ms = 30'000;  // how long one statement may take before the server is given up
};

// `url` is a connection string of libpq ("postgresql://…" or "host=… dbname=…"). Brings an older schema
// forward. InvalidArgument when the string is not understood, Unavailable when no server answers,
// FailedPrecondition when the tables were written by a newer Glasscase or are somebody else's, DataLoss when
// they are damaged. `clock` outlives the catalog.
Result<std::unique_ptr<Catalog>> OpenPostgresCatalog(std::string url, const Clock& clock,
                                                     PostgresOptions options = {});

// The schema that this program writes.
uint32_t PostgresSchemaVersion();

// The seat of the one custodian that writes; given up when destroyed, and by the server when the connection
// is lost. It saves work and spares the log's readers a change of writer; what keeps the log in one piece is
// the fence, since one who was paused may believe that it still holds the seat. One thread.
class WriterLock {
 public:
  virtual ~WriterLock() = default;
  // Asks the server. Unavailable once the connection was lost: then the seat is gone, and to be asked for
  // anew.
  virtual Status Check() = 0;
};

// A writer whose session has been still for so long was paused or cut off: its session is ended.
inline constexpr int kWriterStillMs = 10'000;

// Null when another one has the seat, whose holder calls Check more often than every `still_ms`. One that
// does not loses it: to the next call, since the end of a session takes a moment. Needs no tables.
Result<std::unique_ptr<WriterLock>> TryToBecomeWriter(const std::string& url, PostgresOptions options = {},
                                                      int still_ms = kWriterStillMs);

}  // namespace glasscase::catalog
