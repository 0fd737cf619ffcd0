// One session with a server: statements in, results out, within a time limit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <libpq-fe.h>

#include <glasscase/catalog_postgres/postgres_catalog.h>
#include <glasscase/core/error.h>

namespace glasscase::catalog::postgres {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, FreeResult>;

struct Parameter {
  std::optional<std::string> bytes{};  // none: NULL
  bool binary = false;                 // as the server's type sends it; else text
};

// A session that is lost stays lost.
class Session {
 public:
  // With our settings in force. `url` may hold a password: it is never repeated.
  static Result<std::unique_ptr<Session>> Connect(const std::string& url, const PostgresOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Prepares the statement at its first use. `sql` must be a literal. Results are binary.
  Result<PgResult> Run(const char* sql, const std::vector<Parameter>& parameters);
  // Statements without parameters; gives the last one's result.
  Result<PgResult> Script(const std::string& sql);

  bool lost() const { return lost_; }

 private:
  Session(PGconn* connection, int answer_timeout_ms)
      : connection_(connection), answer_timeout_ms_(answer_timeout_ms) {}

  Status Configure(const PostgresOptions& options);
  Result<const char*> Prepare(const char* sql);
  Result<PgResult> Sent(int accepted);
  Status WaitUntilIdle();
  Error Lost(Error error);

  PGconn* connection_;
  const int answer_timeout_ms_;
  std::unordered_map<const char*, std::string> prepared_;
  bool lost_ = false;
};

}  // namespace glasscase::catalog::postgres
