// The custodian as a child of the supervisor: serves edges and hosts until told to end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

struct ServeOptions {
  StoreSettings stores{};
  std::vector<std::string> servers{};  // "host:port" of each that the relay carries connections to
  int64_t uploads_expire_s = 86'400;
  uint32_t runs_per_owner = 0;  // at once; 0: as many as workers take
  bool closed_log = false;      // the ledger's files need a token
};

// Until the supervisor says so or is gone.
Status Serve(ServeOptions options);

}  // namespace glasscase::custodian
