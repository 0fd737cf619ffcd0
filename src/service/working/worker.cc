#include <glasscase/working/machine.h>
#include <glasscase/working/worker.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include <glasscase/core/log.h>

#include "job_thread.h"

namespace glasscase::working {
namespace {

constexpr std::chrono::milliseconds kLeaveTime{500};

}  // namespace

Worker::Worker(process::EventLoop& loop, Fd link, Executors executors, WorkerOptions options,
               std::function<void()> on_lost)
    : loop_(loop),
      link_(std::move(link), {}),
      executors_(executors),
      options_(std::move(options)),
      on_lost_(std::move(on_lost)) {
  loop_.Add(link_.fd(), EPOLLIN, [this](uint32_t events) { OnReady(events); });
  SayHello();
}

Worker::~Worker() {
  if (!lost_) loop_.Remove(link_.fd());
}

void Worker::SayHello() {
  rpc::ToCustodian process;
  process.mutable_hello()->set_pid(static_cast<uint32_t>(::getpid()));
  for (const std::string& one : options_.confinement.in_force) process.mutable_hello()->add_in_force(one);
  for (const std::string& one : options_.confinement.missing) process.mutable_hello()->add_missing(one);
  Say(process);
  rpc::ToCustodian message;
  rpc::WorkerHello& hello = *message.mutable_worker_hello();
  hello.set_name(options_.name);
  hello.set_slots(options_.slots);
  hello.set_executor(std::string(executors_.of_runners.name()));
  for (const std::string& one : options_.registries) hello.add_registries(one);
  for (const InstalledRunner& runner : ListRunners(options_.runners)) {
    const Status fits = options_.runners_run_here ? CheckSystem(options_.runners + "/" + runner.name) : Ok();
    if (!fits) {
      LogWarning(fits.error().message());
      continue;
    }
    rpc::Runner& row = *hello.add_runners();
    row.set_name(runner.name);
    row.set_lock(std::string(AsText(runner.lock)));
  }
  hello.set_memory_bytes(options_.most.memory_bytes);
  hello.set_disk_bytes(options_.most.disk_bytes);
  hello.set_cpus(options_.most.cpus);
  hello.set_wall_s(static_cast<uint32_t>(options_.most.wall_ms / 1000));
  hello.set_processes(options_.most.processes);
  Say(message);
}

void Worker::SayThatItLeaves() {
  rpc::ToCustodian message;
  message.mutable_worker_leaves();
  Say(message);
  // The loop has ended: behind a log that is long nobody else would send it.
  const auto give_up = std::chrono::steady_clock::now() + kLeaveTime;
  while (link_.wants_write() && std::chrono::steady_clock::now() < give_up) {
    pollfd waiting{.fd = link_.fd(), .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, kLeaveTime.count()) <= 0 || !link_.Flush()) return;
  }
}

void Worker::OnReady(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (const Status flushed = link_.Flush(); !flushed) return Lose(flushed.error());
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const Status received = link_.Receive([this](process::Frame frame) { OnFrame(std::move(frame)); });
    if (!received) return Lose(received.error());
  }
  if (link_.wants_write() != watching_writable_) {
    watching_writable_ = link_.wants_write();
    loop_.Modify(link_.fd(), watching_writable_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

void Worker::Lose(const Error& why) {
  if (lost_) return;
  lost_ = true;
  LogWarning("the custodian is gone: " + why.message());
  loop_.Remove(link_.fd());
  // One that is there, and with which this link alone broke, hears of it and has another worker started.
  ::shutdown(link_.fd(), SHUT_RDWR);
  for (auto& [run, job] : jobs_) job->Cancel();
  on_lost_();
}

void Worker::Say(const rpc::ToCustodian& message, std::vector<Fd> fds) {
  if (lost_) return;
  const Status sent = link_.Send(message.SerializeAsString(), std::move(fds));
  if (!sent) return Lose(sent.error());
  if (link_.wants_write() && !watching_writable_) {
    watching_writable_ = true;
    loop_.Modify(link_.fd(), EPOLLIN | EPOLLOUT);
  }
}

void Worker::OnFrame(process::Frame frame) {
  rpc::FromCustodian message;
  if (!message.ParseFromString(frame.payload)) return LogWarning("the custodian sent what cannot be read");
  switch (message.message_case()) {
    case rpc::FromCustodian::kJobInputs: return TakeInputs(message.job_inputs(), std::move(frame.fds));
    case rpc::FromCustodian::kRunJob: return Run(message.run_job());
    case rpc::FromCustodian::kCancelJob: {
      const auto job = jobs_.find(message.cancel_job().run());
      if (job == jobs_.end()) return;
      if (job->second->has_started()) return job->second->Cancel();
      jobs_.erase(job);
      return;
    }
    default: return;  // of no concern to a worker
  }
}

void Worker::TakeInputs(const rpc::JobInputs& inputs, std::vector<Fd> fds) {
  auto& job = jobs_[inputs.run()];
  if (!job) {
    job = std::make_unique<JobThread>(
        JobThread::Place{.loop = loop_,
                         .executors = executors_,
                         .options = options_,
                         .say = [this](const rpc::ToCustodian& message,
                                       std::vector<Fd> files) { Say(message, std::move(files)); },
                         .ended = [this, run = inputs.run()] { End(run); }},
        inputs.run());
  }
  if (job->has_started() || fds.size() != static_cast<size_t>(inputs.files_size()))
    return LogWarning("the custodian sent inputs that belong to no job");
  for (int i = 0; i < inputs.files_size(); ++i) {
    const rpc::JobFile& file = inputs.files(i);
    JobInput input{.path = file.path(), .file = std::move(fds[static_cast<size_t>(i)])};
    if (file.sha256().size() == input.sha256.size())
      std::copy(file.sha256().begin(), file.sha256().end(), input.sha256.begin());
    job->Add(std::move(input));
  }
}

void Worker::Run(const rpc::RunJob& job) {
  const auto found = jobs_.find(job.run());
  if (found == jobs_.end() || found->second->has_started())
    return LogWarning("the custodian starts a job whose inputs it did not send");
  found->second->Start(job);
}

void Worker::End(const std::string& run) { jobs_.erase(run); }

}  // namespace glasscase::working
