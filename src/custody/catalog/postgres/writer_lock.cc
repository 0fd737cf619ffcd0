#include <glasscase/catalog_postgres/postgres_catalog.h>

#include "session.h"

namespace glasscase::catalog {
namespace {

using postgres::PgResult;
using postgres::Session;

// "GCAT" and "writ" as numbers: such locks are per database, and share their numbers with other programs.
constexpr char kLeaveSeat[] = "SELECT pg_advisory_unlock(1195589972, 2003986804)";
constexpr char kTakeSeat[] = "SELECT pg_try_advisory_lock(1195589972, 2003986804)";

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

Result<std::unique_ptr<WriterLock>> TryToBecomeWriter(const std::string& url, PostgresOptions options) {
  GC_TRY(auto session, Session::Connect(url, options));
  GC_TRY(const PgResult taken, session->Run(kTakeSeat, {}));
  const bool mine = PQntuples(taken.get()) == 1 && PQgetvalue(taken.get(), 0, 0)[0] != 0;
  if (!mine) return nullptr;
  return std::make_unique<SessionLock>(std::move(session));
}

}  // namespace glasscase::catalog
