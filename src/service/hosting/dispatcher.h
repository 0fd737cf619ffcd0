// Calls in, answers out: receives from the call ports, decides through the gate, queues per version, runs in
// batches.
//
// Threads take turns (leader and followers). The leader alone waits on the ports; it decides every call
// itself and also runs the batches that are short, so that a quick model costs no hand-over between threads.
// Before a run that will be long it hands the lead to another thread, and the control thread's tick does the
// same when a run turned out to be long: a slow model delays no decision, no table update and no other model.
//
// A version's waiting calls are taken all at once as soon as it may run: batches grow with the load, and an
// idle host adds no delay.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <glasscase/core/clock.h>
#include <glasscase/core/ids.h>
#include <glasscase/inference/engine.h>
#include <glasscase/process/fd.h>

#include "call_port.h"
#include "gate.h"
#include "work.h"

namespace glasscase::hosting {

struct DispatcherOptions {
  uint32_t threads = 1;                       // runs at once that keep their threads busy
  uint64_t memory_bytes = uint64_t{2} << 30;  // of the process; models get three quarters of it
  int64_t call_deadline_ns = 10'000'000'000;  // no call runs longer, whatever the edge says
  int64_t hard_grace_ns = 2'000'000'000;      // after it a run that does not end is a fault
  int64_t load_max_ns = 120'000'000'000;      // of loading a model, likewise
  size_t version_calls_max = 1024;            // waiting for one version
  size_t calls_max = 8192;                    // waiting in all
  size_t call_bytes_max = size_t{256} << 20;  // of all waiting
  int64_t batch_rows_max = 1024;
  size_t batch_bytes_max = size_t{8} << 20;  // a single call may be larger
  int64_t short_run_ns = 200'000;            // the leader runs what is expected to be shorter
  int64_t long_run_ns = 5'000'000;           // after it the lead is taken from a leader inside a run
};

// Costs the process its life.
struct Fault {
  Uuid version;
  std::string reason;
};

class Dispatcher {
 public:
  // Called with no lock held, from any thread.
  struct Hooks {
    std::function<void(const Uuid& version)> need_model;
    std::function<void()> became_busy;  // Tick is needed from now on
    std::function<void(const Uuid& version, std::string reason)> ran_out_of_memory;
  };

  // `gate` and `clock` outlive it.
  Dispatcher(const DispatcherOptions& options, Gate& gate, const Clock& clock, Hooks hooks);
  ~Dispatcher();
  void Start();
  void Stop();  // waits for runs under way

  // ---- the control thread ----
  void SetPort(uint32_t slot, std::shared_ptr<CallPort> port);  // replaces that of the slot
  void Drain();                                                 // new calls are refused from now on
  bool IsIdle();
  std::vector<Uuid> WantedModels();  // asked for and not come yet
  struct LoadOrder {
    Digest manifest_digest{};
    uint64_t bytes_max = 0;
  };
  // Makes room for a version whose files came, unloading those unused longest. Nothing when nobody wants it
  // any more or when it can never fit, which its callers are told.
  std::optional<LoadOrder> BeginLoad(const Uuid& version);
  // Any thread.
  void FinishLoad(const Uuid& version, Result<std::unique_ptr<inference::LoadedModel>> model);
  // Unloads what may no longer be called.
  void DropUncallable();
  // Every 10 ms while busy: ends what is too late, moves the lead on. False in `*busy` when nothing waits or
  // runs.
  std::optional<Fault> Tick(bool* busy);
  std::string Note();  // "2 models loaded, 1.2 MiB: ana/digits@1, …"

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Version = HostedVersion;

  // A thread and what it keeps from run to run. `run` is guarded by mutex_, the rest is its own.
  struct Worker {
    std::thread thread;
    struct Run {
      bool active = false;
      bool in_lead = false;
      int64_t started_ns = 0;
      int64_t deadline_ns = 0;
      Uuid version;
      inference::Runner* runner = nullptr;
    } run;
    std::unique_ptr<PendingCall> incoming;
    std::vector<std::unique_ptr<PendingCall>> batch;
    std::vector<std::unique_ptr<PendingCall>> late;
    std::vector<inference::RunRequest> requests;
    inference::Batcher batcher;
    rpc::AnswerView answer;
    std::vector<std::shared_ptr<CallPort>> ports;
  };

