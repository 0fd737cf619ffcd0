// The custodian as a child of the supervisor: serves edges and hosts until told to end.
#pragma once

#include <glasscase/core/error.h>

namespace glasscase::custodian {

// Until the supervisor says so or is gone.
Status Serve();

}  // namespace glasscase::custodian
