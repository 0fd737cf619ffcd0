// Which program each process is, what it is told, and the cgroup it starts in.
#include <unistd.h>

#include <glasscase/core/log.h>
#include <glasscase/process/confine.h>

#include "supervisor_state.h"

namespace glasscase::supervision {

std::string Supervisor::State::ProgramOf(Kind kind) const {
  switch (kind) {
    case Kind::kCustodian: return options_.program_directory + "/glasscase-custodian";
    case Kind::kPublicEdge:
    case Kind::kControlEdge: return options_.program_directory + "/glasscase-edge";
    case Kind::kHost: return options_.program_directory + "/glasscase-host";
    case Kind::kInspector: return options_.program_directory + "/glasscase-inspector";
    case Kind::kRelay: return options_.program_directory + "/glasscase-relay";
    case Kind::kWorker: return options_.program_directory + "/glasscase-worker";
    case Kind::kGate: return options_.program_directory + "/glasscase-gate";
  }
  return {};
}

std::vector<std::string> Supervisor::State::ArgumentsOf(const ChildId& id) const {
  std::vector<std::string> arguments;
  const auto append = [&](const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (id == kCustodian) append(options_.custodian_arguments);
  if (id == kCustodian || id == kRelay) {
    for (const std::string& server : options_.servers) append({"--server", server});
  }
  if (id == kPublicEdge) arguments.emplace_back("--public");
  if (id == kControlEdge) arguments.emplace_back("--control");
  if (id == kPublicEdge || id == kControlEdge) append(options_.edge_arguments);
  if (id.kind == Kind::kHost) {
    append({"--slot", std::to_string(id.slot)});
    if (options_.host_memory_bytes > 0) {
      append({"--memory", std::to_string(options_.host_memory_bytes)});
    }
    append(options_.host_arguments);
  }
  if (id.kind == Kind::kWorker) {
    append({"--name", "local-" + std::to_string(id.slot + 1)});
    append(options_.worker_arguments);
  }
  if (id == kGate) append(options_.gate_arguments);
  return arguments;
}

std::optional<process::Cgroup> Supervisor::State::SeatOf(const ChildId& id,
                                                         std::vector<std::string>& arguments) const {
  const std::string name = "worker-" + std::to_string(id.slot + 1);
  std::string missing = no_cgroup_;
  if (cgroup_) {
    std::optional<uid_t> user;
    if (geteuid() == 0) user = process::kUserBase + process::kWorkerUserOffset;
    auto leaf = cgroup_->MakeSeat(name, user);
    if (leaf) {
      arguments.insert(arguments.end(), {"--cgroup", cgroup_->SeatFolder(name)});
      return *std::move(leaf);
    }
    missing = leaf.error().message();
  }
  arguments.insert(arguments.end(), {"--no-cgroup", missing});
  return std::nullopt;
}

// Before there is any other process of ours, since all have to be in leaves of it.
void Supervisor::State::TakeCgroup() {
  std::vector<pid_t> ours = {getpid()};
  if (options_.ready_fd >= 0) ours.push_back(getppid());  // `glasscase serve`, which waits for us
  auto taken = process::DelegatedCgroup::Take(ours);
  if (taken) {
    cgroup_ = *std::move(taken);
    LogInfo("jobs get cgroups below " + cgroup_->path());
  } else {
    no_cgroup_ = taken.error().message();
  }
}

}  // namespace glasscase::supervision
