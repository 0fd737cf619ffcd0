// Has the log's new checkpoints signed by the witnesses of the policy, one round after the other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/clock.h>
#include <glasscase/ledger/cosigning.h>
#include <glasscase/ledger/policy.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/event_loop.h>

#include "ledger_desk.h"
#include "side_job.h"

namespace glasscase::operations {

// Only while the ledger's desk holds the seat: without it, a witness that has seen more is no sign of an old
// state. One thread: the loop's. Witnesses are asked on another.
class WitnessDesk {
 public:
  static constexpr int64_t kLookMs = 100;          // for a new checkpoint
  static constexpr int64_t kFirstPauseMs = 1'000;  // after a round that was not enough
  static constexpr int64_t kLongestPauseMs = 60'000;

  // Nothing new is published until the witnesses were asked once about what is there: one that has seen more
  // tells that an old state was put back, and then nothing is published at all. `ask` may block.
  WitnessDesk(process::EventLoop& loop, const Clock& clock, LedgerDesk& ledger, ledger::Policy policy,
              AskWitness ask);
  ~WitnessDesk();
  WitnessDesk(const WitnessDesk&) = delete;
  WitnessDesk& operator=(const WitnessDesk&) = delete;

  // Of the last round; empty when it was enough.
  const std::string& trouble() const { return trouble_; }
  // "2 of north, south"
  std::string QuorumText() const { return policy_.QuorumText(); }

 private:
  using Answers = std::map<std::string, Result<ledger::WitnessReply>>;
  void Look();
  void AskAll();
  void Take(const Answers& answers);
  void EndRound();
  void Pause();
  int64_t NowMillis() const { return clock_.MonotonicNanos() / 1'000'000; }

  process::EventLoop& loop_;
  const Clock& clock_;
  LedgerDesk& ledger_;
  const ledger::Policy policy_;
  const AskWitness ask_;
  std::optional<ledger::Cosigning> round_;
  uint64_t round_size_ = 0;
  std::map<std::string, uint64_t> known_sizes_;
  std::unique_ptr<SideJob> job_;
  uint64_t cosigned_size_ = 0;  // by any of them
  bool enough_ = false;         // for cosigned_size_
  bool holds_ = true;           // the ledger, until the first round has ended
  std::string trouble_;
  std::string round_trouble_;
  int64_t pause_ms_ = 0;
  int64_t not_before_ms_ = 0;
  process::EventLoop::TimerId timer_ = 0;
};

}  // namespace glasscase::operations
