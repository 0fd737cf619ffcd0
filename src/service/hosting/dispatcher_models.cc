// Which versions are loaded, and what time does to runs and queues. The control thread's half.
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include <glasscase/core/log.h>

#include "dispatcher.h"

namespace glasscase::hosting {
namespace {

constexpr int64_t kRetryLoadNs = 5'000'000'000;
constexpr uint64_t kSessionBytes = uint64_t{1} << 20;  // what a session takes beside its weights

// While loading: our copy, the parsed graph, the session's weights.
uint64_t LoadBytes(const HostedVersion& version) { return 3 * version.weights_bytes + kSessionBytes; }

std::string Mebibytes(uint64_t bytes) {
  const uint64_t tenths = bytes * 10 / (uint64_t{1} << 20);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

bool SameNames(const std::vector<TensorSpec>& a, const std::vector<TensorSpec>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TensorSpec& x, const TensorSpec& y) {
    return x.name == y.name && x.datatype == y.datatype;
  });
}

}  // namespace

Dispatcher::Dispatcher(const DispatcherOptions& options, Gate& gate, const Clock& clock, Hooks hooks)
    : options_(options),
      gate_(gate),
      clock_(clock),
      hooks_(std::move(hooks)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  GC_CHECK(wake_.valid());
}

Dispatcher::~Dispatcher() { Stop(); }

void Dispatcher::Start() {
  const Lock lock(mutex_);
  SpawnWorker();
  SpawnWorker();
}

void Dispatcher::Stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    followers_.notify_all();
    WakeLeader();
  }
  for (size_t i = 0;; ++i) {
    std::thread thread;
    {
      const Lock lock(mutex_);
      if (i == workers_.size()) return;
      thread = std::move(workers_[i]->thread);
    }
    if (thread.joinable()) thread.join();
  }
}

void Dispatcher::SetPort(uint32_t slot, std::shared_ptr<CallPort> port) {
  const Lock lock(mutex_);
  ports_[slot] = std::move(port);
  ports_changed_ = true;
  WakeLeader();
}

void Dispatcher::Drain() {
  const Lock lock(mutex_);
  draining_ = true;
}

bool Dispatcher::IsBusy() const {
  return waiting_calls_ > 0 ||
         std::any_of(workers_.begin(), workers_.end(), [](const auto& w) { return w->run.active; });
}

bool Dispatcher::IsIdle() {
  const Lock lock(mutex_);
  return !IsBusy();
}

std::vector<Uuid> Dispatcher::WantedModels() {
  const Lock lock(mutex_);
  std::vector<Uuid> wanted;
  for (const auto& [id, version] : versions_) {
    if (version->state == Version::State::kWanted) wanted.push_back(id);
  }
  return wanted;
}

void Dispatcher::Unload(Version& version, Graveyard& graveyard) {
  if (version.loaded) graveyard.push_back(std::move(version.loaded));
  version.loaded.reset();
  memory_used_ -= std::exchange(version.memory_bytes, 0);
  version.state = Version::State::kCold;
}

// False when even an otherwise empty host has too little.
bool Dispatcher::MakeRoom(uint64_t bytes, const Version& keep, Graveyard& graveyard) {
  const uint64_t budget = options_.memory_bytes / 4 * 3;
  while (memory_used_ + bytes > budget) {
    Version* oldest = nullptr;
    for (const auto& [id, version] : versions_) {
      if (version->state != Version::State::kReady || version.get() == &keep) continue;
      // Those with calls waiting last: they would come back at once.
      const auto age = [](const Version& v) { return std::pair(!v.queue.empty(), v.last_used_ns); };
      if (oldest == nullptr || age(*version) < age(*oldest)) oldest = version.get();
    }
    if (oldest == nullptr) return false;
    Unload(*oldest, graveyard);
    if (!oldest->queue.empty()) oldest->state = Version::State::kWanted;
  }
  return true;
}

std::optional<Dispatcher::LoadOrder> Dispatcher::BeginLoad(const Uuid& id) {
  Graveyard graveyard;  // destroyed after the lock
  std::vector<Uuid> wanted_again;
  std::vector<std::unique_ptr<PendingCall>> refused;
  std::optional<LoadOrder> order;
  {
    const Lock lock(mutex_);
    const auto found = versions_.find(id);
    if (found == versions_.end() || found->second->state != Version::State::kWanted) return std::nullopt;
    Version& version = *found->second;
    const uint64_t bytes = LoadBytes(version);
    if (MakeRoom(bytes, version, graveyard)) {
      version.state = Version::State::kLoading;
      version.load_started_ns = clock_.MonotonicNanos();
      version.memory_bytes = bytes;
      memory_used_ += bytes;
      order = LoadOrder{.manifest_digest = version.manifest_digest, .bytes_max = options_.memory_bytes};
    } else {
      version.state = Version::State::kFailed;
      version.retry_at_ns = clock_.MonotonicNanos() + kRetryLoadNs;
      version.failure = Error::ResourceExhausted("the model needs about " + Mebibytes(bytes) +
                                                 " while it is loaded; its host has " +
                                                 Mebibytes(options_.memory_bytes / 4 * 3) + " free");
      TakeQueue(version, refused);
    }
    for (const auto& [other, v] : versions_) {
      if (v->state == Version::State::kWanted && other != id) wanted_again.push_back(other);
    }
  }
  FailAll(refused, {.code = Code::kResourceExhausted,
                    .reason = access::Reason::kBusy,
                    .message = "the model is too large for its host's memory"});
  if (!graveyard.empty()) {
    for (const Uuid& other : wanted_again) hooks_.need_model(other);
  }
  return order;
}

