// Runs, as their owners see them.
#include <algorithm>
#include <charconv>

#include <glasscase/training/recipe.h>

#include "ledger_entries.h"
#include "names.h"
#include "run_desk.h"
#include "run_inputs.h"
#include "runs.h"
#include "translation_runs.h"

namespace glasscase::operations {
namespace {

using catalog::Run;
using catalog::RunState;

constexpr int64_t kPriorityMax = 100;
constexpr uint32_t kPageMax = 500;
constexpr uint32_t kPage = 100;

Result<uint64_t> Number(std::string_view member, const std::string& text, uint64_t least, uint64_t most,
                        uint64_t otherwise) {
  if (text.empty()) return otherwise;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= most)
    return number;
  return Fail(Error::InvalidArgument(std::string(member) + " must be a whole number from " +
                                     std::to_string(least) + " to " + std::to_string(most)));
}

std::string_view KindOf(const Run& run) {
  if (!run.repeats.IsNil()) return "verification";
  return run.translates.IsNil() ? "training" : "translation";
}

// A result that not every process knows of yet cannot be called: its run is still being recorded.
RunState StateNow(const Workplace& place, const Run& run) {
  const bool is_told = run.state != RunState::kSucceeded || !place.runs.IsActive(run.id);
  return is_told ? run.state : RunState::kRecording;
}

// Also that one that was cancelled has not ended yet and, with `whole`, what a queued one waits for.
std::string ReasonNow(const Workplace& place, const Run& run, bool whole) {
  if (run.state == RunState::kCancelled && place.runs.IsActive(run.id))
    return run.reason + "; its worker is ending it";
  if (!whole || run.state != RunState::kQueued) return run.reason;
  Status there = CheckNeeds(place.runs.workers(), NeedsOf(run));
  if (there) there = place.runs.CheckOwner(run.owner);
  return there ? run.reason : "it waits: " + there.error().message();
}

template <typename Row>
void AddProgress(const Workplace& place, const Run& run, Row& row) {
  const auto progress = place.runs.ProgressOf(run.id);
  if (!progress) return;
  row.set_progress(progress->fraction);
  row.set_progress_text(progress->text);
}

// Those from `from` on, into that field of an answer.
template <typename Rows>
Result<int64_t> AddEvents(const Workplace& place, const Run& run, uint64_t from, Rows& rows) {
  GC_TRY(const auto events, place.runs.events().Read(run));
  for (size_t i = from; i < events.size(); ++i) {
    rpc::RunEvent& row = *rows.Add();
    row.set_at(TimeText(events[i].at_micros));
    row.set_state(events[i].state);
    row.set_attempt(events[i].attempt);
    row.set_worker(events[i].worker);
    row.set_reason(events[i].reason);
  }
  return static_cast<int64_t>(events.size());
}

// Of the newest that translate into the asset which has its name; nil: none does.
Result<Uuid> TranslationOf(const Desk& desk, const Run& run, const std::string& model) {
  if (run.result.IsNil()) return Uuid{};
  GC_TRY(const auto translated, desk.catalog.FindModelCalled(run.owner, TranslatedName(model)));
  if (!translated) return Uuid{};
  GC_TRY(const auto runs, desk.catalog.ListRuns({.asset = translated->id, .limit = kPageMax}));
  const auto found = std::ranges::find(runs, run.result, &Run::translates);
  return found == runs.end() ? Uuid{} : found->id;
}

std::string TextOrEmpty(const Uuid& id) { return id.IsNil() ? "" : id.ToString(); }

Result<Run> FindOwnRun(Desk& desk, Act& act, const std::string& text) {
  const auto nowhere = [&] {
    return Error::NotFound("you have no run " + Printable(text) + "; see `glasscase runs list`");
  };
  const auto id = Uuid::Parse(text);
  if (!id) return Fail(nowhere());
  GC_TRY(auto run, desk.catalog.FindRun(*id));
  if (!run || (run->owner != act.caller->id && !act.Is(access::kOperator))) return Fail(nowhere());
  act.object = run->id.ToString();
  return *std::move(run);
}

// After the commit: begun where a worker is free.
Result<Outcome> Queued(Workplace& place, const Run& run) {
  place.runs.Pump();
  GC_TRY(const auto now, place.desk.catalog.FindRun(run.id));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_run(), DescribeRun(place, now.value_or(run), true));
  return outcome;
}

}  // namespace

