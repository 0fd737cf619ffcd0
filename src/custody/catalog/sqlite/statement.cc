#include "statement.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace glasscase::catalog {

Error SqliteError(sqlite3* database, std::string_view what) {
  const int extended = sqlite3_extended_errcode(database);
  const int system_errno = sqlite3_system_errno(database);
  const std::string message = std::string(what) + ": " + sqlite3_errmsg(database);
  switch (extended & 0xff) {
    case SQLITE_FULL: return Error::ResourceExhausted("the disk of the data directory is full");
    case SQLITE_IOERR:
      if (system_errno == ENOSPC || system_errno == EDQUOT)
        return Error::ResourceExhausted("the disk of the data directory is full");
      return Error::Internal(message);
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY)
        return Error::AlreadyExists(message);
      return Error::Internal(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Error::DataLoss(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Error::Unavailable(message);
    case SQLITE_CANTOPEN: return Error::FromErrno(system_errno != 0 ? system_errno : ENOENT, message);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return Error::PermissionDenied(message);
    default: return Error::Internal(message);
  }
}

Status Execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return Fail(SqliteError(database, "the catalog refused a statement"));
  return Ok();
}

Statement::Statement(Statement&& other) noexcept
    : cache_(other.cache_),
      sql_(other.sql_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_parameter_(other.next_parameter_),
      bind_failed_(other.bind_failed_),
      damaged_(other.damaged_) {}

Statement::~Statement() {
  if (statement_ != nullptr) cache_->TakeBack(sql_, statement_);
}

void Statement::Bound(int code) {
  ++next_parameter_;
  if (code != SQLITE_OK) bind_failed_ = true;
}

Statement& Statement::Bind(int64_t value) {
  Bound(sqlite3_bind_int64(statement_, next_parameter_, value));
  return *this;
}
Statement& Statement::Bind(std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() != nullptr ? text.data() : "";
  Bound(sqlite3_bind_text64(statement_, next_parameter_, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}
Statement& Statement::Bind(const Uuid& id) {
  Bound(sqlite3_bind_blob64(statement_, next_parameter_, id.bytes.data(), id.bytes.size(), SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::Bind(const Digest& digest) {
  Bound(sqlite3_bind_blob64(statement_, next_parameter_, digest.data(), digest.size(), SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::Bind(const std::optional<Digest>& digest) {
  if (digest) return Bind(*digest);
  Bound(sqlite3_bind_null(statement_, next_parameter_));
  return *this;
}
Statement& Statement::BindBlob(std::string_view bytes) {
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  Bound(sqlite3_bind_blob64(statement_, next_parameter_, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::BindIdOrNull(const Uuid& id) {
  if (!id.IsNil()) return Bind(id);
  Bound(sqlite3_bind_null(statement_, next_parameter_));
  return *this;
}
Statement& Statement::Bind(const std::optional<int64_t>& value) {
  if (value) return Bind(*value);
  Bound(sqlite3_bind_null(statement_, next_parameter_));
  return *this;
}
Statement& Statement::Bind(const std::optional<Uuid>& id) { return BindIdOrNull(id.value_or(Uuid{})); }

Result<bool> Statement::Step() {
  if (bind_failed_) return Fail(SqliteError(cache_->database(), "the catalog refused a value"));
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: return Fail(SqliteError(cache_->database(), "the catalog refused"));
  }
}

Status Statement::Run() {
  GC_TRY(const bool row, Step());
  GC_CHECK(!row);
  return Ok();
}

int64_t Statement::Integer(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) damaged_ = true;
  return sqlite3_column_int64(statement_, column);
}

std::optional<int64_t> Statement::IntegerOrNull(int column) {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return Integer(column);
}

std::string Statement::Text(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_TEXT) {
    damaged_ = true;
    return {};
  }
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

template <typename T>
T Statement::Fixed(int column) {
  T value{};
  const bool fits = sqlite3_column_type(statement_, column) == SQLITE_BLOB &&
                    static_cast<size_t>(sqlite3_column_bytes(statement_, column)) == value.size();
  if (fits) {
    std::memcpy(value.data(), sqlite3_column_blob(statement_, column), value.size());
  } else {
    damaged_ = true;
  }
  return value;
}

Uuid Statement::Id(int column) { return Uuid{Fixed<std::array<uint8_t, 16>>(column)}; }
Uuid Statement::IdOrNil(int column) {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL ? Uuid{} : Id(column);
}
Digest Statement::DigestAt(int column) { return Fixed<Digest>(column); }

std::optional<Digest> Statement::DigestOrNull(int column) {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return DigestAt(column);
}

std::string Statement::Blob(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_BLOB) {
    damaged_ = true;
    return {};
  }
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return size == 0 ? std::string() : std::string(bytes, size);
}

StatementCache::~StatementCache() {
  for (auto& [sql, statements] : idle_)
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
}

Result<Statement> StatementCache::Prepare(const char* sql) {
  auto& idle = idle_[sql];
  if (!idle.empty()) {
    sqlite3_stmt* statement = idle.back();
    idle.pop_back();
    return Statement(this, sql, statement);
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    return Fail(SqliteError(database_, "the catalog refused to prepare a statement"));
  return Statement(this, sql, statement);
}

void StatementCache::TakeBack(const char* sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);  // bound digests and texts go now, not at the next use
  idle_[sql].push_back(statement);
}

}  // namespace glasscase::catalog
