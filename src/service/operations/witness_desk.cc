#include "witness_desk.h"

#include <algorithm>

#include <glasscase/core/log.h>

namespace glasscase::operations {

WitnessDesk::WitnessDesk(process::EventLoop& loop, const Clock& clock, LedgerDesk& ledger,
                         ledger::Policy policy, AskWitness ask)
    : loop_(loop), clock_(clock), ledger_(ledger), policy_(std::move(policy)), ask_(std::move(ask)) {
  ledger_.Hold();
  timer_ = loop_.Every(kLookMs, [this] { Look(); });
}

WitnessDesk::~WitnessDesk() { loop_.Cancel(timer_); }

void WitnessDesk::Look() {
  if (job_ || NowMillis() < not_before_ms_ || !ledger_.HoldsSeat()) return;
  const auto log = ledger_.log();
  if (!log || (enough_ && (*log)->size() == cosigned_size_)) return;
  // What is cosigned is proved to be the beginning of the next checkpoint by the log as it is then.
  auto begun = ledger::Cosigning::Begin(policy_, (*log)->signed_checkpoint(), known_sizes_,
                                        [this](uint64_t old_size) -> Result<ledger::Proof> {
                                          GC_TRY(ledger::Log * now, ledger_.log());
                                          return now->ConsistencyFrom(old_size, round_size_);
                                        });
  if (!begun) return LogError("witnesses: " + begun.error().message());
  round_ = std::move(*begun);
  round_size_ = (*log)->size();
  round_trouble_.clear();
  AskAll();
}

void WitnessDesk::AskAll() {
  auto requests = round_->Requests();
  if (!requests) {
    round_trouble_ = requests.error().message();
    return EndRound();
  }
  enough_ = round_->IsEnough();
  if (enough_ || requests->empty()) return EndRound();
  auto answers = std::make_shared<Answers>();
  job_ = std::make_unique<SideJob>(
      loop_,
      [answers, asked = *std::move(requests), &ask = ask_] {
        for (const ledger::WitnessRequest& request : asked) answers->emplace(request.witness, ask(request));
      },
      [this, answers] { Take(*answers); });
}

void WitnessDesk::Take(const Answers& answers) {
  job_.reset();
  for (const auto& [witness, answer] : answers) {
    const Status taken =
        answer ? round_->Take(witness, *answer) : Fail(answer.error().WithContext("witness " + witness));
    if (taken) continue;
    round_trouble_ = taken.error().message();
    if (taken.error().code() == Code::kFailedPrecondition) ledger_.Refuse(taken.error());
  }
  AskAll();
}

void WitnessDesk::EndRound() {
  known_sizes_ = round_->known_sizes();
  enough_ = round_->IsEnough();
  if (!round_->cosigned().empty()) {
    if (const auto log = ledger_.log()) {
      const Status kept = (*log)->KeepCosigned(round_->ToString());
      if (!kept) LogError("witnesses: " + kept.error().message());
    }
    cosigned_size_ = round_size_;
    if (enough_) ledger_.NoteCosigned(round_size_);
  }
  round_.reset();
  if (std::exchange(holds_, false)) ledger_.Release();
  if (enough_) {
    pause_ms_ = 0;
    trouble_.clear();
    return;
  }
  const std::string why = round_trouble_.empty() ? "no quorum of " + policy_.QuorumText() : round_trouble_;
  if (trouble_ != why) LogWarning("witnesses: " + why);
  trouble_ = why;
  Pause();
}

void WitnessDesk::Pause() {
  pause_ms_ = pause_ms_ == 0 ? kFirstPauseMs : std::min(2 * pause_ms_, kLongestPauseMs);
  not_before_ms_ = NowMillis() + pause_ms_;
}

}  // namespace glasscase::operations
