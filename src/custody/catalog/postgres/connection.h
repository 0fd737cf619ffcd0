// The catalog's way to its database: sessions come and go below it, transactions do not outlive theirs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/catalog/catalog.h>
#include <glasscase/catalog/search.h>
#include <glasscase/core/ids.h>
#include <glasscase/core/secret.h>

#include "session.h"

namespace glasscase::catalog::postgres {

// One thread.
class Connection {
 public:
  Connection(std::string url, const PostgresOptions& options) : url_(std::move(url)), options_(options) {}

  // Connects when there is no session. Outside a transaction, a statement whose session was lost is run
  // again once in a new one: only statements that read are run there. In a transaction a failure is the
  // answer to all that follows, since the server takes nothing more either.
  Result<PgResult> Run(const char* sql, const std::vector<Parameter>& parameters);
  Status Script(const std::string& sql);  // likewise

  // The only transaction of all processes from now on, and counted as a change. Unavailable when another
  // one stays open for longer than lock_timeout_ms.
  Status Begin();
  // Without the lock of Begin: for tables that may not be there yet.
  Status BeginBare();
  Status Commit();
  // Ends what Commit did not.
  void Rollback();
  bool in_transaction() const { return in_transaction_; }

  // Whether others committed since the last call, by the count of changes in the database.
  Result<bool> ChangedElsewhere();

  // From now on a new session is refused when the tables are no longer of this schema.
  void ExpectSchema(uint32_t version) { schema_ = version; }

 private:
  Status EnsureSession();
  Status CheckSchema();
  Status BeginOnce(bool bare);
  Status LockAndCount();
  Result<PgResult> InTransaction(Result<PgResult> result);
  Status OutcomeOfLostCommit(const Error& lost);
  Result<bool> TransactionIsThere();

  const Secret url_;
  const PostgresOptions options_;
  std::unique_ptr<Session> session_;
  std::optional<uint32_t> schema_;

  bool in_transaction_ = false;
  std::optional<Error> failure_;  // of the open transaction
  bool bare_ = false;
  Uuid token_{};                // of the open transaction
  int64_t changes_before_ = 0;  // when it began
  int64_t changes_seen_ = 0;
};

// Makes search_terms anew when it was made in another way, in a transaction of its own.
Status BringSearchForward(Connection& connection);
// The terms of one asset, added to those it has.
Status AddTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms);
Status RemoveTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms);
// What follows from an edge of the lineage.
Status AddAncestors(Connection& connection, const Lineage& edge);

Result<AssetPage> SearchPostgres(Connection& connection, StatementTexts& texts, const AssetQuery& query);

std::unique_ptr<Transaction> MakeTransaction(Connection& connection);

// Uses the connection, and is destroyed before it.
std::unique_ptr<ledger::Journal> MakeJournal(Connection& connection);

}  // namespace glasscase::catalog::postgres
