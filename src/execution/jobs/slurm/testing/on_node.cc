// The program on the node, for tests: `on_node LEASES FILE` runs the job in FILE in bubblewrap, as
// glasscase-worker does, with processors that are leased in LEASES.
#include <unistd.h>

#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <glasscase/jobs_slurm/one_job.h>

int main(int argc, char** argv) {
  namespace jobs = glasscase::jobs;
  if (argc != 3) return 2;
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = 60'677;
  const auto executor = jobs::MakeBubblewrap({.user = user, .leases = argv[1]});
  return jobs::RunOneJob(argv[2], R"({"name":"node"})", *executor);
}
