// glasscase-worker: runs jobs in sandboxes. It holds no keys and gets the files of each job by descriptor.
// Started by glasscased, or with --connect on another machine.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <glasscase/core/log.h>
#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <glasscase/jobs_kubernetes/kubernetes.h>
#include <glasscase/jobs_podman/podman.h>
#include <glasscase/jobs_slurm/one_job.h>
#include <glasscase/jobs_slurm/slurm.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/follow_lifeline.h>
#include <glasscase/rpc/link.pb.h>
#include <glasscase/training/recipe.h>
#include <glasscase/translating/program.h>
#include <glasscase/working/machine.h>
#include <glasscase/working/remove_folder.h>
#include <glasscase/working/worker.h>

#include "cluster.h"
#include "images.h"
#include "job_folder.h"
#include "remote.h"
#include "seat.h"

namespace {

// Of inputs and results: the files of as many runs as a worker has at once, with what is under way.
constexpr uint64_t kOpenFilesMax = 65'536;

namespace process = glasscase::process;
namespace working = glasscase::working;
using glasscase::Error;
using glasscase::InitLog;
using glasscase::LogError;
using glasscase::LogWarning;
using glasscase::Status;
using Type = process::LifelineMessage::Type;

// Beside this program.
std::string ProgramCalled(const std::string& name) {
  std::error_code code;
  return std::filesystem::read_symlink("/proc/self/exe", code).parent_path() / name;
}

[[noreturn]] void Die(const std::string& what, const Error& error) {
  LogError(what + ": " + error.message());
  std::exit(1);
}

struct Arguments {
  working::WorkerOptions options{.name = "local", .folder = {}, .runners = {}};
  std::string jobs = "/var/tmp";
  glasscase::worker::ImageArguments images;
  glasscase::worker::ClusterArguments cluster;
  std::string executor = "bubblewrap";
  std::string partition;
  std::string slurm_conf;
  glasscase::worker::RemoteArguments remote;
  glasscase::worker::SeatArguments seat;
  std::string one_job;  // a file: be the program on a node of Slurm, for one job
};

void Declare(CLI::App& app, Arguments& arguments) {
  glasscase::jobs::Limits& most = arguments.options.most;
  most.cpus = std::max(1U, std::thread::hardware_concurrency());
  most.memory_bytes = uint64_t{8} << 30;
  most.disk_bytes = uint64_t{32} << 30;
  most.wall_ms = int64_t{86'400} * 1000;
  app.add_option("--name", arguments.options.name, "What runs say of who did them");
  app.add_option("--runners", arguments.options.runners, "Folder of the runners");
  app.add_option("--jobs", arguments.jobs, "Where the files of jobs lie while they run");
  app.add_option("--executor", arguments.executor,
                 "Where jobs run: on this machine; those of runners by Slurm; those in images by Kubernetes")
      ->check(CLI::IsMember({"bubblewrap", "kubernetes", "slurm"}));
  glasscase::worker::DeclareClusterOptions(app, arguments.cluster);
  app.add_option("--partition", arguments.partition, "Of Slurm (default: the cluster's)");
  app.add_option("--slurm-conf", arguments.slurm_conf, "Slurm's settings (default: where Slurm looks)");
  app.add_option("--one-job", arguments.one_job, "Used on Slurm's nodes");
  auto* connect = app.add_option("--connect", arguments.remote.connect,
                                 "Work for the installation at HOST:PORT, its serve --worker-listen");
  auto* key = app.add_option("--key", arguments.remote.key, "This worker's key, made by --new-key");
  auto* gate = app.add_option("--gate", arguments.remote.gate, "The installation's pin, sha256//...");
  connect->needs(key)->needs(gate);
  key->needs(connect);
  gate->needs(connect);
  app.add_option("--new-key", arguments.remote.new_key,
                 "Make a key for a worker in this file, where there is none, print its pin and end");
  app.add_option("--registry", arguments.images.registries,
                 "Run images from this registry, HOST or HOST:PORT (repeat)");
  app.add_option("--registry-auth", arguments.images.credentials,
                 "Names and passwords for registries: a file of `podman login --authfile`");
  app.add_option("--images", arguments.images.folder, "Where images are kept");
  app.add_option("--device", arguments.images.devices,
                 "A device that jobs on this machine may use, or a file of its driver (repeat)");
  glasscase::worker::DeclareSeatOptions(app, arguments.seat);
  app.add_option("--slots", arguments.options.slots, "Jobs at once")->check(CLI::Range(1, 64));
  app.add_option("--memory", most.memory_bytes, "The most that a job may ask for")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--disk", most.disk_bytes, "The same of disk")->transform(CLI::AsSizeValue(false));
  app.add_option("--cpus", most.cpus, "The same of processors (default: all)")->check(CLI::Range(1, 1'024));
  app.add_option("--processes", most.processes, "The same of processes and threads")
      ->check(CLI::Range(1, 65'536));
  app.add_option_function<int64_t>(
         "--wall-s", [&most](int64_t seconds) { most.wall_ms = seconds * 1'000; }, "The same of seconds")
      ->check(CLI::Range(1U, glasscase::training::kWallSecondsMax));
}

// The link to the custodian, which the supervisor sends, makes a worker of this process. Returns when the
// process is to end, which ends all of its jobs.
Status Work(process::EventLoop& loop, std::unique_ptr<working::Worker>& worker,
            const working::Executors& executors, const working::WorkerOptions& options) {
  const auto on_message = [&](process::ReceivedLifelineMessage received) {
    if (received.message.type != Type::kRpcLink || received.fds.size() != 1) return;
    worker.reset();  // its custodian is gone
    worker = std::make_unique<working::Worker>(loop, std::move(received.fds[0]), executors, options, [] {});
  };
  GC_TRY_VOID(process::FollowLifeline(loop, process::kLifelineFd, on_message));
  GC_TRY_VOID(process::SendLifeline(process::kLifelineFd, {.type = Type::kReady}));
  loop.Run();
  if (worker) worker->SayThatItLeaves();
  return glasscase::Ok();
}

// As when they lie in a folder that is closed to the worker's user.
void WarnOfProgram(const std::string& program, const std::string& what) {
  if (::access(program.c_str(), X_OK) == 0) return;
  LogWarning(what + ": this worker cannot start it: " + Error::FromErrno(errno, program).message());
}

// A worker that cannot do the one or the other says so and does what it can.
bool IsThere(const glasscase::jobs::Executor& executor, const std::string& what) {
  const Status there = executor.Check();
  if (!there) LogWarning(what + " cannot be run on this machine: " + there.error().message());
  return there.has_value();
}

bool IsStartedByGlasscased() {
  struct stat facts {};
  return ::fstat(process::kLifelineFd, &facts) == 0 && S_ISSOCK(facts.st_mode);
}

// On a node of Slurm: the job, and no more.
int BeOnNode(const std::string& file) {
  // Root's rights are not given up: who else there is on the node is not known. Workers are not root.
  if (::geteuid() != 0) {
    const auto confined = process::Confine({.makes_sandboxes = true});
    if (!confined) Die("cannot give up rights", confined.error());
  }
  return glasscase::jobs::RunOneJob(file, boost::json::serialize(working::DescribeMachine()),
                                    *glasscase::jobs::MakeBubblewrap({}));
}

std::unique_ptr<glasscase::jobs::Executor> MakeExecutor(const Arguments& arguments,
                                                        const process::CgroupSeat& cgroups) {
  if (arguments.executor != "slurm")
    return glasscase::jobs::MakeBubblewrap({.devices = arguments.images.devices, .cgroups = cgroups});
  std::error_code code;
  glasscase::jobs::SlurmOptions options{
      .on_node = {std::filesystem::read_symlink("/proc/self/exe", code).string(), "--one-job"},
      .partition = arguments.partition};
  if (!arguments.slurm_conf.empty()) options.environment["SLURM_CONF"] = arguments.slurm_conf;
  return glasscase::jobs::MakeSlurm(std::move(options));
}

void SayOfCgroups(const process::CgroupSeat& seat, process::Confinement& confinement) {
  const std::string what = "a cgroup for each job on this machine: ";
  const std::string lacking = process::ControllersText(seat.controllers, false);
  if (seat.controllers.any())
    confinement.in_force.push_back(what + process::ControllersText(seat.controllers, true));
  if (!lacking.empty()) confinement.missing.push_back(what + (seat.missing.empty() ? lacking : seat.missing));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Runs the jobs of a Glasscase installation. Started by glasscased, or by hand on another machine.",
      "glasscase-worker");
  Arguments arguments;
  Declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  InitLog("glasscase-worker");
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  if (!arguments.one_job.empty()) return BeOnNode(arguments.one_job);
  if (!arguments.remote.new_key.empty()) {
    const Status made = glasscase::worker::MakeKey(arguments.remote.new_key);
    if (!made) Die("no key", made.error());
    return 0;
  }
  if (arguments.remote.connect.empty() && !IsStartedByGlasscased()) {
    std::fputs(
        "A worker by hand needs --connect HOST:PORT --key FILE --gate PIN, and runs on another machine; "
        "on the installation's own glasscased starts workers itself (glasscase serve --workers N).\n",
        stderr);
    return 2;
  }
  if (!arguments.remote.connect.empty()) {
    auto kept = glasscase::worker::KeepWorker(arguments.remote, arguments.jobs);
    if (!kept) Die("no worker", kept.error());
    arguments.seat = *std::move(kept);
  }
  const bool by_slurm = arguments.executor == "slurm";
  if (by_slurm && ::geteuid() == 0)
    Die("no jobs by Slurm",
        Error::FailedPrecondition(
            "it would not know the user that workers of root run as: run glasscase serve as "
            "an ordinary user that the cluster knows"));
  const bool by_kubernetes = arguments.executor == "kubernetes";
  const bool runs_images = !arguments.images.registries.empty();
  auto images = glasscase::worker::Images::Read(arguments.images);
  if (!images) Die("no images", images.error());
  auto cluster = by_kubernetes ? glasscase::worker::ReadCluster(arguments.cluster)
                               : glasscase::Result<glasscase::jobs::KubernetesOptions>();
  if (!cluster) Die("no cluster", cluster.error());
  const auto confinement = process::Confine({.network = runs_images || by_slurm || by_kubernetes,
                                             .makes_sandboxes = true,
                                             .user_offset = process::kWorkerUserOffset,
                                             .open_files_max = kOpenFilesMax});
  if (!confinement) Die("cannot give up rights", confinement.error());
  auto folder = glasscase::worker::MakeJobFolder(arguments.jobs);
  if (!folder) Die("no place for jobs", folder.error());
  arguments.options.folder = folder->path;
  arguments.options.confinement = *confinement;
  arguments.options.confinement.in_force.emplace_back("each job in a sandbox of its own");
  arguments.options.translator = ProgramCalled(glasscase::translating::kProgram);
  arguments.options.comparer = ProgramCalled("glasscase-comparer");
  WarnOfProgram(arguments.options.translator, "nothing can be translated");
  WarnOfProgram(arguments.options.comparer, "nothing can be verified, and predictions are not kept");
  arguments.options.runners_run_here = !by_slurm;
  arguments.options.devices = arguments.images.devices;
  const process::CgroupSeat cgroups = glasscase::worker::TakeSeatOf(arguments.seat);
  SayOfCgroups(cgroups, arguments.options.confinement);
  const auto executor = MakeExecutor(arguments, cgroups);
  IsThere(*executor, "jobs");
  std::unique_ptr<glasscase::jobs::Executor> of_images;
  if (by_kubernetes) {
    cluster->folder = arguments.jobs;
    cluster->registries = arguments.images.registries;
    of_images = glasscase::jobs::MakeKubernetes(*std::move(cluster));
    IsThere(*of_images, "images");
    // A cluster that is away now may be there when a job comes.
    arguments.options.registries = arguments.images.registries;
  } else if (runs_images) {
    auto podman = std::move(*images).Settle(folder->path);
    if (!podman) Die("no images", podman.error());
    podman->cgroups = cgroups;
    of_images = glasscase::jobs::MakePodman(*podman);
    if (IsThere(*of_images, "images")) arguments.options.registries = arguments.images.registries;
  }

  process::EventLoop loop;
  std::unique_ptr<working::Worker> worker;
  const Status worked =
      Work(loop, worker, {.of_runners = *executor, .of_images = of_images.get()}, arguments.options);
  if (!worked) Die("no worker", worked.error());
  const Status removed = working::RemoveFolder(folder->path);
  if (!removed) LogWarning(removed.error().message());
  ::_exit(0);
}
