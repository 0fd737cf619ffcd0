// The threads: who leads, what runs next, and the runs themselves.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "dispatcher.h"

namespace glasscase::hosting {
namespace {

constexpr size_t kWorkersMax = 64;
// A run out of memory with larger inputs is its caller's doing, not the model's fault.
constexpr size_t kFaultInputBytesMax = size_t{1} << 20;

}  // namespace

void Dispatcher::SpawnWorker() {
  Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.incoming = TakeFromPool();
  worker.thread = std::thread([this, &worker] { Work(worker); });
}

void Dispatcher::Work(Worker& me) {
  Lock lock(mutex_);
  while (!stopping_) {
    if (leader_ == nullptr) {
      leader_ = &me;
      Lead(me, lock);
      continue;
    }
    if (const Choice choice = Choose(/*only_long=*/true); choice.version) {
      RunBatch(me, choice, lock);
      continue;
    }
    ++idle_followers_;
    followers_.wait(lock);
    --idle_followers_;
  }
}

// Returns when somebody else leads, or shall.
void Dispatcher::Lead(Worker& me, Lock& lock) {
  ports_changed_ = true;
  while (leader_ == &me && !stopping_) {
    if (std::exchange(ports_changed_, false)) {
      me.ports.clear();
      for (const auto& [slot, port] : ports_) me.ports.push_back(port);
    }
    lock.unlock();
    const size_t received = ReceiveRound(me);
    lock.lock();
    const Choice choice = Choose(/*only_long=*/false);
    if (!choice.version) {
      if (received == 0 && !stopping_ && !ports_changed_) Sleep(me, lock);
      continue;
    }
    if (choice.kind == Kind::kLong) HandOverLead(lock);
    RunBatch(me, choice, lock);
  }
  me.ports.clear();
}

void Dispatcher::HandOverLead(Lock&) {
  leader_ = nullptr;
  if (idle_followers_ > 0) {
    followers_.notify_one();
  } else if (workers_.size() < kWorkersMax) {
    SpawnWorker();
  }
}

void Dispatcher::WakeLeader() {
  if (!std::exchange(leader_asleep_, false)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void Dispatcher::Sleep(Worker& me, Lock& lock) {
  leader_asleep_ = true;
  lock.unlock();
  std::array<pollfd, 16> polled;
  size_t count = 0;
  polled[count++] = {.fd = wake_.get(), .events = POLLIN, .revents = 0};
  bool may_sleep = true;
  size_t prepared = 0;
  for (const std::shared_ptr<CallPort>& port : me.ports) {
    if (port->broken() || count == polled.size()) continue;
    may_sleep = port->PrepareToSleep();
    if (!may_sleep) break;
    polled[count++] = {.fd = port->wake_fd(), .events = POLLIN, .revents = 0};
    ++prepared;
  }
  if (may_sleep) ::poll(polled.data(), count, -1);
  for (const std::shared_ptr<CallPort>& port : me.ports) {
    if (port->broken() || prepared == 0) continue;
    port->Awake();
    --prepared;
  }
  lock.lock();
  if (!std::exchange(leader_asleep_, false)) {  // somebody wrote
    uint64_t count_read = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count_read, sizeof count_read);
  }
}

uint32_t Dispatcher::InstancesMax(const Version& version) const {
  return version.rows_independent ? 1 : std::max(options_.threads, 1U);
}

bool Dispatcher::IsShort(const Version& version) const {
  const int64_t rows = version.rows_independent ? std::min(version.queued_rows, options_.batch_rows_max) : 1;
  const std::optional<int64_t> expected = version.times.Expect(rows);
  return expected && *expected < options_.short_run_ns;
}

// Round robin over the versions with a queue. More long runs at once than there are threads for them would
// only slow each other, but one runaway version must not keep the others out: it never has more than
// `threads` of the places.
Dispatcher::Choice Dispatcher::Choose(bool only_long) {
  const uint32_t long_runs_max = std::max(4U, 2 * options_.threads);
  for (size_t i = 0; i < waiting_.size(); ++i) {
    std::shared_ptr<Version> version = std::move(waiting_.front());
    waiting_.pop_front();
    if (version->queue.empty()) {
      version->is_waiting = false;
      --i;
      continue;
    }
    const bool is_ready =
        version->state == Version::State::kReady && version->running < InstancesMax(*version);
    const Kind kind = is_ready && IsShort(*version) ? Kind::kShort : Kind::kLong;
    const bool takes = is_ready && (kind == Kind::kShort ? !only_long : long_runs_ < long_runs_max);
    waiting_.push_back(version);
    if (takes) return {std::move(version), kind};
  }
  return {};
}

void Dispatcher::Unqueue(Version& version, const PendingCall& call) {
  version.queued_rows -= call.rows.value_or(1);
  --waiting_calls_;
  waiting_bytes_ -= call.record.size();
}

// Into me.batch what shares the next run, into me.late what came too late for any.
void Dispatcher::TakeBatch(Version& version, Worker& me) {
  const int64_t now_ns = clock_.MonotonicNanos();
  std::deque<std::unique_ptr<PendingCall>>& queue = version.queue;
  int64_t rows = 0;
  size_t bytes = 0;
  size_t kept = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    PendingCall& call = *queue[i];
    if (call.deadline_ns <= now_ns) {
      Unqueue(version, call);
      me.late.push_back(std::move(queue[i]));
      continue;
    }
    const bool takes = me.batch.empty() || (version.rows_independent && me.batch[0]->rows && call.rows &&
                                            rows + *call.rows <= options_.batch_rows_max &&
                                            bytes + call.record.size() <= options_.batch_bytes_max &&
                                            inference::MayShareRun(me.batch[0]->request(), call.request()));
    if (takes) {
      rows += call.rows.value_or(1);
      bytes += call.record.size();
      Unqueue(version, call);
      me.batch.push_back(std::move(queue[i]));
    } else {
      if (kept != i) queue[kept] = std::move(queue[i]);
      ++kept;
      if (!version.rows_independent) {  // the rest stays as it is
        for (size_t k = i + 1; k < queue.size(); ++k, ++kept) queue[kept] = std::move(queue[k]);
        break;
      }
    }
  }
  queue.resize(kept);
}

// The run's runner, made or reused; its times and deadline are published for the tick.
Result<std::unique_ptr<inference::Runner>> Dispatcher::BeginRun(Worker& me, Version& version,
                                                                LoadedVersion& loaded, Kind kind) {
  std::unique_ptr<inference::Runner> runner;
  if (loaded.free_runners.empty()) {
    GC_TRY(runner, loaded.model->NewRunner());
  } else {
    runner = std::move(loaded.free_runners.back());
    loaded.free_runners.pop_back();
  }
  int64_t deadline_ns = 0;
  for (const auto& call : me.batch) deadline_ns = std::max(deadline_ns, call->deadline_ns);
  me.run = {.active = true,
            .in_lead = kind == Kind::kShort,
            .started_ns = clock_.MonotonicNanos(),
            .deadline_ns = deadline_ns,
            .version = version.id,
            .runner = runner.get()};
  return runner;
}

void Dispatcher::RunBatch(Worker& me, const Choice& choice, Lock& lock) {
  Version& version = *choice.version;
  const std::shared_ptr<LoadedVersion> loaded = version.loaded;
  TakeBatch(version, me);
  if (me.batch.empty() && me.late.empty()) return;
  int64_t rows = 0;
  for (const auto& call : me.batch) rows += call->rows.value_or(1);
  ++version.running;
  if (choice.kind == Kind::kLong) ++long_runs_;
  Result<std::unique_ptr<inference::Runner>> runner = nullptr;
  if (!me.batch.empty()) runner = BeginRun(me, version, *loaded, choice.kind);
  lock.unlock();

  FailAll(me.late, {.code = Code::kDeadlineExceeded,
                    .reason = access::Reason::kAllowedByGrant,
                    .message = "the call waited longer than its deadline"});
  const RunOutcome outcome = Execute(me, version, runner);

  lock.lock();
  me.run.active = false;
  --version.running;
  if (choice.kind == Kind::kLong) --long_runs_;
  if (outcome.nanos > 0) version.times.Add(rows, outcome.nanos);
  if (outcome.not_independent) version.rows_independent = false;
  if (runner && *runner) loaded->free_runners.push_back(std::move(*runner));
  for (auto& call : me.batch) ReturnToPool(std::move(call));
  me.batch.clear();
  if (!version.queue.empty()) WakeLeader();
}

// Runs me.batch and answers all of it.
Dispatcher::RunOutcome Dispatcher::Execute(Worker& me, const Version& version,
                                           Result<std::unique_ptr<inference::Runner>>& runner) {
  RunOutcome outcome;
  if (me.batch.empty()) return outcome;
  if (!runner) {
    for (const auto& call : me.batch) AnswerError(*call, runner.error());
  } else {
    for (const auto& call : me.batch) me.requests.push_back(call->request());
    const int64_t started_ns = clock_.MonotonicNanos();
    const Status status = me.batcher.Run(**runner, me.requests);
    if (status) {
      outcome.nanos = clock_.MonotonicNanos() - started_ns;
      for (size_t i = 0; i < me.batch.size(); ++i)
        AnswerCall(me, *me.batch[i], version, me.batcher.outputs(i));
    } else {
      outcome.not_independent = me.batch.size() > 1 && status.error().code() == Code::kInternal;
      RunOneByOne(me, version, **runner, status);
    }
    me.requests.clear();
  }
  const CallPort* woken = nullptr;
  for (const auto& call : me.batch) {
    if (std::exchange(woken, call->port.get()) != call->port.get()) call->port->Wake();
  }
  return outcome;
}

// The names are the version's: FinishLoad made sure that the engine has the same.
void Dispatcher::AnswerCall(Worker& me, const PendingCall& call, const Version& version,
                            std::span<const inference::OutputView> outputs) {
  rpc::AnswerView& answer = me.answer;
  answer.id = call.view.id;
  answer.version = version.id;
  answer.has_quota = call.quota.has_quota;
  answer.quota = call.quota.quota;
  answer.quota_state = call.quota.answer;
  answer.outputs.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    answer.outputs[i] = {.name = version.outputs[call.wanted[i]].name,
                         .datatype = outputs[i].datatype,
                         .rank = outputs[i].rank,
                         .dimensions = outputs[i].dimensions,
                         .data = outputs[i].data};
  }
  call.port->Answer(answer);
}

