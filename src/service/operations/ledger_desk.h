// The custodian's side of the ledger: entries are queued with their acts, published right after, and proved
// on demand.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/ledger/log.h>
#include <glasscase/process/event_loop.h>

#include "side_job.h"

namespace glasscase::operations {

// One thread: the loop's.
class LedgerDesk {
 public:
  static constexpr int64_t kGroupMs = 2;         // acts that come together share a checkpoint
  static constexpr int64_t kSettleMs = 2'000;    // at the latest, when there is something to settle
  static constexpr int64_t kTryAgainMs = 1'000;  // after an error, at the soonest
  // Reading a large log anew takes seconds, in which nothing else is done: that is not done more often than
  // for one part in so many.
  static constexpr int64_t kRestForWork = 10;
  static constexpr int64_t kLongestSettlePauseMs = 60'000;  // after a disk that failed

  LedgerDesk(process::EventLoop& loop, const Clock& clock, catalog::Catalog& catalog, ledger::LogFiles& files,
             ledger::NoteSigner signer);
  ~LedgerDesk();

  // Opens the log; when it cannot be, acts go on and wait, and `trouble` says why. The first time, what the
  // installation held before it had a ledger becomes entries.
  Status Start();
  // Publishes only while `holds_seat` says so: two that take the log from each other get nowhere.
  void PublishWhile(std::function<bool()> holds_seat) { holds_seat_ = std::move(holds_seat); }
  bool HoldsSeat() const { return !holds_seat_ || holds_seat_(); }
  // Nothing new is published until Release, which does nothing after Refuse: `why` is the trouble then, for
  // good.
  void Hold() { ++holds_; }  // each of them once, before Start
  void Release();
  void Refuse(const Error& why);

  // After a commit that queued entries.
  void Poke();
  // Publishes what waits now, for somebody who asks for it; in trouble, not before its time.
  void PublishNow();
  // Publishes all that waits and settles, before the end of the process.
  void Finish();

  // Empty when all is well.
  const std::string& trouble() const { return trouble_.empty() ? disk_trouble_ : trouble_; }
  const ledger::NoteVerifier& verifier() const { return signer_.verifier(); }
  uint64_t size() const { return log_ ? log_->size() : 0; }
  // Of the newest checkpoint that the quorum of witnesses has signed, as far as this process knows; 0: none.
  uint64_t cosigned_size() const { return cosigned_size_; }
  void NoteCosigned(uint64_t size) { cosigned_size_ = std::max(cosigned_size_, size); }

  // Unavailable while the log is not open or the entry is not published yet.
  Result<ledger::Log*> log();
  // Where the entry that made a version stands.
  Result<uint64_t> FindVersionEntry(const Uuid& asset, const Uuid& version);
  // The entry of that type about a version; the first where there are several.
  Result<uint64_t> FindEntry(std::string_view type, const Uuid& asset, const Uuid& version);
  Result<ledger::Log::History> HistoryOf(const Uuid& asset);

 private:
  Status EnterHistory();
  void Publish();
  Status OpenAndPublish();
  // The disk is waited for on a thread: acts go on meanwhile.
  void BeginSettle();
  void EndSettle();
  void Arm(int64_t ms);
  void NoteTrouble(const Status& status, int64_t spent_ms = 0);
  // What cannot be answered now, and why.
  Error NotYet(const std::string& what) const;
  int64_t NowMillis() const { return clock_.MonotonicNanos() / 1'000'000; }

  process::EventLoop& loop_;
  const Clock& clock_;
  catalog::Catalog& catalog_;
  ledger::LogFiles& files_;
  ledger::NoteSigner signer_;
  std::unique_ptr<ledger::Log> log_;
  struct Settling {
    ledger::Log::Settling files;
    Status done;
    std::unique_ptr<SideJob> job;  // last, so that it ends before the rest is gone
  };
  std::unique_ptr<Settling> settling_;
  int64_t settle_pause_ms_ = 0;
  int64_t settle_not_before_ms_ = 0;
  std::string trouble_;
  std::string disk_trouble_;  // until what was written is durable again
  std::function<bool()> holds_seat_;
  uint64_t cosigned_size_ = 0;
  int holds_ = 0;
  bool refused_ = false;
  bool IsHeld() const { return refused_ || holds_ > 0; }
  process::EventLoop::TimerId timer_ = 0;
  process::EventLoop::TimerId settle_timer_ = 0;
  std::unordered_map<Uuid, uint64_t, UuidHash> version_entries_;
};

}  // namespace glasscase::operations
