// The desk of runs, third part: which run is next, and whose.
#include <algorithm>

#include "run_desk.h"

namespace glasscase::operations {
namespace {

// For a run that a free worker may do one looks at everybody who waits,
constexpr uint32_t kTurnsMax = 512;     // so many turns at once, of these
constexpr uint32_t kLookAheads = 512;   // at about so many runs together, and
constexpr uint32_t kLookAheadMax = 64;  // at so many of one.
constexpr int64_t kRestOfLooking = 10;  // so much longer than it took, it is not done again

}  // namespace

using catalog::Run;

bool RunDesk::IsFree(const PeerId& id, const RunWorker& worker) const {
  return !worker.leaves && worker.running < std::min(worker.hello.slots(), kSlotsMax) &&
         !resting_.Rests(id, now_ms());
}

Status RunDesk::CheckOwner(const Uuid& owner) const {
  if (per_owner_ == 0) return Ok();
  const auto has_worker = [&](const auto& one) {
    return one.second.owner == owner && one.second.worker != kSelf;
  };
  if (std::ranges::count_if(active_, has_worker) < per_owner_) return Ok();
  return Fail(Error::FailedPrecondition("its owner has " + std::to_string(per_owner_) +
                                        " runs under way, as many as one owner may have at once"));
}

std::optional<PeerId> RunDesk::FreeWorkerFor(const Run& run) const {
  if (!CheckOwner(run.owner)) return std::nullopt;
  const RunNeeds needs = NeedsOf(run);
  for (const auto& [id, worker] : workers_)
    if (IsFree(id, worker) && IsFor(workers_, worker, needs)) return id;
  return std::nullopt;
}

Result<std::optional<RunDesk::Next>> RunDesk::FindNext() {
  if (std::none_of(workers_.begin(), workers_.end(),
                   [&](const auto& one) { return IsFree(one.first, one.second); }))
    return std::nullopt;
  GC_TRY(auto next, desk_.catalog.NextQueuedRun(last_owner_));
  if (!next) return std::nullopt;
  if (const auto worker = FreeWorkerFor(*next)) return Next{.run = *std::move(next), .worker = *worker};
  if (now_ms() < look_beyond_at_ms_) return std::nullopt;  // the timer is set
  const int64_t begun_ms = now_ms();
  auto found = FindBeyond(*next);
  look_beyond_at_ms_ = now_ms() + kRestOfLooking * (now_ms() - begun_ms);
  if (look_beyond_at_ms_ > now_ms())
    desk_.loop.After(look_beyond_at_ms_ - now_ms() + 1, [this, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) Pump();
    });
  return found;
}

// Runs that nobody who is free may do hold up those of their owner at most.
Result<std::optional<RunDesk::Next>> RunDesk::FindBeyond(const Run& next) const {
  GC_TRY(auto turns, desk_.catalog.QueueTurns(std::nullopt, kTurnsMax));
  const auto has_top = [&](const catalog::QueueTurn& turn) { return turn.priority == next.priority; };
  const auto top_end = std::ranges::find_if_not(turns, has_top);
  auto after = turns.empty() ? std::nullopt : std::optional(turns.back());
  std::rotate(turns.begin(), std::find(turns.begin(), top_end, catalog::QueueTurn{next.priority, next.owner}),
              top_end);
  while (after) {
    GC_TRY(auto found, FindAmong(turns));
    if (found) return found;
    GC_TRY(turns, desk_.catalog.QueueTurns(after, kTurnsMax));
    after = turns.empty() ? std::nullopt : std::optional(turns.back());
  }
  return std::nullopt;
}

Result<std::optional<RunDesk::Next>> RunDesk::FindAmong(const std::vector<catalog::QueueTurn>& turns) const {
  const uint32_t of_each = std::clamp(kLookAheads / static_cast<uint32_t>(turns.size()), 1U, kLookAheadMax);
  for (const catalog::QueueTurn& turn : turns) {
    if (!CheckOwner(turn.owner)) continue;
    GC_TRY(auto runs, desk_.catalog.QueuedRuns(turn, of_each));
    for (Run& run : runs)
      if (const auto worker = FreeWorkerFor(run)) return Next{.run = std::move(run), .worker = *worker};
  }
  return std::nullopt;
}

}  // namespace glasscase::operations
