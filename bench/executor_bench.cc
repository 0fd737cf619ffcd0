// What it costs to run /bin/true as a job, over running it bare: medians of wall and CPU time, in turn. One
// JSON object.
//
//   executor_bench FOLDER bubblewrap
//   executor_bench FOLDER podman ENCLOSE IMAGES IMAGE
//   executor_bench FOLDER slurm WORKER SLURM_CONF
//
// As root, jobs run as the user that workers are; FOLDER has to be open to it.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/jobs/child.h>
#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <glasscase/jobs_podman/podman.h>
#include <glasscase/jobs_slurm/slurm.h>

namespace {

namespace jobs = glasscase::jobs;

constexpr int kRepeats = 21;

struct Cost {
  double wall_ms = 0;
  double cpu_ms = 0;  // of all that was started from here
};

double CpuMs() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

template <typename Work>
Cost Measure(const Work& work) {
  const double cpu = CpuMs();
  const auto begun = std::chrono::steady_clock::now();
  work();
  return {std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count(),
          CpuMs() - cpu};
}

double Median(const std::vector<Cost>& costs, double Cost::*member) {
  std::vector<double> values;
  for (const Cost& cost : costs) values.push_back(cost.*member);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Nothing final : public jobs::JobWatcher {
 public:
  void OnLog(std::string_view) override {}
};

std::unique_ptr<jobs::Executor> Make(const std::vector<std::string>& words, jobs::Job& job,
                                     std::optional<uid_t> user) {
  if (words.size() == 2 && words[1] == "bubblewrap") return jobs::MakeBubblewrap({.user = user});
  if (words.size() == 5 && words[1] == "podman") {
    job.image = words[4];
    return jobs::MakePodman(
        {.enclose = words[2], .images = words[3], .registries = {"localhost"}, .user = user});
  }
  if (words.size() == 4 && words[1] == "slurm")
    return jobs::MakeSlurm({.on_node = {words[2], "--one-job"}, .environment = {{"SLURM_CONF", words[3]}}});
  return nullptr;
}

void RunBare() {
  const auto child = jobs::StartChild({.command = {"/bin/true"}});
  if (child) ::waitpid(child->pid, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return 2;
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = 60'606;
  jobs::Job job{.folder = words[0] + "/job", .command = {"/bin/true"}};
  std::filesystem::create_directories(job.folder + "/in");
  std::filesystem::create_directories(job.folder + "/out");
  const auto executor = Make(words, job, user);
  if (!executor || (user && ::chown((job.folder + "/out").c_str(), *user, *user) != 0)) return 2;
  std::vector<Cost> bare, sandboxed;
  for (int i = 0; i < kRepeats; ++i) {
    bare.push_back(Measure(RunBare));
    jobs::JobEnd end;
    Nothing nobody;
    sandboxed.push_back(Measure([&] { end = executor->Run(job, nobody); }));
    if (end.ending == jobs::Ending::kSucceeded) continue;
    std::fprintf(stderr, "%s\n", end.reason.c_str());
    return 1;
  }
  std::printf(
      "{\"repeats\":%d,\"bare_wall_ms\":%.3f,\"bare_cpu_ms\":%.3f,\"wall_ms\":%.3f,\"cpu_ms\":%.3f}\n",
      kRepeats, Median(bare, &Cost::wall_ms), Median(bare, &Cost::cpu_ms), Median(sandboxed, &Cost::wall_ms),
      Median(sandboxed, &Cost::cpu_ms));
}
