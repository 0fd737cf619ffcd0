#include "postgres_errors.h"

#include <string>

#include <glasscase/core/bytes.h>

namespace glasscase::catalog::postgres {
namespace {

constexpr size_t kMessageMax = 400;

std::string_view Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text != nullptr ? std::string_view(text) : std::string_view();
}

// libpq goes on in further lines about what that may mean.
std::string Message(std::string_view what, std::string_view said) {
  said = said.substr(0, said.find('\n'));
  return std::string(what) + (said.empty() ? "" : ": " + Printable(said, kMessageMax));
}

Code CodeOf(std::string_view state) {
  // docs: PostgreSQL 15, appendix A. Whole states first, then their classes.
  if (state == "23505") return Code::kAlreadyExists;
  if (state == "53300") return Code::kUnavailable;  // too many connections
  if (state == "57P04") return Code::kNotFound;     // the database was dropped
  if (state == "55P03" || state == "57014" || state == "25P03") return Code::kUnavailable;
  if (state == "25006" || state == "42501") return Code::kPermissionDenied;
  if (state == "42P01" || state == "42703" || state == "58P01")
    return Code::kDataLoss;  // tables or files missing
  if (state == "22021" || state == "22P05") return Code::kInvalidArgument;
  const std::string_view group = state.substr(0, 2);
  if (group == "08" || group == "40" || group == "57") return Code::kUnavailable;
  if (group == "53") return Code::kResourceExhausted;
  if (group == "28") return Code::kPermissionDenied;
  if (group == "3D") return Code::kNotFound;
  if (group == "XX" && state != "XX000") return Code::kDataLoss;
  return Code::kInternal;
}

}  // namespace

Error ResultError(const PGresult* result, std::string_view what) {
  const std::string_view state = Field(result, PG_DIAG_SQLSTATE);
  // Without a state it is libpq's own: the connection.
  const Code code = EndsSession(result) || state.size() != 5 ? Code::kUnavailable : CodeOf(state);
  if (code == Code::kResourceExhausted && state == "53100")
    return Error::ResourceExhausted("the disk of the PostgreSQL server is full");
  if (state.empty()) return Error(code, Message(kConnectionLost, PQresultErrorMessage(result)));
  return Error(
      code, Message(what, Field(result, PG_DIAG_MESSAGE_PRIMARY)) + " (SQLSTATE " + std::string(state) + ")");
}

bool EndsSession(const PGresult* result) {
  const std::string_view severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity == "FATAL" || severity == "PANIC";
}

Error ConnectionError(PGconn* connection, std::string_view what) {
  std::string message = Message(what, PQerrorMessage(connection));
  if (PQconnectionNeedsPassword(connection) != 0) return Error::PermissionDenied(std::move(message));
  return Error::Unavailable(std::move(message));
}

}  // namespace glasscase::catalog::postgres
