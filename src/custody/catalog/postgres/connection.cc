#include "connection.h"

#include <chrono>
#include <thread>

#include "statement.h"

namespace glasscase::catalog::postgres {
namespace {

constexpr auto kOutcomeWait = std::chrono::seconds(2);
constexpr auto kOutcomePause = std::chrono::milliseconds(50);

// Takes the lock of the one row, counts, and leaves a token by which the commit is known again. (The server
// could also be asked by the transaction's number, but may give the same number once more after a crash.)
constexpr char kLockAndCount[] =
    "WITH counted AS (UPDATE catalog_state SET changes = changes + 1 RETURNING changes) "
    "INSERT INTO recent_commits (slot, change, token) SELECT changes % 1024, changes, $1 FROM counted "
    "ON CONFLICT (slot) DO UPDATE SET change = excluded.change, token = excluded.token RETURNING change - 1";

Error DamagedState() {
  return Error::DataLoss("the catalog's table catalog_state is damaged; restore a backup of the database");
}

}  // namespace

Status Connection::EnsureSession() {
  if (session_ != nullptr && !session_->lost()) return Ok();
  GC_CHECK(!in_transaction_);
  session_.reset();
  GC_TRY(session_, Session::Connect(std::string(url_.Reveal(RevealToken{})), options_));
  Status fits = CheckSchema();
  if (!fits) session_.reset();
  return fits;
}

// While there was no session, a newer program may have brought the tables forward.
Status Connection::CheckSchema() {
  if (!schema_) return Ok();
  GC_TRY(PgResult asked, session_->Run("SELECT max(version) FROM schema_versions", {}));
  ResultRow row(asked.get(), 0);
  const int64_t found = row.Integer(0);
  if (!row.damaged() && found == int64_t{*schema_}) return Ok();
  return Fail(Error::FailedPrecondition(
      "the catalog was brought to another schema meanwhile; start again: schema=" + std::to_string(found) +
      ", known=" + std::to_string(*schema_)));
}

Result<PgResult> Connection::Run(const char* sql, const std::vector<Parameter>& parameters) {
  if (in_transaction_) {
    if (failure_) return Fail(*failure_);
    return InTransaction(session_->Run(sql, parameters));
  }
  GC_TRY_VOID(EnsureSession());
  Result<PgResult> result = session_->Run(sql, parameters);
  if (result || !session_->lost()) return result;
  GC_TRY_VOID(EnsureSession());
  return session_->Run(sql, parameters);
}

Status Connection::Script(const std::string& sql) {
  if (in_transaction_) {
    if (failure_) return Fail(*failure_);
    return InTransaction(session_->Script(sql)).map([](const PgResult&) {});
  }
  GC_TRY_VOID(EnsureSession());
  return session_->Script(sql).map([](const PgResult&) {});
}

Result<PgResult> Connection::InTransaction(Result<PgResult> result) {
  if (result) return result;
  failure_ = result.error();
  if (session_->lost())
    failure_ = failure_->WithContext("the transaction was lost, nothing of it is written");
  return Fail(*failure_);
}

Status Connection::Begin() {
  GC_CHECK(!in_transaction_);
  Status begun = BeginOnce(false);
  if (!begun && session_ != nullptr && session_->lost()) begun = BeginOnce(false);
  return begun;
}

Status Connection::BeginBare() {
  GC_CHECK(!in_transaction_);
  return BeginOnce(true);
}

Status Connection::BeginOnce(bool bare) {
  GC_TRY_VOID(EnsureSession());
  GC_TRY_VOID(session_->Script("BEGIN"));
  bare_ = bare;
  if (!bare) {
    const Status locked = LockAndCount();
    if (!locked) {
      if (!session_->lost()) (void)session_->Script("ROLLBACK");
      return Fail(locked.error().WithContext("cannot begin a transaction"));
    }
  }
  in_transaction_ = true;
  failure_.reset();
  return Ok();
}

Status Connection::LockAndCount() {
  token_ = Uuid::Random();
  GC_TRY(const PgResult counted,
         session_->Run(kLockAndCount, {Parameter{.bytes = std::string(token_.AsBytes()), .binary = true}}));
  if (PQntuples(counted.get()) != 1) return Fail(DamagedState());
  changes_before_ = ResultRow(counted.get(), 0).Integer(0);
  return Ok();
}

Status Connection::Commit() {
  GC_CHECK(in_transaction_);
  if (failure_) return Fail(*failure_);
  Result<PgResult> committed = session_->Script("COMMIT");
  in_transaction_ = false;
  if (!committed) {
    if (!session_->lost()) return Fail(committed.error());
    GC_TRY_VOID(OutcomeOfLostCommit(committed.error()));
  } else if (std::string_view(PQcmdStatus(committed->get())) != "COMMIT") {
    // A transaction that failed is rolled back, and the server calls that a success.
    return Fail(Error::Internal("PostgreSQL rolled the transaction back instead of committing it"));
  }
  // Our own commit is no change elsewhere, unless others came before it.
  if (!bare_ && changes_seen_ == changes_before_) changes_seen_ = changes_before_ + 1;
  return Ok();
}

void Connection::Rollback() {
  if (!in_transaction_) return;
  in_transaction_ = false;
  failure_.reset();
  // A session that cannot even do this is not used again; the server rolls back when it goes.
  if (!session_->lost() && !session_->Script("ROLLBACK")) session_.reset();
}

// The server is asked what became of a commit whose answer was lost: acknowledged or not, it must be true.
Status Connection::OutcomeOfLostCommit(const Error& lost) {
  const auto deadline = std::chrono::steady_clock::now() + kOutcomeWait;
  while (!bare_ && std::chrono::steady_clock::now() < deadline) {
    const Result<bool> there = TransactionIsThere();
    if (there && *there) return Ok();
    if (there)
      return Fail(
          Error::Unavailable(lost.message()).WithContext("the commit was lost, nothing of it is written"));
    if (there.error().code() != Code::kUnavailable) break;
    std::this_thread::sleep_for(kOutcomePause);  // the server starts, or the old session is still at it
  }
  return Fail(Error::Unavailable(lost.message())
                  .WithContext("the commit was not answered; whether it happened is not known"));
}

Result<bool> Connection::TransactionIsThere() {
  const int64_t ours = changes_before_ + 1;
  // Waits for the lost session, should the server still be busy with it. Rolled back: a commit might wait for
  // a standby.
  GC_TRY_VOID(EnsureSession());
  const Status locked = Script("BEGIN; SELECT changes FROM catalog_state FOR UPDATE");
  if (!session_->lost()) (void)session_->Script("ROLLBACK");
  GC_TRY_VOID(locked);
  Statement ask(*this,
                "SELECT changes, (SELECT token FROM recent_commits WHERE change = $1) FROM catalog_state");
  ask.Bind(ours);
  GC_TRY(const bool found, ask.Step());
  if (!found) return Fail(DamagedState());
  if (ask.row().Integer(0) < ours) return false;
  const Uuid token = ask.row().IdOrNil(1);
  if (token.IsNil()) return Fail(Error::NotFound("too many others committed since"));
  return token == token_;
}

Result<bool> Connection::ChangedElsewhere() {
  Statement ask(*this, "SELECT changes FROM catalog_state");
  GC_TRY(const bool found, ask.Step());
  const int64_t counted = found ? ask.row().Integer(0) : 0;
  if (!found || ask.row().damaged()) return Fail(DamagedState());
  const int64_t others = in_transaction_ ? counted - 1 : counted;
  const bool changed = others != changes_seen_;
  changes_seen_ = others;
  return changed;
}

}  // namespace glasscase::catalog::postgres
