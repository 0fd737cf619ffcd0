// The custodian as a child of the supervisor: serves edges and hosts until told to end.
#pragma once

#include <cstdint>

#include <glasscase/core/error.h>

namespace glasscase::custodian {

struct ServeOptions {
  int64_t uploads_expire_s = 86'400;
};

// Until the supervisor says so or is gone.
Status Serve(const ServeOptions& options);

}  // namespace glasscase::custodian
