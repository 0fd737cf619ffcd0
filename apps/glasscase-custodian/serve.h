// The custodian as a child of the supervisor: serves edges and hosts until told to end.
#pragma once

#include <string>
#include <vector>

#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

// Until the supervisor says so or is gone. `servers`: "host:port" of each that the relay carries connections
// to.
Status Serve(StoreSettings stores, const std::vector<std::string>& servers);

}  // namespace glasscase::custodian
