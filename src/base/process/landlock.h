// Landlock: what the kernel lets an ordinary process take away from itself. Private to confine.cc.
#pragma once

#include <glasscase/core/error.h>

namespace glasscase::process {

struct LandlockRules {
  bool files_below_working_directory = false;  // may be read and changed; nothing else may
  bool network = false;                        // TCP may connect
};

// The version of Landlock that this kernel offers; 0 when none.
int LandlockVersion();

// Restricts the calling thread and those it makes later. Needs no_new_privs.
Status ApplyLandlock(const LandlockRules& rules);

}  // namespace glasscase::process
