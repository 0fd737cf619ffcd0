// The host's own decision: the pushed table, the lease, the quotas and the audit log behind one mutex. A
// table update takes the mutex, so no decision that starts after its acknowledgement sees the old table.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/access/decide.h>
#include <glasscase/access/quota.h>
#include <glasscase/access/table.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/rpc/call_message.h>
#include <glasscase/rpc/link.pb.h>

#include "audit_log.h"

namespace glasscase::hosting {

struct Refusal {
  Code code = Code::kInternal;
  access::Reason reason = access::Reason::kNoGrant;
  std::string message;
};

// The quota of the grant that let a call through, or refused it.
struct QuotaState {
  bool has_quota = false;
  access::Quota quota;
  access::QuotaAnswer answer;
};

// Thread-safe.
class Gate {
 public:
  // `clock` outlives it.
  explicit Gate(const Clock& clock) : clock_(clock) {}

  // ---- from the custodian; one thread ----
  // Takes one part. Whole tables are built aside and swapped in with their last part; the parts of a change
  // are applied together. True when something came into force: acknowledge it then.
  Result<bool> Apply(const rpc::TableUpdate& message);
  void SetLease(int64_t until_monotonic_ns);
  Status SetQuotaMemory(int fd);
  std::vector<access::AuditRecord> TakeAudit();
  // Whether a version may still be called by somebody (it is in the table, neither retired nor disabled).
  bool IsCallable(const Uuid& model, const Uuid& version);

  // ---- one call ----
  // Holds the table from the question to the answer. Ask it in this order: refusal(); then, once the call was
  // found to be in order otherwise, Debit(); and Note() what came out.
  class Question {
   public:
    Question(Gate& gate, const rpc::CallView& call);
    const std::optional<Refusal>& refusal() const { return refusal_; }
    const access::ModelRow& model() const { return *verdict_.model; }  // when not refused
    const access::VersionRow& version() const { return *verdict_.version; }
    std::optional<Refusal> Debit(QuotaState& state);
    void Note(bool allowed, access::Reason reason);
    access::Reason reason() const { return verdict_.reason; }

   private:
    Refusal ExplainVerdict() const;

    Gate& gate_;
    const Uuid model_asked_;
    const Digest digest_;  // before the lock: hashing needs no table
    const std::lock_guard<std::mutex> lock_;
    access::Caller caller_;
    access::CallVerdict verdict_;
    std::optional<Refusal> refusal_;
  };

 private:
  void ForgetGoneGrants(const std::vector<Uuid>& removed);

  const Clock& clock_;
  std::mutex mutex_;  // guards table_, lease_until_ns_, quotas_ and audit_
  access::AccessTable table_;
  int64_t lease_until_ns_ = 0;
  std::optional<access::QuotaLedger> quotas_;
  AuditLog audit_;

  // What came in parts; the custodian's thread alone.
  std::unique_ptr<access::AccessTable> next_table_;
  std::vector<access::TableUpdate> next_changes_;
};

}  // namespace glasscase::hosting
