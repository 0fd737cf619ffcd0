// What is looked at before a catalog is used.
#pragma once

#include "connection.h"

namespace glasscase::catalog::postgres {

// Reads every row of every table, by parts, and follows every reference. DataLoss for what cannot be read.
Status CheckWhole(Connection& connection);

}  // namespace glasscase::catalog::postgres
