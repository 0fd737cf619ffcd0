// One open database and its prepared statements.
#pragma once

#include <memory>

#include <sqlite3.h>

#include <glasscase/catalog/catalog.h>
#include <glasscase/catalog/search.h>

#include "statement.h"

namespace glasscase::catalog {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// Members are destroyed in reverse: statements before the database.
struct Connection {
  explicit Connection(Database opened) : database(std::move(opened)), statements(database.get()) {}

  Database database;
  StatementTexts texts;  // of the statements
  StatementCache statements;
  bool in_transaction = false;
};

// Makes search_terms anew when it was made in another way, in a transaction of its own.
Status BringSearchForward(Connection& connection);
// The terms of one asset, added to those it has.
Status AddTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms);
Status RemoveTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms);
// What follows from an edge of the lineage.
Status AddAncestors(Connection& connection, const Lineage& edge);

Result<AssetPage> SearchSqlite(Connection& connection, const AssetQuery& query);

Result<std::unique_ptr<Transaction>> BeginTransaction(Connection& connection);

// Uses the connection, and is destroyed before it.
std::unique_ptr<ledger::Journal> MakeSqliteJournal(Connection& connection);

}  // namespace glasscase::catalog
