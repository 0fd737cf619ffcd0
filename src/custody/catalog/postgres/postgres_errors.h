// What PostgreSQL says, as our errors.
#pragma once

#include <string_view>

#include <libpq-fe.h>

#include <glasscase/core/error.h>

namespace glasscase::catalog::postgres {

inline constexpr std::string_view kConnectionLost = "the connection to PostgreSQL was lost";

// By SQLSTATE: a full disk is ResourceExhausted, a taken unique value AlreadyExists, a damaged file DataLoss,
// a server that stops or a lock that nobody gave up Unavailable.
Error ResultError(const PGresult* result, std::string_view what);

// The server ended the session with this answer.
bool EndsSession(const PGresult* result);

// A connection that could not be made or was lost.
Error ConnectionError(PGconn* connection, std::string_view what);

}  // namespace glasscase::catalog::postgres