void Dispatcher::FinishLoad(const Uuid& id, Result<std::unique_ptr<inference::LoadedModel>> model) {
  Graveyard graveyard;
  std::vector<std::unique_ptr<PendingCall>> failed;
  Refusal refusal{.code = Code::kUnavailable, .reason = access::Reason::kBusy, .message = ""};
  {
    const Lock lock(mutex_);
    const auto found = versions_.find(id);
    if (found == versions_.end()) return;
    Version& version = *found->second;
    if (version.state != Version::State::kLoading && version.state != Version::State::kWanted) return;
    memory_used_ -= std::exchange(version.memory_bytes, 0);
    if (model && (!SameNames((*model)->inputs(), version.inputs) ||
                  !SameNames((*model)->outputs(), version.outputs))) {
      model = Fail(Error::Internal("the engine sees other inputs or outputs than the catalog"));
    }
    if (model) {
      version.memory_bytes = std::max((*model)->memory_bytes(), version.weights_bytes) + kSessionBytes;
      memory_used_ += version.memory_bytes;
      version.loaded = std::make_shared<LoadedVersion>();
      version.loaded->model = std::move(*model);
      version.state = Version::State::kReady;
      WakeLeader();
      return;
    }
    version.state = Version::State::kFailed;
    version.retry_at_ns = clock_.MonotonicNanos() + kRetryLoadNs;
    version.failure = model.error().code() == Code::kInvalidArgument
                          ? Error::Internal(model.error().message())
                          : model.error();
    refusal.code = version.failure.code();
    refusal.message = version.failure.message();
    LogError("cannot load " + version.name + ": " + version.failure.message());
    TakeQueue(version, failed);
  }
  FailAll(failed, refusal);
}

void Dispatcher::DropUncallable() {
  Graveyard graveyard;
  std::vector<std::unique_ptr<PendingCall>> refused;
  std::vector<std::pair<Uuid, Uuid>> all;
  {
    const Lock lock(mutex_);
    for (const auto& [id, version] : versions_) all.emplace_back(version->model, id);
  }
  for (const auto& [model, id] : all) {
    if (gate_.IsCallable(model, id)) continue;
    const Lock lock(mutex_);
    const auto found = versions_.find(id);
    if (found == versions_.end()) continue;
    TakeQueue(*found->second, refused);
    Unload(*found->second, graveyard);
    versions_.erase(found);
  }
  FailAll(refused, {.code = Code::kNotFound,
                    .reason = access::Reason::kNoSuchVersion,
                    .message = "the version was withdrawn"});
}

void Dispatcher::TakeQueue(Version& version, std::vector<std::unique_ptr<PendingCall>>& calls) {
  for (auto& call : version.queue) {
    Unqueue(version, *call);
    calls.push_back(std::move(call));
  }
  version.queue.clear();
}

void Dispatcher::TakeLate(int64_t now_ns, std::vector<std::unique_ptr<PendingCall>>& late,
                          std::vector<std::unique_ptr<PendingCall>>& unloaded) {
  for (const std::shared_ptr<Version>& version : waiting_) {
    auto& into = version->state == Version::State::kReady ? late : unloaded;
    std::erase_if(version->queue, [&](std::unique_ptr<PendingCall>& call) {
      if (call->deadline_ns > now_ns) return false;
      Unqueue(*version, *call);
      into.push_back(std::move(call));
      return true;
    });
  }
}

std::optional<Fault> Dispatcher::CheckRuns(int64_t now_ns, Lock& lock) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    const Worker::Run& run = worker->run;
    if (!run.active) continue;
    if (now_ns > run.deadline_ns + options_.hard_grace_ns) {
      return Fault{.version = run.version, .reason = "a run did not end within its deadline"};
    }
    if (now_ns > run.deadline_ns) run.runner->Terminate();
    if (run.in_lead && leader_ == worker.get() && now_ns - run.started_ns > options_.long_run_ns) {
      HandOverLead(lock);
      break;  // the list of workers may have grown
    }
  }
  for (const auto& [id, version] : versions_) {
    if (version->state == Version::State::kLoading &&
        now_ns - version->load_started_ns > options_.load_max_ns) {
      return Fault{.version = id, .reason = "loading did not end"};
    }
  }
  return std::nullopt;
}

std::optional<Fault> Dispatcher::Tick(bool* busy) {
  std::vector<std::unique_ptr<PendingCall>> late;
  std::vector<std::unique_ptr<PendingCall>> unloaded;
  std::optional<Fault> fault;
  {
    Lock lock(mutex_);
    const int64_t now_ns = clock_.MonotonicNanos();
    TakeLate(now_ns, late, unloaded);
    fault = CheckRuns(now_ns, lock);
    const bool loading = std::any_of(versions_.begin(), versions_.end(), [](const auto& v) {
      return v.second->state == Version::State::kLoading;
    });
    tick_wanted_ = *busy = IsBusy() || loading;
  }
  FailAll(late, {.code = Code::kDeadlineExceeded,
                 .reason = access::Reason::kAllowedByGrant,
                 .message = "the call waited longer than its deadline"});
  FailAll(unloaded, {.code = Code::kUnavailable,
                     .reason = access::Reason::kBusy,
                     .message = "the model is still being loaded; try again"});
  return fault;
}

std::string Dispatcher::Note() {
  const Lock lock(mutex_);
  std::string names;
  size_t loaded = 0;
  for (const auto& [id, version] : versions_) {
    if (version->state != Version::State::kReady) continue;
    ++loaded;
    if (loaded <= 5) names += (names.empty() ? "" : ", ") + version->name;
  }
  if (loaded > 5) names += ", ...";
  return std::to_string(loaded) + (loaded == 1 ? " model loaded, " : " models loaded, ") +
         Mebibytes(memory_used_) + (names.empty() ? "" : ": " + names);
}

}  // namespace glasscase::hosting
