// Who may ask at all: what every act is checked for before its own rules. Private.
#pragma once

#include "desk.h"
#include "routes.h"

namespace glasscase::operations {

// Whether it came by the right listener, with a token that is good, of somebody with the role that its route
// takes; fills in its caller and token. `closed_log`: the ledger is read by subjects only.
// Unauthenticated or PermissionDenied, and the act knows the reason.
Status Admit(Desk& desk, Act& act, const Route& route, bool closed_log);

}  // namespace glasscase::operations
