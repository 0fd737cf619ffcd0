#include "session.h"

#include <cerrno>
#include <chrono>

#include <poll.h>

#include "postgres_errors.h"

namespace glasscase::catalog::postgres {
namespace {

constexpr int kOldestServer = 130'000;  // none older is maintained

void DropNotice(void*, const char*) {}

Status CheckUrl(const std::string& url) {
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &error);
  PQfreemem(error);  // may quote a part of a password
  if (options == nullptr) {
    return Fail(Error::InvalidArgument(
        "the connection string of PostgreSQL is not understood; write postgresql://USER@HOST/DATABASE or "
        "\"host=… dbname=…\""));
  }
  PQconninfoFree(options);
  return Ok();
}

PGconn* ConnectOnce(const std::string& url) {
  // What comes before dbname can be changed by the string, what comes after cannot.
  const char* const words[] = {
      "application_name", "connect_timeout",           "gssencmode", "keepalives_idle", "dbname",
      "client_encoding",  "fallback_application_name", nullptr};
  const char* const values[] = {"glasscase", "5", "disable", "15", url.c_str(), "UTF8", "glasscase", nullptr};
  return PQconnectdbParams(words, values, 1);
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Connect(const std::string& url, const PostgresOptions& options) {
  GC_TRY_VOID(CheckUrl(url));
  PGconn* connection = ConnectOnce(url);
  std::unique_ptr<Session> session(new Session(connection, options.answer_timeout_ms));
  if (PQstatus(connection) != CONNECTION_OK)
    return Fail(ConnectionError(connection, "cannot connect to PostgreSQL"));
  PQsetNoticeProcessor(connection, DropNotice, nullptr);
  PQsetnonblocking(connection, 1);
  GC_TRY_VOID(session->Configure(options));
  return session;
}

Session::~Session() { PQfinish(connection_); }

Status Session::Configure(const PostgresOptions& options) {
  if (PQserverVersion(connection_) < kOldestServer)
    return Fail(Error::FailedPrecondition("the PostgreSQL server is too old: 13 or newer is needed"));
  const char* encoding = PQparameterStatus(connection_, "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8")
    return Fail(
        Error::FailedPrecondition("the PostgreSQL database is not in UTF8: create it with ENCODING 'UTF8'"));
  // pg_temp last: a temporary table must not stand in for one of ours.
  const std::string settings =
      "SET search_path TO glasscase, pg_catalog, pg_temp; SET client_min_messages TO error;"
      "SET default_transaction_isolation TO 'read committed'; SET default_transaction_deferrable TO off;"
      "SET lock_timeout TO " +
      std::to_string(options.lock_timeout_ms) + "; SET idle_in_transaction_session_timeout TO " +
      std::to_string(options.idle_transaction_ms) +
      "; SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = "
      "'off'";
  return Script(settings).map([](const PgResult&) {});
}

Result<PgResult> Session::Run(const char* sql, const std::vector<Parameter>& parameters) {
  GC_TRY(const char* name, Prepare(sql));
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Parameter& parameter : parameters) {
    values.push_back(parameter.bytes ? parameter.bytes->c_str() : nullptr);
    lengths.push_back(parameter.bytes ? static_cast<int>(parameter.bytes->size()) : 0);
    formats.push_back(parameter.binary ? 1 : 0);
  }
  return Sent(PQsendQueryPrepared(connection_, name, static_cast<int>(parameters.size()), values.data(),
                                  lengths.data(), formats.data(), 1));
}

Result<PgResult> Session::Script(const std::string& sql) {
  if (lost_) return Fail(Error::Unavailable(std::string(kConnectionLost)));
  return Sent(PQsendQuery(connection_, sql.c_str()));
}

Result<const char*> Session::Prepare(const char* sql) {
  if (lost_) return Fail(Error::Unavailable(std::string(kConnectionLost)));
  const auto known = prepared_.find(sql);
  if (known != prepared_.end()) return known->second.c_str();
  const std::string name = "s" + std::to_string(prepared_.size());
  GC_TRY_VOID(Sent(PQsendPrepare(connection_, name.c_str(), sql, 0, nullptr)));
  return prepared_.emplace(sql, name).first->second.c_str();
}

// Takes all answers, so that the session is ready for the next statement; the first failure is what counts.
Result<PgResult> Session::Sent(int accepted) {
  if (accepted == 0) return Fail(Lost(ConnectionError(connection_, "cannot ask PostgreSQL")));
  PgResult last;
  std::optional<Error> failure;
  while (true) {
    GC_TRY_VOID(WaitUntilIdle());
    PgResult result(PQgetResult(connection_));
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !failure) {
      failure = ResultError(result.get(), "PostgreSQL refused");
      if (EndsSession(result.get())) lost_ = true;
    }
    last = std::move(result);
  }
  if (PQstatus(connection_) == CONNECTION_BAD) {
    return Fail(Lost(failure && failure->code() == Code::kUnavailable
                         ? *failure
                         : ConnectionError(connection_, kConnectionLost)));
  }
  if (failure) return Fail(*failure);
  return last;
}

// Until an answer can be taken without waiting. A server that stands still must not hold up the custodian.
Status Session::WaitUntilIdle() {
  using Time = std::chrono::steady_clock;
  const auto deadline = Time::now() + std::chrono::milliseconds(answer_timeout_ms_);
  while (true) {
    const int unsent = PQflush(connection_);
    if (unsent < 0) {
      // The server may have said why before it went; PQgetResult gives that.
      PQconsumeInput(connection_);
      return Ok();
    }
    if (unsent == 0 && PQisBusy(connection_) == 0) return Ok();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Time::now()).count();
    pollfd wait{.fd = PQsocket(connection_), .events = POLLIN, .revents = 0};
    if (unsent > 0) wait.events |= POLLOUT;
    const int ready = left <= 0 ? 0 : poll(&wait, 1, static_cast<int>(left));
    if (ready == 0) {
      return Fail(
          Lost(Error::Unavailable("PostgreSQL did not answer in " + std::to_string(answer_timeout_ms_) +
                                  " ms; the connection was given up")));
    }
    if (ready < 0 && errno != EINTR) return Fail(Lost(Error::FromErrno(errno, "poll")));
    if (ready > 0 && PQconsumeInput(connection_) == 0) return Ok();  // PQgetResult tells
  }
}

Error Session::Lost(Error error) {
  lost_ = true;
  return error;
}

}  // namespace glasscase::catalog::postgres
