// One open database and its prepared statements.
#pragma once

#include <memory>

#include <sqlite3.h>

#include <glasscase/catalog/catalog.h>

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
  mutable StatementCache statements;
  bool in_transaction = false;
};

Result<std::unique_ptr<Transaction>> BeginTransaction(Connection& connection);

// Uses the connection, and is destroyed before it.
std::unique_ptr<ledger::Journal> MakeSqliteJournal(Connection& connection);

}  // namespace glasscase::catalog
