// The tables and how they came to be: one step per schema version, never edited once released.
#pragma once

#include <cstdint>

#include <glasscase/core/clock.h>

#include "connection.h"

namespace glasscase::catalog::postgres {

uint32_t LatestSchemaVersion();

// Applies the missing steps in one transaction, one process at a time. NotFound when there are no tables and
// `create` is false, FailedPrecondition for a newer schema or tables that are not ours.
Status BringSchemaForward(Connection& connection, const Clock& clock, bool create);

}  // namespace glasscase::catalog::postgres
