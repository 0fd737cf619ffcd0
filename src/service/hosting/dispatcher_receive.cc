// The leader's first half: records from the ports, the decision, the queues.
#include <glasscase/core/log.h>

#include "dispatcher.h"

namespace glasscase::hosting {
namespace {

constexpr size_t kRoundCallsMax = 2048;  // received before batches run again
constexpr size_t kPoolCallsMax = 2048;
constexpr size_t kKeptRecordBytesMax = size_t{64} << 10;

Refusal Wrong(std::string message) {
  return {.code = Code::kInvalidArgument,
          .reason = access::Reason::kAllowedByGrant,
          .message = std::move(message)};
}

Refusal Busy(std::string message) {
  return {.code = Code::kUnavailable, .reason = access::Reason::kBusy, .message = std::move(message)};
}

std::string NamesOf(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs) {
    if (!names.empty()) names += ", ";
    names += "'" + Printable(spec.name) + "'";
  }
  return names.size() > 200 ? names.substr(0, 200) + "..." : names;
}

const rpc::TensorView* FindInput(const rpc::CallView& call, size_t likely, std::string_view name) {
  if (likely < call.inputs.size() && call.inputs[likely].name == name) return &call.inputs[likely];
  for (const rpc::TensorView& tensor : call.inputs) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

// The call's inputs in the model's order. The engine checks again; here the refusal costs no quota.
std::optional<Refusal> MatchInputs(const HostedVersion& version, PendingCall& call) {
  call.inputs.clear();
  for (size_t i = 0; i < version.inputs.size(); ++i) {
    const TensorSpec& spec = version.inputs[i];
    const rpc::TensorView* tensor = FindInput(call.view, i, spec.name);
    if (tensor == nullptr)
      return Wrong("input '" + Printable(spec.name) + "' is missing; the model takes " +
                   NamesOf(version.inputs));
    if (tensor->datatype != spec.datatype || !ShapeFits(spec.shape, tensor->shape())) {
      return Wrong("input '" + Printable(spec.name) + "': the model takes " +
                   std::string(DataTypeName(spec.datatype)) + " " + ShapeText(spec.shape) + ", was sent " +
                   std::string(DataTypeName(tensor->datatype)) + " " + ShapeText(tensor->shape()));
    }
    call.inputs.push_back({.datatype = tensor->datatype, .shape = tensor->shape(), .data = tensor->data});
  }
  if (call.view.inputs.size() != version.inputs.size()) {
    return Wrong("the call has " + std::to_string(call.view.inputs.size()) + " inputs; the model takes " +
                 NamesOf(version.inputs));
  }
  return std::nullopt;
}

std::optional<Refusal> MatchOutputs(const HostedVersion& version, PendingCall& call) {
  call.wanted.clear();
  if (call.view.outputs.empty()) {
    for (uint32_t i = 0; i < version.outputs.size(); ++i) call.wanted.push_back(i);
    return std::nullopt;
  }
  for (const std::string_view name : call.view.outputs) {
    uint32_t index = 0;
    while (index < version.outputs.size() && version.outputs[index].name != name) ++index;
    if (index == version.outputs.size()) {
      return Wrong("the model has no output '" + Printable(name) + "'; it has " + NamesOf(version.outputs));
    }
    if (std::find(call.wanted.begin(), call.wanted.end(), index) != call.wanted.end()) {
      return Wrong("output '" + Printable(name) + "' is asked for twice");
    }
    call.wanted.push_back(index);
  }
  return std::nullopt;
}

}  // namespace

size_t Dispatcher::ReceiveRound(Worker& me) {
  size_t received = 0;
  for (const std::shared_ptr<CallPort>& port : me.ports) {
    size_t here = 0;
    while (here < kRoundCallsMax && port->Receive(me.incoming->record)) {
      Receive(me, port);
      ++here;
    }
    if (here > 0) port->Wake();  // refusals and answers written meanwhile
    received += here;
  }
  return received;
}

// Looks at the record in me.incoming.
void Dispatcher::Receive(Worker& me, const std::shared_ptr<CallPort>& port) {
  PendingCall& call = *me.incoming;
  call.port = port;
  call.quota = {};
  QuotaState quota;
  std::optional<Refusal> refusal;
  Uuid wanted_model;
  Status parsed = rpc::ParseCall(call.record, call.view);
  if (!parsed) {
    // Not even the number of the call can be trusted.
    LogWarning("a call was dropped: " + parsed.error().message());
    return;
  }
  for (const rpc::TensorView& tensor : call.view.inputs) {
    parsed = CheckTensorData(tensor.name, tensor.datatype, tensor.shape(), tensor.data);
    if (!parsed) {
      Refuse(call, Wrong(parsed.error().message()), quota);
      return;
    }
  }
  refusal = Admit(me, quota, wanted_model);
  if (refusal) Refuse(call, *refusal, quota);
  if (!wanted_model.IsNil()) hooks_.need_model(wanted_model);
  if (!me.incoming) {
    const Lock lock(mutex_);
    me.incoming = TakeFromPool();
  }
}

// One decision. On success me.incoming has moved into a queue.
std::optional<Refusal> Dispatcher::Admit(Worker& me, QuotaState& quota, Uuid& wanted_model) {
  bool tick = false;
  std::optional<Refusal> refusal;
  {
    const Lock lock(mutex_);
    Gate::Question question(gate_, me.incoming->view);
    refusal = question.refusal();
    if (!refusal) refusal = Enqueue(me, question, quota, wanted_model);
    question.Note(!refusal, refusal && refusal->reason != access::Reason::kAllowedByGrant
                                ? refusal->reason
                                : question.reason());
    tick = !refusal && !std::exchange(tick_wanted_, true);
  }
  if (tick) hooks_.became_busy();
  return refusal;
}

std::optional<Refusal> Dispatcher::Enqueue(Worker& me, Gate::Question& question, QuotaState& quota,
                                           Uuid& wanted_model) {
  PendingCall& call = *me.incoming;
  if (draining_) return Busy("the host is shutting down; try again");
  std::shared_ptr<Version> version = FindOrAdd(question);
  if (auto wrong = MatchInputs(*version, call)) return wrong;
  if (auto wrong = MatchOutputs(*version, call)) return wrong;
  const int64_t now_ns = clock_.MonotonicNanos();
  call.deadline_ns = std::min(call.view.deadline_ns, now_ns + options_.call_deadline_ns);
  if (call.deadline_ns <= now_ns) {
    return Refusal{.code = Code::kDeadlineExceeded,
                   .reason = access::Reason::kAllowedByGrant,
                   .message = "the call came after its deadline"};
  }
  if (version->state == Version::State::kFailed) {
    if (now_ns < version->retry_at_ns) {
      return Refusal{.code = version->failure.code(),
                     .reason = access::Reason::kBusy,
                     .message = version->failure.message()};
    }
    version->state = Version::State::kCold;
  }
  if (auto busy = CheckRoom(*version, call.record.size())) return busy;
  if (auto refused = question.Debit(quota)) return refused;

  call.version = version->id;
  call.quota = quota;
  call.rows = inference::RowsOf(call.request());
  version->queued_rows += call.rows.value_or(1);
  version->last_used_ns = now_ns;
  ++waiting_calls_;
  waiting_bytes_ += call.record.size();
  version->queue.push_back(std::move(me.incoming));
  if (version->state == Version::State::kCold) {
    version->state = Version::State::kWanted;
    wanted_model = version->id;
  }
  if (!std::exchange(version->is_waiting, true)) waiting_.push_back(std::move(version));
  return std::nullopt;
}

std::optional<Refusal> Dispatcher::CheckRoom(const Version& version, size_t bytes) const {
  if (version.queue.size() >= options_.version_calls_max || waiting_calls_ >= options_.calls_max ||
      waiting_bytes_ + bytes > options_.call_bytes_max) {
    return Busy("too many calls wait for this model's host; try again");
  }
  return std::nullopt;
}

std::shared_ptr<HostedVersion> Dispatcher::FindOrAdd(const Gate::Question& question) {
  const access::VersionRow& row = question.version();
  if (const auto found = versions_.find(row.id); found != versions_.end()) return found->second;
  const access::ModelRow& model = question.model();
  auto version =
      std::shared_ptr<Version>(new Version{.id = row.id,
                                           .model = model.id,
                                           .name = model.owner_name + "/" + model.name + "@" + row.label,
                                           .manifest_digest = row.manifest_digest,
                                           .inputs = row.inputs,
                                           .outputs = row.outputs,
                                           .weights_bytes = row.weights_bytes,
                                           .rows_independent = row.rows_independent});
  versions_.emplace(row.id, version);
  return version;
}

void Dispatcher::Refuse(PendingCall& call, const Refusal& refusal, const QuotaState& quota) {
  rpc::AnswerView answer;
  answer.id = call.view.id;
  answer.code = static_cast<uint32_t>(refusal.code);
  answer.reason = refusal.reason;
  answer.message = refusal.message;
  answer.has_quota = quota.has_quota;
  answer.quota = quota.quota;
  answer.quota_state = quota.answer;
  call.port->Answer(answer);
}

std::unique_ptr<PendingCall> Dispatcher::TakeFromPool() {
  if (pool_.empty()) return std::make_unique<PendingCall>();
  std::unique_ptr<PendingCall> call = std::move(pool_.back());
  pool_.pop_back();
  return call;
}

void Dispatcher::ReturnToPool(std::unique_ptr<PendingCall> call) {
  call->port.reset();
  if (pool_.size() >= kPoolCallsMax) return;
  if (call->record.capacity() > kKeptRecordBytesMax) call->record = Bytes();
  pool_.push_back(std::move(call));
}

void Dispatcher::FailAll(std::vector<std::unique_ptr<PendingCall>>& calls, const Refusal& refusal) {
  for (const std::unique_ptr<PendingCall>& call : calls) {
    Refuse(*call, refusal, call->quota);
    call->port->Wake();
  }
  calls.clear();
}

}  // namespace glasscase::hosting
