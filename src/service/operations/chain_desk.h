// Writes to the chain what acts have queued for it, and follows each submission until nothing can change any
// more.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/ledger/anchor.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/event_loop.h>

#include "ledger_desk.h"
#include "side_job.h"

namespace glasscase::operations {

// Only while the ledger's desk holds the seat: of several custodians one has the next nonce. What came of a
// round is kept only then, too; the submissions of a round were durable before it, and whoever has the seat
// sends the same.
//
// One thread: the loop's. The chain is asked on another.
class ChainDesk {
 public:
  static constexpr int64_t kLookMs = 500;
  static constexpr int64_t kReplaceAfterMs = 120'000;  // a submission that stays pending gets a higher fee
  static constexpr int64_t kPauseMs = 5'000;           // after the chain was away

  // Nothing new is published in the log until the chain was asked for the last checkpoint there: a larger one
  // than the log's tells that an old state was put back. When the chain is away, the log goes on.
  ChainDesk(process::EventLoop& loop, const Clock& clock, catalog::Catalog& catalog, LedgerDesk& ledger,
            ledger::Anchor& anchor, int64_t anchor_every_s);
  ~ChainDesk();
  ChainDesk(const ChainDesk&) = delete;
  ChainDesk& operator=(const ChainDesk&) = delete;

  // To be queued with the registration of an asset, and with each later version.
  static Status QueueRegistration(catalog::Transaction& transaction, const catalog::Version& version,
                                  bool is_new_asset);
  static Status QueueCheckpoint(catalog::Transaction& transaction, int64_t now_micros);

  const std::string& trouble() const { return trouble_; }
  // The newest checkpoint that stands there, as far as this installation has written it.
  struct Anchored {
    uint64_t size = 0;
    std::string transaction;
    bool is_final = false;
  };
  const std::optional<Anchored>& anchored() const { return anchored_; }
  // How many acts are not written for good yet.
  size_t open() const { return open_; }

 private:
  // What one round on the other thread does, and what came of it.
  struct Round {
    std::vector<catalog::ChainAct> acts;  // open ones; changed in place
    std::set<Uuid> resubmit;
    std::set<Uuid> replace;
    std::optional<size_t> prepare;  // which of them, with
    std::optional<ledger::AnchorAct> act;
    std::set<Uuid> replaced;
    std::optional<Error> trouble;
  };
  Status FindAnchored();
  void NoteAnchored(const std::vector<catalog::ChainAct>& acts);
  void AskForLastCheckpoint();
  void Look();
  void QueueCheckpointWhenDue();
  Result<ledger::AnchorAct> ActFor(const catalog::ChainAct& act);
  Result<ledger::AnchorAct> ContractFor(const catalog::ChainAct& act, const catalog::Model& asset,
                                        const Digest& commitment, uint64_t index);
  static void Work(Round& round, ledger::Anchor& anchor);
  static Status Follow(catalog::ChainAct& act, ledger::Anchor& anchor, bool resubmit);
  static Status Prepare(Round& round, ledger::Anchor& anchor);
  void End(const std::vector<catalog::ChainAct>& before, const Round& round);
  Status Save(const std::vector<catalog::ChainAct>& before, const std::vector<catalog::ChainAct>& after);
  int64_t NowMillis() const { return clock_.MonotonicNanos() / 1'000'000; }

  process::EventLoop& loop_;
  const Clock& clock_;
  catalog::Catalog& catalog_;
  LedgerDesk& ledger_;
  ledger::Anchor& anchor_;
  const int64_t anchor_every_micros_;
  std::unique_ptr<SideJob> job_;
  std::map<Uuid, int64_t> pending_since_ms_;
  std::set<Uuid> resubmit_;
  int64_t not_before_ms_ = 0;
  std::string trouble_;
  std::optional<Anchored> anchored_;
  std::optional<Anchored> anchored_for_good_;
  size_t open_ = 0;
  process::EventLoop::TimerId timer_ = 0;
};

}  // namespace glasscase::operations
