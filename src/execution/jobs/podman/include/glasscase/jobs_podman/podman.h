// Runs jobs in images: Podman fetches and keeps them, runc makes the container. Without rights of root: each
// job has a user namespace in which the caller's user is the only one, and inside it another, where the job
// is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/jobs/executor.h>
#include <glasscase/process/cgroup.h>

namespace glasscase::jobs {

struct PodmanOptions {
  std::string enclose;  // the program glasscase-enclose of this build
  std::string images;   // where images are kept: a folder of the user that jobs run as, of nobody else
  // Registries that images may come from, "host" or "host:port"; no other is asked for anything. What is on
  // the loopback may be without TLS.
  std::vector<std::string> registries{};
  // Names and passwords for them, as containers-auth.json(5) has them; empty: none. No job sees it.
  std::string credentials{};
  // Of this machine, that every job may use: "/dev/nvidia0"; files of its driver, read-only.
  std::vector<std::string> devices{};
  int64_t fetch_ms = 1'800'000;   // the most that fetching an image may take
  std::optional<uid_t> user{};    // as root: jobs run as this user, to whom their out/ belongs
  process::CgroupSeat cgroups{};  // where each job gets one of its own
  std::string leases{};           // Launch::leases
  std::string podman = "/usr/bin/podman";
  std::string runtime = "/usr/sbin/runc";
};

std::unique_ptr<Executor> MakePodman(PodmanOptions options);

}  // namespace glasscase::jobs
