// One server for all tests of the program, and a database of its own for each.
#pragma once

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/catalog/testing/rows.h>
#include <glasscase/catalog_postgres/postgres_catalog.h>
#include <glasscase/catalog_postgres/testing/postgres_server.h>
#include <glasscase/core/testing/fake_clock.h>

namespace glasscase::catalog::testing {

inline PostgresServer& SharedServer() {
  static PostgresServer server;
  return server;
}

class PostgresFixture {
 public:
  explicit PostgresFixture(PostgresServer& on = SharedServer()) : server(on), url(on.NewDatabase()) {}

  std::unique_ptr<Catalog> Open() { return TryOpen().value(); }
  Result<std::unique_ptr<Catalog>> TryOpen(PostgresOptions options = {.create = true}) {
    return OpenPostgresCatalog(url, clock, options);
  }
  // As a program of another version, or an operator who knows better, would leave it.
  void Alter(const std::string& sql) {
    EXPECT_TRUE(server.Sql(url, "SET search_path TO glasscase; " + sql)) << server.answer();
  }
  std::string Ask(const std::string& sql) {
    Alter(sql);
    return server.answer();
  }

  PostgresServer& server;
  const std::string url;
  glasscase::testing::FakeClock clock;
};

inline Status Insert(Catalog& catalog, const Subject& subject) {
  GC_TRY(auto transaction, catalog.Begin());
  GC_TRY_VOID(transaction->InsertSubject(subject));
  return transaction->Commit();
}

}  // namespace glasscase::catalog::testing
