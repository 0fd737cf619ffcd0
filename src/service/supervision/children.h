// The processes that a supervisor keeps: who runs, since when, and what each is owed. Private.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>
#include <glasscase/process/lifeline.h>

#include "restart_pace.h"

namespace glasscase::supervision {

struct ChildId {
  process::ProcessKind kind = process::ProcessKind::kCustodian;
  uint32_t slot = 0;  // hosts and inspectors
  auto operator<=>(const ChildId&) const = default;
};

// Those that there is one of.
inline constexpr ChildId kCustodian{process::ProcessKind::kCustodian, 0};
inline constexpr ChildId kPublicEdge{process::ProcessKind::kPublicEdge, 0};
inline constexpr ChildId kControlEdge{process::ProcessKind::kControlEdge, 0};
inline constexpr ChildId kRelay{process::ProcessKind::kRelay, 0};
inline constexpr ChildId kGate{process::ProcessKind::kGate, 0};

// "host 3", "custodian"
std::string Name(const ChildId& id);

struct Child {
  pid_t pid = 0;  // 0: not running
  Fd lifeline;
  int64_t started_ms = 0;
  bool ready = false;          // said so since it was last started
  bool settled = false;        // was ready once, or died once: the start of the whole waits no longer
  bool end_requested = false;  // we killed it, or asked it to end
  RestartPace pace;
  int deaths_at_start = 0;                // of its own, before the installation was ready
  process::EventLoop::TimerId timer = 0;  // a restart or the end of an inspector's time
  Fd quota_memory;                        // hosts: outlives them

  bool running() const { return pid != 0; }
};

using Children = std::map<ChildId, Child>;

// How a process ended.
struct Death {
  bool from_outside = false;  // by a signal that is neither ours nor the mark of a crash
  bool clean = false;         // exit code 0
  std::string words;          // "exit code 3", "signal 9 (Killed)"
};
Death ReadDeath(int wait_status, bool end_requested);

}  // namespace glasscase::supervision
