// Takes rights away from the calling process, as far as the kernel offers it, before the first foreign byte.
//
// Order inside Confine: namespaces, resource limits, root directory, user, capabilities, no-new-privileges,
// Landlock, seccomp (all threads). What the kernel refuses is not fatal: it is returned as `missing`, shown
// by `glasscase status`, and logged. A sanitizer build leaves out seccomp and the memory limit, and says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::process {

// Which system calls stay: an allow-list per kind of process, everything else fails with EPERM.
enum class SyscallProfile : uint8_t {
  kEdge,       // accept, read, write, epoll, memory; no open, socket, connect, exec, ptrace, kill
  kHost,       // as kEdge without accept; threads already made or allowed by clone with thread flags
  kCustodian,  // files below its root; no exec, ptrace; sockets only with Policy::connect_ports
  kInspector,  // memory, files already open, clock
  kWitness,    // as kEdge, and files below its root
  kRelay,      // as kEdge, and connections, and reading the files by which names are looked up
  kGate,       // as kWitness, and pairs of sockets
  kTunnel,     // as kRelay, and files below its root
};

struct Policy {
  SyscallProfile syscalls = SyscallProfile::kEdge;
  bool network = false;  // keep the network of the caller; otherwise an empty network namespace
  // Without the caller's network: TCP may connect to these ports (of the loopback, where there is nothing
  // else).
  std::vector<uint16_t> connect_ports{};
  // Keeps the root directory and may read what the system looks names up with (Landlock: nothing else but,
  // with files_below_root, the files below the working directory, which root_directory_fd becomes).
  bool looks_names_up = false;
  // Becomes "/" and the working directory; -1: an empty directory. Use relative paths: they hold also where
  // the kernel refuses to change the root.
  int root_directory_fd = -1;
  bool files_below_root = false;  // may open files below the root (Landlock: read and write there only)
  // Keeps files and system calls, which its sandboxes take away from what runs in them: no sandbox can be
  // made after Landlock.
  bool makes_sandboxes = false;
  uint32_t user_offset = 0;        // as root: run as the user and group kUserBase + user_offset
  std::optional<uint32_t> user{};  // as root: run as this user instead (the data directory's owner)
  uint64_t memory_bytes_max = 0;   // RLIMIT_DATA; 0: unlimited
  uint64_t open_files_max = 0;     // RLIMIT_NOFILE; 0: leave as it is
  uint64_t cpu_seconds_max = 0;    // RLIMIT_CPU; 0: unlimited
};

// First of the numeric users that processes run as when Glasscase is started as root; chosen between the
// ranges of ordinary and of dynamically allocated users.
inline constexpr uint32_t kUserBase = 60'600;
inline constexpr uint32_t kWorkerUserOffset = 6;  // who starts workers gives them folders of theirs

struct Confinement {
  std::vector<std::string> in_force;  // "user 60601", "user namespace", "network namespace", "seccomp", ...
  std::vector<std::string> missing;   // "landlock: not offered by this kernel", ...
};

// Call from the main thread, before others are made. Threads made before are covered by everything but the
// namespaces, and `missing` says so; as an ordinary user the kernel then refuses the namespaces altogether.
// Fails only when a step that every kernel offers fails; the caller then exits. Needs /proc.
Result<Confinement> Confine(const Policy& policy);

// The same in two halves, for programs whose libraries make threads while they read their files (ONNX Runtime
// does): EnterNamespaces first thing in main, while files stay readable; Confine when the libraries are
// warm.
Confinement EnterNamespaces(const Policy& policy);
Result<Confinement> Confine(const Policy& policy, Confinement entered);

}  // namespace glasscase::process
