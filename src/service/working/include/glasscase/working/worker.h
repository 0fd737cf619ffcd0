// Takes jobs from the custodian and runs them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/jobs/executor.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::working {

struct WorkerOptions {
  std::string name;
  std::string folder;                     // for the jobs' files; nobody else writes there
  std::string runners;                    // a folder for each, with its lock file requirements.txt
  std::string translator{};               // the program that translates natively
  std::string comparer{};                 // the program that looks into results
  bool runners_run_here = true;           // no: on other machines, which have a /usr of their own
  std::vector<std::string> devices{};     // of this machine that jobs may use
  std::vector<std::string> registries{};  // "host:port" that images come from; empty: it runs none
  uint32_t slots = 1;                     // jobs at once
  jobs::Limits most{};                    // that a job may ask for
  process::Confinement confinement{};     // of this process, for `glasscase status`
};

// What runs the jobs of this worker.
struct Executors {
  jobs::Executor& of_runners;
  jobs::Executor* of_images = nullptr;  // where there are registries
};

class JobThread;

// One thread: the loop's. The executors outlive it.
class Worker {
 public:
  // Says hello. `on_lost` is called when the custodian is gone: every job is cancelled then.
  Worker(process::EventLoop& loop, Fd link, Executors executors, WorkerOptions options,
         std::function<void()> on_lost);
  // Cancels what runs and waits for it.
  ~Worker();

  // Before the process ends because it was told to.
  void SayThatItLeaves();

 private:
  void OnReady(uint32_t events);
  void OnFrame(process::Frame frame);
  void TakeInputs(const rpc::JobInputs& inputs, std::vector<Fd> fds);
  void Run(const rpc::RunJob& job);
  void Say(const rpc::ToCustodian& message, std::vector<Fd> fds = {});
  void SayHello();
  void End(const std::string& run);
  void Lose(const Error& why);

  process::EventLoop& loop_;
  process::FrameSocket link_;
  const Executors executors_;
  const WorkerOptions options_;
  std::function<void()> on_lost_;
  bool lost_ = false;
  bool watching_writable_ = false;
  std::map<std::string, std::unique_ptr<JobThread>> jobs_;  // by the bytes of the run's id
};

}  // namespace glasscase::working