Result<rpc::Run> DescribeRun(Workplace& place, const Run& run, bool whole) {
  Desk& desk = place.desk;
  GC_TRY(const auto model, desk.catalog.FindModel(run.asset));
  rpc::Run row;
  row.set_id(run.id.ToString());
  if (model) row.set_model(desk.SubjectName(model->owner) + "/" + model->name);
  row.set_model_id(run.asset.ToString());
  row.set_version(run.label);
  if (!run.result.IsNil()) {
    GC_TRY(const auto version, desk.catalog.FindVersion(run.result));
    if (version) row.set_version(version->label);
    row.set_result(run.result.ToString());
  }
  row.set_kind(std::string(KindOf(run)));
  row.set_repeats(TextOrEmpty(run.repeats));
  row.set_translates(TextOrEmpty(run.translates));
  row.set_state(std::string(NameOf(StateNow(place, run))));
  row.set_reason(ReasonNow(place, run, whole));
  row.set_recipe_sha256(ToHex(run.recipe_sha256));
  row.set_priority(run.priority);
  row.set_attempts(run.attempts);
  row.set_worker(run.worker);
  row.set_created_at(TimeText(run.created_micros));
  row.set_started_at(TimeText(run.started_micros));
  row.set_ended_at(TimeText(run.ended_micros));
  AddProgress(place, run, row);
  if (StateNow(place, run) == RunState::kSucceeded) row.set_progress(1);
  if (!whole) return row;
  row.set_recipe(run.recipe);
  row.set_record(run.record);
  GC_TRY(const Uuid translation, TranslationOf(desk, run, model ? model->name : ""));
  row.set_translation(TextOrEmpty(translation));
  row.set_evidence(run.evidence);
  GC_TRY_VOID(AddEvents(place, run, 0, *row.mutable_events()));
  return row;
}

Status CheckOpenRuns(Desk& desk, const Uuid& owner, size_t more) {
  GC_TRY(const uint32_t open, desk.catalog.CountOpenRuns(owner));
  if (open + more <= RunDesk::kOpenRunsMax) return Ok();
  return Fail(Error::ResourceExhausted("you have " + std::to_string(open) + " runs that have not ended, of " +
                                       std::to_string(RunDesk::kOpenRunsMax) +
                                       " that one owner may have; wait for some"));
}

Status CheckPriority(const Act& act, int64_t priority) {
  if (priority < -kPriorityMax || priority > kPriorityMax)
    return Fail(Error::InvalidArgument("priority must be from -100 to 100"));
  if (priority <= 0 || act.Is(access::kOperator)) return Ok();
  return Fail(Error::PermissionDenied(
      "a priority above 0 is before the runs of all others, which only an operator may ask for"));
}

Result<Target> FindTarget(Desk& desk, const catalog::Subject& owner, std::string name,
                          const std::string& label) {
  if (const std::string own = owner.name + "/"; name.starts_with(own)) name.erase(0, own.size());
  GC_TRY_VOID(CheckModelName(name));
  if (!label.empty()) GC_TRY_VOID(CheckVersionLabel(label));
  GC_TRY(auto model, desk.catalog.FindModelCalled(owner.id, name));
  if (model && model->kind != catalog::AssetKind::kModel)
    return Fail(Error::AlreadyExists(name + " is the name of a dataset of yours; choose another"));
  if (!model) {
    Target target{.model = {.id = Uuid::Random(), .owner = owner.id, .name = name}, .is_new = true};
    target.model.created_micros = desk.now();
    desk.random.Fill(target.model.secret.emplace());
    return target;
  }
  GC_TRY(const auto taken, FindVersionOf(desk, model->id, label));
  if (!label.empty() && taken)
    return Fail(
        Error::AlreadyExists("version " + label + " of " + name + " is taken; choose another --version"));
  return Target{.model = *std::move(model)};
}

Status InsertRun(catalog::Transaction& transaction, const Target& target, const Run& run,
                 const std::string& owner) {
  if (target.is_new) {
    const std::string name = owner + "/" + target.model.name;
    GC_TRY_VOID(transaction.InsertModel(target.model));
    GC_TRY_VOID(RegisteredEntry(target.model, name, run.created_micros).Queue(transaction));
  }
  return transaction.InsertRun(run);
}

