#include <glasscase/catalog_postgres/postgres_catalog.h>

#include "session.h"

namespace glasscase::catalog {
namespace {

using postgres::PgResult;
using postgres::Session;

// "GCAT" and "writ" as numbers: such locks are per database, and share their numbers with other programs.
constexpr char kLeaveSeat[] = "SELECT pg_advisory_unlock(1195589972, 2003986804)";
constexpr char kTakeSeat[] = "SELECT pg_try_advisory_lock(1195589972, 2003986804)";

// The kernel of a paused process keeps its connection, so the server would wait for it without end.
constexpr char kEndStillHolder[] =
    "SELECT count(pg_terminate_backend(lock.pid)) FROM pg_locks AS lock JOIN pg_stat_activity AS session "
    "ON session.pid = lock.pid WHERE lock.locktype = 'advisory' AND lock.classid = 1195589972 "
    "AND lock.objid = 2003986804 AND session.datname = current_database() "
    "AND session.state_change < clock_timestamp() - $1 * interval '1 millisecond'";

class SessionLock final : public WriterLock {
 public:
  // The end of the session would do too, but later.
  ~SessionLock() override { (void)session_->Script(kLeaveSeat); }

  explicit SessionLock(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  // The server holds the lock as long as the session, so an answer in it is the proof.
  Status Check() override {
    return session_->Script("SELECT 1").map([](const PgResult&) {}).map_error([](const Error& error) {
      return Error::Unavailable(error.message()).WithContext("the seat of the writer was lost");
    });
  }

 private:
  std::unique_ptr<Session> session_;
};

}  // namespace

Result<std::unique_ptr<WriterLock>> TryToBecomeWriter(const std::string& url, PostgresOptions options,
                                                      int still_ms) {
  GC_TRY(auto session, Session::Connect(url, options));
  GC_TRY(const PgResult taken, session->Run(kTakeSeat, {}));
  const bool mine = PQntuples(taken.get()) == 1 && PQgetvalue(taken.get(), 0, 0)[0] != 0;
  if (!mine) {
    const postgres::Parameter still{.bytes = std::to_string(still_ms), .binary = false};
    GC_TRY_VOID(session->Run(kEndStillHolder, {still}));
    return nullptr;
  }
  return std::make_unique<SessionLock>(std::move(session));
}

}  // namespace glasscase::catalog
