#include "connection.h"

#include <chrono>
#include <thread>

#include "statement.h"

namespace glasscase::catalog::postgres {
namespace {

constexpr auto kOutcomeWait = std::chrono::seconds(2);
constexpr auto kOutcomePause = std::chrono::milliseconds(50);

// Takes the lock of the one row, and counts.
constexpr char kLockAndCount[] =
    "UPDATE catalog_state SET changes = changes + 1 RETURNING changes - 1, pg_current_xact_id()::text";

}  // namespace

Status Connection::EnsureSession() {
  if (session_ != nullptr && !session_->lost()) return Ok();
  GC_CHECK(!in_transaction_);
  session_.reset();
  GC_TRY(session_, Session::Connect(std::string(url_.Reveal(RevealToken{})), options_));
  const Status fits = CheckSchema();
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
  transaction_id_.clear();
  if (!bare) {
    Result<PgResult> counted = session_->Run(kLockAndCount, {});
    const bool one = counted && PQntuples(counted->get()) == 1;
    if (!one) {
      if (!session_->lost()) (void)session_->Script("ROLLBACK");
      if (!counted) return Fail(counted.error().WithContext("cannot begin a transaction"));
      return Fail(Error::DataLoss("the catalog's table catalog_state is damaged; restore a backup"));
    }
    ResultRow row(counted->get(), 0);
    changes_before_ = row.Integer(0);
    transaction_id_ = row.Text(1);
    GC_CHECK(!row.damaged());
  }
  in_transaction_ = true;
  failure_.reset();
  return Ok();
}

Status Connection::Commit() {
  GC_CHECK(in_transaction_);
  if (failure_) return Fail(*failure_);
  Result<PgResult> committed = session_->Script("COMMIT");
  in_transaction_ = false;
  if (!committed) {
    if (!session_->lost()) return Fail(committed.error());
    GC_TRY_VOID(OutcomeOf(transaction_id_, committed.error()));
  } else if (std::string_view(PQcmdStatus(committed->get())) != "COMMIT") {
    // A transaction that failed is rolled back, and the server calls that a success.
    return Fail(Error::Internal("PostgreSQL rolled the transaction back instead of committing it"));
  }
  // Our own commit is no change elsewhere, unless others came before it.
  if (!transaction_id_.empty() && changes_seen_ == changes_before_) changes_seen_ = changes_before_ + 1;
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
Status Connection::OutcomeOf(const std::string& transaction_id, const Error& lost) {
  const auto deadline = std::chrono::steady_clock::now() + kOutcomeWait;
  while (!transaction_id.empty() && std::chrono::steady_clock::now() < deadline) {
    if (EnsureSession()) {
      Result<PgResult> asked = session_->Run("SELECT pg_xact_status($1::text::xid8)",
                                             {Parameter{.bytes = transaction_id, .binary = false}});
      const std::string outcome =
          asked && PQntuples(asked->get()) == 1 ? ResultRow(asked->get(), 0).Text(0) : "";
      if (outcome == "committed") return Ok();
      if (outcome == "aborted")
        return Fail(
            Error::Unavailable(lost.message()).WithContext("the commit was lost, nothing of it is written"));
    }
    std::this_thread::sleep_for(kOutcomePause);  // the server starts, or the old session is still at it
  }
  return Fail(Error::Unavailable(lost.message())
                  .WithContext("the commit was not answered; whether it happened is not known"));
}

Result<bool> Connection::ChangedElsewhere() {
  Statement ask(*this, "SELECT changes FROM catalog_state");
  GC_TRY(const bool found, ask.Step());
  const int64_t counted = found ? ask.row().Integer(0) : 0;
  if (!found || ask.row().damaged())
    return Fail(Error::DataLoss("the catalog's table catalog_state is damaged; restore a backup"));
  const int64_t others = in_transaction_ ? counted - 1 : counted;
  const bool changed = others != changes_seen_;
  changes_seen_ = others;
  return changed;
}

}  // namespace glasscase::catalog::postgres
