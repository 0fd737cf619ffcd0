// Runs jobs on the nodes of a Slurm cluster: each is one batch job, in which a program of ours makes the
// sandbox. The folder of a job lies on a file system that the node shares with this machine; all that the two
// sides say to each other lies there (job_file.h), so neither needs the other's network.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

struct SlurmOptions {
  // The program on the node and its words, which are followed by the path of the job's file: it calls
  // RunOneJob. The same path there as here.
  std::vector<std::string> on_node;
  std::string partition{};                           // empty: the cluster's own choice
  std::vector<std::string> words{};                  // more for sbatch: "--account=..."
  std::map<std::string, std::string> environment{};  // of Slurm's own programs: "SLURM_CONF"
  std::string programs = "/usr/bin";                 // where they are
  int64_t delay_ms = 60'000;     // what is written on a node may be seen here this much later
  int64_t patience_ms = 60'000;  // a job on a node ends when it has not heard of us for so long
};

std::unique_ptr<Executor> MakeSlurm(SlurmOptions options);

}  // namespace glasscase::jobs
