// Values into a statement, rows out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/ids.h>

#include "connection.h"

namespace glasscase::catalog::postgres {

// One row of a result in binary. Columns count from 0. A value of the wrong type or length spoils the row:
// see damaged().
class ResultRow {
 public:
  static constexpr const char* kRemedy = "restore a backup of the database";

  ResultRow(const PGresult* result, int row) : result_(result), row_(row) {}

  int64_t Integer(int column);
  std::optional<int64_t> IntegerOrNull(int column);
  bool Flag(int column);
  std::string Text(int column);
  Uuid Id(int column);
  Uuid IdOrNil(int column);
  Digest DigestAt(int column);
  std::optional<Digest> DigestOrNull(int column);
  std::string Blob(int column);
  bool damaged() const { return damaged_; }

 private:
  // The value when it is of that type; else the row is damaged.
  std::string_view Value(int column, unsigned type);
  bool IsNull(int column) const { return PQgetisnull(result_, row_, column) != 0; }

  const PGresult* result_;
  int row_;
  bool damaged_ = false;
};

// PostgreSQL keeps text in UTF-8 without NUL.
bool CanBeKept(std::string_view text);

// A statement in use. Bind in the order of the numbers, then Step until it gives false; the result is whole
// from the first Step on, so that other statements may run in between. `sql` must be a literal.
class Statement {
 public:
  Statement(Connection& connection, const char* sql) : connection_(connection), sql_(sql) {}

  Statement& Bind(int64_t value);
  Statement& Bind(std::string_view text);
  Statement& Bind(const Uuid& id);
  Statement& Bind(const Digest& digest);
  Statement& Bind(const std::optional<Digest>& digest);
  Statement& Bind(const std::optional<int64_t>& value);
  Statement& Bind(const std::optional<Uuid>& id);
  Statement& BindBlob(std::string_view bytes);
  Statement& BindIdOrNull(const Uuid& id);  // nil becomes NULL
  Statement& BindFlag(bool flag);

  // True when a row is there.
  Result<bool> Step();
  // How many rows were written, for statements without rows.
  Result<int64_t> Run();

  ResultRow& row() { return row_; }

 private:
  Statement& BindNull();
  Status Execute();

  Connection& connection_;
  const char* sql_;
  std::vector<Parameter> parameters_;
  std::optional<Error> refused_;  // a value that PostgreSQL cannot keep
  PgResult result_;
  int next_row_ = 0;
  ResultRow row_{nullptr, 0};
};

}  // namespace glasscase::catalog::postgres
