#include "gate.h"

#include <utility>

#include <glasscase/access/token.h>
#include <glasscase/rpc/convert.h>

namespace glasscase::hosting {

Result<bool> Gate::Apply(const rpc::TableUpdate& message) {
  GC_TRY(access::TableUpdate update, rpc::FromMessage(message));
  if (update.reset) {
    next_changes_.clear();
    next_table_ = std::make_unique<access::AccessTable>();
  }
  if (next_table_) {
    update.reset = false;
    next_table_->Apply(update);
    if (message.more()) return false;
    {
      const std::lock_guard lock(mutex_);
      std::swap(table_, *next_table_);
      if (quotas_) quotas_->ForgetUnless([this](const Uuid& grant) { return table_.HasGrant(grant); });
    }
    next_table_.reset();  // the old table, outside of the lock
    return true;
  }
  next_changes_.push_back(std::move(update));
  if (message.more()) return false;
  const std::vector<access::TableUpdate> changes = std::exchange(next_changes_, {});
  const std::lock_guard lock(mutex_);
  for (const access::TableUpdate& change : changes) table_.Apply(change);
  for (const access::TableUpdate& change : changes) ForgetGoneGrants(change.removed_grants);
  return true;
}

void Gate::ForgetGoneGrants(const std::vector<Uuid>& removed) {
  if (!quotas_) return;
  for (const Uuid& grant : removed) {
    if (!table_.HasGrant(grant)) quotas_->Forget(grant);
  }
}

void Gate::SetLease(int64_t until_monotonic_ns) {
  const std::lock_guard lock(mutex_);
  lease_until_ns_ = until_monotonic_ns;
}

Status Gate::SetQuotaMemory(int fd) {
  GC_TRY(access::QuotaLedger quotas, access::QuotaLedger::Open(fd));
  const std::lock_guard lock(mutex_);
  quotas_ = std::move(quotas);
  return Ok();
}

std::vector<access::AuditRecord> Gate::TakeAudit() {
  const std::lock_guard lock(mutex_);
  return audit_.Take();
}

bool Gate::IsCallable(const Uuid& model, const Uuid& version) {
  const std::lock_guard lock(mutex_);
  const access::ModelRow* row = table_.FindModel(model);
  const access::VersionRow* found = row == nullptr ? nullptr : row->FindVersion(version);
  return found != nullptr && !found->retired && found->disabled_reason.empty();
}

Gate::Question::Question(Gate& gate, const rpc::CallView& call)
    : gate_(gate),
      model_asked_(call.model),
      digest_(access::CredentialDigest(call.credential)),
      lock_(gate.mutex_) {
  if (gate.clock_.MonotonicNanos() >= gate.lease_until_ns_) {
    verdict_.reason = access::Reason::kLeaseLapsed;
    refusal_ = Refusal{Code::kUnavailable, verdict_.reason, "the access table is out of date; try again"};
    return;
  }
  const int64_t now_micros = gate.clock_.WallMicros();
  caller_ = access::Identify(gate.table_, digest_, now_micros);
  if (!caller_.known()) {
    verdict_.reason = caller_.reason;
    refusal_ = Refusal{Code::kUnauthenticated, caller_.reason, "the token is unknown or has expired"};
    return;
  }
  verdict_ = access::DecideCall(gate.table_, *caller_.subject, gate.table_.FindModel(call.model),
                                call.version, now_micros);
  if (!verdict_.allowed) refusal_ = ExplainVerdict();
}

Refusal Gate::Question::ExplainVerdict() const {
  switch (verdict_.reason) {
    case access::Reason::kExpiredGrant:
      return {Code::kPermissionDenied, verdict_.reason, "the grant has expired"};
    case access::Reason::kVersionNotGranted:
    case access::Reason::kNoSuchVersion: return {Code::kNotFound, verdict_.reason, "no such version"};
    case access::Reason::kRetired:
      return {Code::kNotFound, verdict_.reason, "version " + verdict_.version->label + " was retired"};
    case access::Reason::kDisabled:
      return {Code::kFailedPrecondition, verdict_.reason,
              "version " + verdict_.version->label + " was disabled: " + verdict_.version->disabled_reason};
    default: return {Code::kNotFound, verdict_.reason, "no such model"};
  }
}

std::optional<Refusal> Gate::Question::Debit(QuotaState& state) {
  state.has_quota = verdict_.grant != nullptr && verdict_.grant->quota.has_value();
  if (!state.has_quota) return std::nullopt;
  state.quota = *verdict_.grant->quota;
  if (!gate_.quotas_) {
    state.has_quota = false;
    return Refusal{Code::kUnavailable, access::Reason::kBusy, "the host is starting; try again"};
  }
  const auto now_ns = static_cast<uint64_t>(gate_.clock_.MonotonicNanos());
  auto answer = gate_.quotas_->Debit(verdict_.grant->id, state.quota, now_ns);
  if (!answer) {
    state.has_quota = false;
    return Refusal{answer.error().code(), access::Reason::kBusy, answer.error().message()};
  }
  state.answer = *answer;
  if (answer->allowed) return std::nullopt;
  return Refusal{Code::kResourceExhausted, access::Reason::kQuotaExhausted,
                 "the quota of " + state.quota.ToString() + " is used up"};
}

void Gate::Question::Note(bool allowed, access::Reason reason) {
  AuditLog::Decision decision;
  decision.time_micros = gate_.clock_.WallMicros();
  decision.model = model_asked_;
  decision.reason = reason;
  decision.allowed = allowed;
  if (caller_.token != nullptr) {
    decision.token = caller_.token->id;
    decision.subject = caller_.token->subject;
  }
  if (verdict_.model != nullptr) {
    decision.owner_name = verdict_.model->owner_name;
    decision.model_name = verdict_.model->name;
  }
  gate_.audit_.Add(decision);
}

}  // namespace glasscase::hosting