void Dispatcher::AnswerError(const PendingCall& call, const Error& error) {
  rpc::AnswerView answer;
  answer.id = call.view.id;
  answer.code = static_cast<uint32_t>(error.code());
  answer.message = error.message();
  answer.version = call.version;
  answer.has_quota = call.quota.has_quota;
  answer.quota = call.quota.quota;
  answer.quota_state = call.quota.answer;
  call.port->Answer(answer);
}

// A batch failed: whose fault it was shows when each call runs alone. Answers all.
void Dispatcher::RunOneByOne(Worker& me, const Version& version, inference::Runner& runner,
                             const Status& failure) {
  for (size_t i = 0; i < me.batch.size(); ++i) {
    const PendingCall& call = *me.batch[i];
    Status own = failure;
    if (me.batch.size() > 1) {
      own = clock_.MonotonicNanos() < call.deadline_ns
                ? me.batcher.Run(runner, std::span(me.requests).subspan(i, 1))
                : Fail(Error::DeadlineExceeded("the model did not finish in time"));
    }
    if (own) {
      AnswerCall(me, call, version, me.batcher.outputs(0));
      continue;
    }
    AnswerError(call, own.error());
    if (own.error().code() == Code::kResourceExhausted && call.record.size() <= kFaultInputBytesMax) {
      hooks_.ran_out_of_memory(version.id, own.error().message());
    }
  }
}

}  // namespace glasscase::hosting