  // receiving (dispatcher_receive.cc)
  size_t ReceiveRound(Worker& me);
  void Receive(Worker& me, const std::shared_ptr<CallPort>& port);
  std::optional<Refusal> Admit(Worker& me, QuotaState& quota, Uuid& wanted_model);
  std::optional<Refusal> Enqueue(Worker& me, Gate::Question& question, QuotaState& quota, Uuid& wanted_model);
  std::optional<Refusal> CheckRoom(const Version& version, size_t bytes) const;
  std::shared_ptr<Version> FindOrAdd(const Gate::Question& question);
  static void Refuse(PendingCall& call, const Refusal& refusal, const QuotaState& quota);
  std::unique_ptr<PendingCall> TakeFromPool();
  void ReturnToPool(std::unique_ptr<PendingCall> call);
  void FailAll(std::vector<std::unique_ptr<PendingCall>>& calls, const Refusal& refusal);

  // running (dispatcher_run.cc)
  void Work(Worker& me);
  void Lead(Worker& me, Lock& lock);
  void Sleep(Worker& me, Lock& lock);
  void HandOverLead(Lock& lock);
  void WakeLeader();
  void SpawnWorker();
  enum class Kind { kShort, kLong };
  struct Choice {
    std::shared_ptr<Version> version;
    Kind kind = Kind::kShort;
  };
  Choice Choose(bool only_long);
  bool IsShort(const Version& version) const;
  uint32_t InstancesMax(const Version& version) const;
  void TakeBatch(Version& version, Worker& me);
  void RunBatch(Worker& me, const Choice& choice, Lock& lock);
  Result<std::unique_ptr<inference::Runner>> BeginRun(Worker& me, Version& version, LoadedVersion& loaded,
                                                      Kind kind);
  struct RunOutcome {
    int64_t nanos = 0;             // of a run that succeeded
    bool not_independent = false;  // a batch showed it
  };
  RunOutcome Execute(Worker& me, const Version& version, Result<std::unique_ptr<inference::Runner>>& runner);
  void RunOneByOne(Worker& me, const Version& version, inference::Runner& runner, const Status& failure);
  static void AnswerCall(Worker& me, const PendingCall& call, const Version& version,
                         std::span<const inference::OutputView> outputs);
  static void AnswerError(const PendingCall& call, const Error& error);
  void Unqueue(Version& version, const PendingCall& call);

  // models and time (dispatcher_models.cc)
  using Graveyard = std::vector<std::shared_ptr<LoadedVersion>>;
  void Unload(Version& version, Graveyard& graveyard);
  bool MakeRoom(uint64_t bytes, const Version& keep, Graveyard& graveyard);
  void TakeQueue(Version& version, std::vector<std::unique_ptr<PendingCall>>& calls);
  void TakeLate(int64_t now_ns, std::vector<std::unique_ptr<PendingCall>>& late,
                std::vector<std::unique_ptr<PendingCall>>& unloaded);
  std::optional<Fault> CheckRuns(int64_t now_ns, Lock& lock);
  bool IsBusy() const;

  const DispatcherOptions options_;
  Gate& gate_;
  const Clock& clock_;
  const Hooks hooks_;
  Fd wake_;  // eventfd: the leader shall look again

  // Guards all below. Taken before the gate's mutex, never while holding it.
  std::mutex mutex_;
  std::condition_variable followers_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Worker* leader_ = nullptr;
  bool leader_asleep_ = false;
  uint32_t idle_followers_ = 0;
  uint32_t long_runs_ = 0;
  bool stopping_ = false;
  bool draining_ = false;
  bool tick_wanted_ = false;

  boost::unordered_flat_map<uint32_t, std::shared_ptr<CallPort>> ports_;
  bool ports_changed_ = false;
  boost::unordered_flat_map<Uuid, std::shared_ptr<Version>, UuidHash> versions_;
  std::deque<std::shared_ptr<Version>> waiting_;  // with a queue; the next to run in front
  size_t waiting_calls_ = 0;
  size_t waiting_bytes_ = 0;
  uint64_t memory_used_ = 0;
  std::vector<std::unique_ptr<PendingCall>> pool_;
};

}  // namespace glasscase::hosting
