// What the two sides of a job on a node leave for each other, in one folder that both see.
#pragma once

#include <cstdint>
#include <string>

#include <glasscase/core/error.h>
#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

inline constexpr char kJobFile[] = "job.json";     // ours, before it is submitted
inline constexpr char kAliveFile[] = "alive";      // ours: its time changes while somebody waits for the job
inline constexpr char kLogFile[] = "log";          // the node's: what the job prints
inline constexpr char kEndFile[] = "end.json";     // the node's, renamed into place: the job has ended
inline constexpr char kSlurmFile[] = "slurm.out";  // what Slurm, or a program that could not start, says

struct JobFile {
  Job job;
  int64_t patience_ms = 60'000;
};

std::string WriteJob(const JobFile& job);
Result<JobFile> ReadJob(const std::string& text);
std::string WriteEnd(const JobEnd& end);
Result<JobEnd> ReadEnd(const std::string& text);

// Whole or not at all.
Status WriteText(const std::string& path, const std::string& text);

}  // namespace glasscase::jobs
