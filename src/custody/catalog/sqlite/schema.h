// The tables and how they came to be: one step per schema version, never edited once released.
#pragma once

#include <cstdint>

#include <sqlite3.h>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>

namespace glasscase::catalog {

// In the file's header, so that `file` and a mistaken path are told apart from a catalog.
inline constexpr int32_t kApplicationId = 0x47'43'41'54;  // "GCAT"

uint32_t LatestSchemaVersion();

// Applies the missing steps, each in its own transaction. FailedPrecondition for a newer schema.
Status BringSchemaForward(sqlite3* database, const Clock& clock);

}  // namespace glasscase::catalog
