// Landlock: what the kernel lets an ordinary process take away from itself. Private to confine.cc.
#pragma once

#include <cstdint>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

struct LandlockRules {
  bool files_below_working_directory = false;  // may be read and changed; nothing else may
  bool network = false;                        // TCP may connect
  std::vector<uint16_t> connect_ports{};       // without `network`: to these ports only
  bool system_configuration = false;           // may be read: names of servers are looked up with it
};

// The version of Landlock that this kernel offers; 0 when none.
int LandlockVersion();

// The rules as the kernel keeps them; Unimplemented when it offers no Landlock. A thread applies them to
// itself, and to those it makes later, with landlock_restrict_self; that needs no_new_privs.
Result<Fd> MakeLandlockRuleset(const LandlockRules& rules);

}  // namespace glasscase::process
