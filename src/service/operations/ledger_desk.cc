#include "ledger_desk.h"

#include <algorithm>

#include <glasscase/core/log.h>
#include <glasscase/ledger/disclosure.h>

#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

// Set when the acts of the time before the ledger have been entered.
constexpr std::string_view kHistorySetting = "ledger_history";

}  // namespace

LedgerDesk::LedgerDesk(process::EventLoop& loop, const Clock& clock, catalog::Catalog& catalog,
                       ledger::LogFiles& files, ledger::NoteSigner signer)
    : loop_(loop), clock_(clock), catalog_(catalog), files_(files), signer_(std::move(signer)) {
  settle_timer_ = loop_.Every(kSettleMs, [this] { BeginSettle(); });
}

LedgerDesk::~LedgerDesk() {
  loop_.Cancel(timer_);
  loop_.Cancel(settle_timer_);
}

Status LedgerDesk::Start() {
  GC_TRY_VOID(EnterHistory());
  Publish();
  return Ok();
}

// In one transaction, so it is entered once and whole.
Status LedgerDesk::EnterHistory() {
  GC_TRY(const auto entered, catalog_.Setting(kHistorySetting));
  if (entered) return Ok();
  GC_TRY(auto transaction, catalog_.Begin());
  const int64_t now = clock_.WallMicros();
  const auto enter = [&](const catalog::Model& model) -> Status {
    GC_TRY(const auto owner, catalog_.FindSubject(model.owner));
    const std::string name = (owner ? owner->name : "") + "/" + model.name;
    GC_TRY_VOID(RegisteredEntry(model, name, now).Say("history", "before the ledger").Queue(*transaction));
    GC_TRY(const auto versions, catalog_.VersionsOf(model.id));
    for (const catalog::Version& version : versions)
      GC_TRY_VOID(
          VersionEntry(model, name, version, now).Say("history", "before the ledger").Queue(*transaction));
    return catalog_.EachGrant({.model = model.id, .with_revoked = false},
                              [&](const catalog::Grant& grant) -> Status {
                                GC_TRY(const auto subject, catalog_.FindSubject(grant.subject));
                                return GrantEntry(model, grant, subject ? subject->name : "", now)
                                    .Say("history", "before the ledger")
                                    .Queue(*transaction);
                              });
  };
  GC_TRY_VOID(catalog_.EachModel(std::nullopt, enter));
  GC_TRY_VOID(transaction->SetSetting(kHistorySetting, "entered"));
  return transaction->Commit();
}

void LedgerDesk::Arm(int64_t ms) {
  if (timer_ != 0) return;
  timer_ = loop_.After(ms, [this] {
    timer_ = 0;
    Publish();
  });
}

void LedgerDesk::Poke() { Arm(kGroupMs); }

void LedgerDesk::Publish() {
  if (!HoldsSeat()) return Arm(kTryAgainMs);
  const int64_t begun_ms = NowMillis();
  const Status done = OpenAndPublish();
  if (!done) NoteTrouble(done, NowMillis() - begun_ms);
}

Status LedgerDesk::OpenAndPublish() {
  if (!log_) {
    GC_TRY(log_, ledger::Log::Open({.journal = catalog_.Journal(), .files = files_, .signer = signer_}));
    version_entries_.clear();
  }
  if (IsHeld()) return Ok();
  const auto published = log_->Publish();
  if (!published) {
    if (published.error().code() == Code::kAborted) {
      settling_.reset();
      log_.reset();
    }
    return Fail(published.error());
  }
  trouble_.clear();
  if (log_->unsettled() >= ledger::Log::kSettleEntries) BeginSettle();
  if (*published) Arm(0);
  return Ok();
}

void LedgerDesk::Release() {
  if (--holds_ == 0 && !refused_) Publish();
}

