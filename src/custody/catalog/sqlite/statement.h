// SQLite's C interface with owners and Results.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sqlite3.h>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>

namespace glasscase::catalog {

// From the connection's last failure: a full disk is ResourceExhausted, a taken unique value AlreadyExists, a
// damaged file DataLoss, a lock that nobody gave up Unavailable.
Error SqliteError(sqlite3* database, std::string_view what);

// Runs statements without parameters or results.
Status Execute(sqlite3* database, const char* sql);

class StatementCache;

// A prepared statement in use; goes back to its cache when destroyed. Bind in the order of the question
// marks, then Step until it gives false.
class Statement {
 public:
  static constexpr const char* kRemedy = "restore a backup (glasscase-custodian --restore)";

  Statement(StatementCache* cache, const char* sql, sqlite3_stmt* statement)
      : cache_(cache), sql_(sql), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& Bind(int64_t value);
  Statement& Bind(std::string_view text);
  Statement& Bind(const Uuid& id);
  Statement& Bind(const Digest& digest);
  Statement& Bind(const std::optional<Digest>& digest);
  Statement& BindBlob(std::string_view bytes);
  Statement& BindIdOrNull(const Uuid& id);  // nil becomes NULL
  Statement& Bind(const std::optional<int64_t>& value);
  Statement& Bind(const std::optional<Uuid>& id);

  // True when a row is there.
  Result<bool> Step();
  // For statements without rows.
  Status Run();

  // Columns count from 0. A value of the wrong kind or length spoils the row: see damaged().
  int64_t Integer(int column);
  std::optional<int64_t> IntegerOrNull(int column);
  std::string Text(int column);
  Uuid Id(int column);
  Uuid IdOrNil(int column);
  bool Flag(int column) { return Integer(column) != 0; }
  Digest DigestAt(int column);
  std::optional<Digest> DigestOrNull(int column);
  std::string Blob(int column);
  bool damaged() const { return damaged_; }

 private:
  template <typename T>
  T Fixed(int column);
  void Bound(int code);

  StatementCache* cache_;
  const char* sql_;
  sqlite3_stmt* statement_;
  int next_parameter_ = 1;
  bool bind_failed_ = false;
  bool damaged_ = false;
};

// Prepared statements of one connection, kept for the next use. `sql` must stay where it is: a literal, or
// one of StatementTexts.
class StatementCache {
 public:
  explicit StatementCache(sqlite3* database) : database_(database) {}
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;
  ~StatementCache();

  Result<Statement> Prepare(const char* sql);
  sqlite3* database() const { return database_; }

 private:
  friend class Statement;
  void TakeBack(const char* sql, sqlite3_stmt* statement);

  sqlite3* database_;
  std::unordered_map<const char*, std::vector<sqlite3_stmt*>> idle_;
};

}  // namespace glasscase::catalog