Result<Outcome> ListRuns(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::ListRunsRequest& request = act.request.list_runs();
  catalog::RunQuery query{.owner = act.caller->id, .only_open = request.open() == "true"};
  if (!request.open().empty() && request.open() != "true" && request.open() != "false")
    return Fail(Error::InvalidArgument("open must be true or false"));
  if (!request.model().empty()) {
    GC_TRY(const NamedModel named, FindOwnModel(desk, act, request.model()));
    query.asset = named.model.id;
  }
  if (!request.after().empty()) {
    GC_TRY(query.after, ParseId(request.after(), "after"));
  }
  GC_TRY(const uint64_t limit, Number("limit", request.limit(), 1, kPageMax, kPage));
  query.limit = static_cast<uint32_t>(limit) + 1;
  GC_TRY(auto runs, desk.catalog.ListRuns(query));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::ListRunsAnswer& answer = *outcome.answer.mutable_runs();
  const bool more = runs.size() > limit;
  if (more) runs.resize(limit);
  for (const Run& run : runs) {
    GC_TRY(*answer.add_runs(), DescribeRun(place, run, false));
  }
  if (more) answer.set_next(runs.back().id.ToString());
  return outcome;
}

Result<Outcome> ShowRun(Workplace& place, Act& act) {
  GC_TRY(const Run run, FindOwnRun(place.desk, act, act.request.show_run().run()));
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_run(), DescribeRun(place, run, true));
  return outcome;
}

Result<Outcome> CancelRun(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const Run run, FindOwnRun(desk, act, act.request.cancel_run().run()));
  if (HasEnded(run.state))
    return Fail(Error::FailedPrecondition("the run has ended: " + std::string(NameOf(run.state))));
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(place.runs.Cancel(run));
  GC_TRY(const auto now, desk.catalog.FindRun(run.id));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_run(), DescribeRun(place, now.value_or(run), true));
  return outcome;
}

// As another run, with inputs and recipe of the first.
Result<Outcome> VerifyRun(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::VerifyRunRequest& request = act.request.verify_run();
  GC_TRY(const Run original, FindOwnRun(desk, act, request.run()));
  if (KindOf(original) != "training" || original.state != RunState::kSucceeded)
    return Fail(Error::FailedPrecondition(
        "only a training run that has succeeded can be verified; this one is a " +
        std::string(KindOf(original)) + " and has " + std::string(NameOf(original.state))));
  GC_TRY(const auto files, desk.catalog.FilesOf(original.result));
  if (files.empty())
    return Fail(
        Error::FailedPrecondition("the result of the run is not there any more: nothing to compare with"));
  GC_TRY(const auto inputs, VersionsIn(desk, original));
  GC_TRY_VOID(CheckRights(desk, original.owner, inputs, desk.now()));
  GC_TRY_VOID(CheckOpenRuns(desk, original.owner));
  Run run{.id = Uuid::Random(), .owner = original.owner, .asset = original.asset};
  run.recipe = original.recipe;
  run.recipe_sha256 = original.recipe_sha256;
  run.priority = act.Is(access::kOperator) ? original.priority : std::min<int64_t>(original.priority, 0);
  run.created_micros = desk.now();
  run.repeats = original.id;
  run.wanted_worker = request.worker();
  if (!request.worker().empty()) GC_TRY_VOID(CheckNeeds(place.runs.workers(), NeedsOf(run)));
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& transaction) { return transaction.InsertRun(run); }));
  return Queued(place, run);
}

Result<Outcome> ReadRunLog(Workplace& place, Act& act) {
  const rpc::RunLogRequest& request = act.request.run_log();
  GC_TRY(const Run run, FindOwnRun(place.desk, act, request.run()));
  GC_TRY(const uint64_t from, Number("from", request.from(), 0, INT64_MAX, 0));
  GC_TRY(const uint64_t from_event, Number("from_event", request.from_event(), 0, INT64_MAX, 0));
  GC_TRY_VOID(place.desk.Permit(act));
  // One that was cancelled may print until its worker has ended it.
  const bool may_print = !HasEnded(run.state) || place.runs.IsActive(run.id);
  GC_TRY(RunLogs::Printed printed, place.runs.logs().Read(run.id, from, may_print));
  Outcome outcome;
  rpc::RunLog& answer = *outcome.answer.mutable_run_log();
  answer.set_ended(!may_print && printed.text.empty());
  answer.set_next(static_cast<int64_t>(printed.next));
  answer.set_text(std::move(printed.text));
  answer.set_state(std::string(NameOf(StateNow(place, run))));
  answer.set_reason(ReasonNow(place, run, true));
  answer.set_worker(run.worker);
  answer.set_attempts(run.attempts);
  AddProgress(place, run, answer);
  GC_TRY(const int64_t next_event, AddEvents(place, run, from_event, *answer.mutable_events()));
  answer.set_next_event(next_event);
  return outcome;
}

}  // namespace glasscase::operations
