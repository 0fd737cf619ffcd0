// For tests: a worker at the other end of a real link, that does what it is told to, or what it must not.
#pragma once

#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/core/ids.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::operations::testing {

class FakeWorker {
 public:
  FakeWorker(process::EventLoop& loop, Fd socket) : loop_(loop), socket_(std::move(socket), {}) {
    loop_.Add(socket_.fd(), EPOLLIN, [this](uint32_t) { OnReadable(); });
  }
  ~FakeWorker() {
    if (!cut_off) loop_.Remove(socket_.fd());
  }

  void Hello(uint32_t slots) {
    rpc::ToCustodian message;
    rpc::WorkerHello& hello = *message.mutable_worker_hello();
    hello.set_name("one");
    hello.set_slots(slots);
    hello.set_memory_bytes(memory_bytes);
    hello.set_disk_bytes(uint64_t{8} << 30);
    hello.set_cpus(4);
    hello.set_wall_s(36'000);
    hello.set_processes(256);
    rpc::Runner& runner = *hello.add_runners();
    runner.set_name("plain");
    runner.set_lock(std::string(AsText(Sha256(AsBytes("none")))));
    Send(message);
  }
  void Runs(const std::string& run) {
    rpc::ToCustodian message;
    message.mutable_job_runs()->set_run(run);
    Send(message);
  }
  using Announced = std::pair<std::string, uint64_t>;  // path, bytes
  void Give(const std::string& run, const std::vector<Announced>& files, std::vector<Fd> fds) {
    rpc::ToCustodian message;
    message.mutable_job_results()->set_run(run);
    for (const auto& [path, bytes] : files) {
      rpc::JobFile& file = *message.mutable_job_results()->add_files();
      file.set_path(path);
      file.set_bytes(bytes);
    }
    Send(message, std::move(fds));
  }
  void End(const std::string& run, rpc::JobEnded::Ending ending, const std::string& reason = "",
           const std::string& record = "{}") {
    rpc::ToCustodian message;
    message.mutable_job_ended()->set_run(run);
    message.mutable_job_ended()->set_ending(ending);
    message.mutable_job_ended()->set_reason(reason);
    message.mutable_job_ended()->set_record(record);
    Send(message);
  }
  void Succeed(const std::string& run) {
    std::vector<Fd> fds;
    fds.push_back(FileWith("weights of " + std::to_string(begun.size())));
    const auto bytes = static_cast<uint64_t>(::lseek(fds[0].get(), 0, SEEK_END));
    Give(run, {{"model.bin", bytes}}, std::move(fds));
    End(run, rpc::JobEnded::SUCCEEDED);
  }
  void Send(const rpc::ToCustodian& message, std::vector<Fd> fds = {}) {
    (void)socket_.Send(message.SerializeAsString(), std::move(fds));
  }

  void SendRaw(std::string_view bytes) { (void)socket_.Send(bytes); }

  static Fd FileWith(const std::string& bytes) {
    Fd file(::memfd_create("result", MFD_CLOEXEC));
    (void)!::write(file.get(), bytes.data(), bytes.size());
    return file;
  }

  uint64_t memory_bytes = uint64_t{8} << 30;  // that it gives
  std::vector<std::string> begun;             // runs, in the order in which they came
  std::vector<std::string> cancelled;
  std::map<std::string, std::vector<std::string>> inputs;  // paths, by run
  bool fails_at_once = false;
  bool succeeds_at_once = false;
  bool cut_off = false;

 private:
  void OnReadable() {
    const Status status = socket_.Receive([this](process::Frame frame) { OnFrame(std::move(frame)); });
    if (status || cut_off) return;
    cut_off = true;
    loop_.Remove(socket_.fd());
  }
  void OnFrame(process::Frame frame) {
    rpc::FromCustodian message;
    if (!message.ParseFromString(frame.payload)) return;
    for (const rpc::JobFile& file : message.job_inputs().files())
      inputs[message.job_inputs().run()].push_back(file.path());
    if (message.has_cancel_job()) cancelled.push_back(message.cancel_job().run());
    if (!message.has_run_job()) return;
    begun.push_back(message.run_job().run());
    if (fails_at_once) End(begun.back(), rpc::JobEnded::NOT_RUN, "no sandbox can be made");
    if (succeeds_at_once) Succeed(begun.back());
  }

  process::EventLoop& loop_;
  process::FrameSocket socket_;
};

}  // namespace glasscase::operations::testing