void LedgerDesk::Refuse(const Error& why) {
  if (refused_) return;
  refused_ = true;
  trouble_ =
      why.message() +
      ". Nothing is signed, so that there are no two histories; acts wait. Put back the data that belongs to "
      "this log, or see `glasscase ledger renew --help`";
  LogError("ledger: " + trouble_);
}

void LedgerDesk::PublishNow() {
  if (timer_ == 0 || !trouble_.empty()) return;
  loop_.Cancel(timer_);
  timer_ = 0;
  Publish();
}

void LedgerDesk::NoteTrouble(const Status& status, int64_t spent_ms) {
  if (refused_) return;
  if (trouble_ != status.error().message()) LogError("ledger: " + status.error().message());
  trouble_ = status.error().message();
  Arm(std::max(kTryAgainMs, kRestForWork * spent_ms));
}

void LedgerDesk::BeginSettle() {
  if (!log_ || settling_ || NowMillis() < settle_not_before_ms_) return;
  ledger::Log::Settling files = log_->BeginSettle();
  if (files.full.empty()) return;
  settling_ = std::make_unique<Settling>(Settling{.files = std::move(files), .done = {}, .job = nullptr});
  settling_->job = std::make_unique<SideJob>(
      loop_, [this, work = settling_.get()] { work->done = ledger::Log::SettleFiles(files_, work->files); },
      [this] { EndSettle(); });
}

void LedgerDesk::EndSettle() {
  const std::unique_ptr<Settling> settling = std::move(settling_);
  const Status ended = log_->EndSettle(settling->files, settling->done);
  if (ended) {
    settle_pause_ms_ = 0;
    return disk_trouble_.clear();
  }
  if (disk_trouble_ != ended.error().message()) LogError("ledger: " + ended.error().message());
  disk_trouble_ = ended.error().message();
  settle_pause_ms_ = std::clamp(2 * settle_pause_ms_, kSettleMs, kLongestSettlePauseMs);
  settle_not_before_ms_ = NowMillis() + settle_pause_ms_;
  Arm(kTryAgainMs);  // to read and write anew
}

void LedgerDesk::Finish() {
  settling_.reset();
  while (log_ && !IsHeld() && HoldsSeat()) {
    const auto published = log_->Publish();
    if (!published || !*published) break;
  }
  const Status settled = log_ ? log_->Settle() : Ok();
  if (!settled) LogError("ledger: " + settled.error().message());
}

Error LedgerDesk::NotYet(const std::string& what) const {
  return Error::Unavailable(what + (trouble_.empty() ? "; try again" : ": " + trouble_));
}

Result<ledger::Log*> LedgerDesk::log() {
  if (log_) return log_.get();
  return Fail(NotYet("the ledger is not open"));
}

Result<uint64_t> LedgerDesk::FindVersionEntry(const Uuid& asset, const Uuid& version) {
  if (const auto found = version_entries_.find(version); found != version_entries_.end())
    return found->second;
  GC_TRY(const uint64_t index, FindEntry("version", asset, version));
  version_entries_[version] = index;
  return index;
}

Result<uint64_t> LedgerDesk::FindEntry(std::string_view type, const Uuid& asset, const Uuid& version) {
  GC_TRY(ledger::Log * open, log());
  const auto entries = open->EntriesOf(asset);
  if (!entries) return Fail(NotYet(entries.error().message()));
  for (const uint64_t index : *entries) {
    GC_TRY(const std::string entry, open->EntryAt(index));
    GC_TRY(const ledger::EntryHead head, ledger::ReadEntryHead(entry));
    if (head.type == type && head.version == version) return index;
  }
  return Fail(NotYet("the entry of this version is not published yet"));
}

Result<ledger::Log::History> LedgerDesk::HistoryOf(const Uuid& asset) {
  GC_TRY(ledger::Log * open, log());
  auto history = open->HistoryOf(asset);
  if (history || history.error().code() != Code::kUnavailable) return history;
  return Fail(NotYet(history.error().message()));
}

}  // namespace glasscase::operations
