// The program on the node, for tests: `on_node FILE` runs the job in FILE in bubblewrap, as glasscase-worker
// does.
#include <unistd.h>

#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <glasscase/jobs_slurm/one_job.h>

int main(int argc, char** argv) {
  namespace jobs = glasscase::jobs;
  if (argc != 2) return 2;
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = 60'677;
  const auto executor = jobs::MakeBubblewrap({.user = user});
  return jobs::RunOneJob(argv[1], R"({"name":"node"})", *executor);
}
