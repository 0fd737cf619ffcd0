#include "run_following.h"

#include <chrono>
#include <memory>
#include <thread>

#include <boost/json/serialize.hpp>

#include "evidence_text.h"
#include "json_members.h"
#include "progress.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr auto kLookEvery = std::chrono::milliseconds(300);
constexpr uint64_t kWhole = 1'000;

// The bar of a run that tells how far it is.
class RunBar {
 public:
  explicit RunBar(const Console& console) : console_(console) {}

  void Show(const json::value& run) {
    const double fraction = NumberOf(run, "progress");
    const std::string what = fraction > 0 ? ShownOf(run, "progress_text") : ShownOf(run, "state");
    if (!bar_ || what != what_) bar_ = std::make_unique<Progress>(console_, what, kWhole);
    what_ = what;
    if (fraction > 0) {
      bar_->ShowCount(static_cast<uint64_t>(fraction * static_cast<double>(kWhole)));
    } else {
      bar_->ShowElapsed();
    }
  }

 private:
  const Console& console_;
  std::unique_ptr<Progress> bar_;
  std::string what_;
};

// What becomes of a run beside what it prints, a line for each turn.
class Turns {
 public:
  explicit Turns(const Console& console) : console_(console) {}

  void Show(const json::value& piece) {
    std::string turn = ShownOf(piece, "state");
    const std::string worker = ShownOf(piece, "worker"), reason = ShownOf(piece, "reason");
    const bool is_with_worker = turn == "preparing" || turn == "running";
    if (is_with_worker && !worker.empty()) turn += " on " + worker;
    if (is_with_worker && IntegerOf(piece, "attempts") > 1)
      turn += ", attempt " + std::to_string(IntegerOf(piece, "attempts"));
    if (!reason.empty()) turn += ": " + reason;
    if (turn != last_) console_.Note(turn);
    last_ = turn;
  }

 private:
  const Console& console_;
  std::string last_;
};

}  // namespace

std::string RunPath(const std::string& run) { return "/glasscase/v1/runs/" + PercentEncode(run); }

bool HasEnded(const json::value& run) {
  const std::string state = TextOf(run, "state");
  return state == "succeeded" || state == "failed" || state == "cancelled";
}

Outcome EndOf(const json::value& run) { return Outcome{TextOf(run, "state") == "succeeded" ? 0 : 1}; }

void PrintRun(const Context& context, const json::value& run) {
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) context.console.PrintLine(name + std::string(14 - name.size(), ' ') + value);
  };
  const std::string version = ShownOf(run, "version");
  line("run", ShownOf(run, "id"));
  line("kind", ShownOf(run, "kind"));
  line("model", ShownOf(run, "model") + (version.empty() ? "" : "@" + version));
  line("state", ShownOf(run, "state") + (TextOf(run, "reason").empty() ? "" : ": " + ShownOf(run, "reason")));
  line("result", ShownOf(run, "result"));
  line("repeats", ShownOf(run, "repeats"));
  line("translates", ShownOf(run, "translates"));
  line("recipe", "SHA-256 " + ShownOf(run, "recipe_sha256"));
  line("worker", ShownOf(run, "worker"));
  line("queued", ShownOf(run, "created_at"));
  line("started", ShownOf(run, "started_at"));
  line("ended", ShownOf(run, "ended_at"));
  PrintEvidence(context, run);
  const auto record = ParseJson(TextOf(run, "record"), "the record");
  if (!record || !record->is_object()) return;
  const auto part = [&](const char* name) {
    const auto* value = record->as_object().if_contains(name);
    return value == nullptr ? std::string() : Visible(json::serialize(*value), false);
  };
  line("metrics", part("metrics"));
  line("used", part("used"));
}

void ShowRun(const Context& context, const json::value& run) {
  if (context.console.json) {
    context.console.PrintJson(run);
  } else {
    PrintRun(context, run);
  }
}

Outcome LeaveQueued(const Context& context, const json::value& run, const std::string& next) {
  const std::string id = Printable(TextOf(run, "id"));
  if (context.console.json) {
    context.console.PrintJson(run);
  } else {
    context.console.PrintLine("queued run " + id + "; next: " + next + " " + id);
  }
  return Outcome{0};
}

void PrintEvidence(const Context& context, const json::value& run) {
  std::string name = "evidence";
  for (const std::string& line : EvidenceLines(TextOf(run, "evidence"))) {
    context.console.PrintLine(name + std::string(14 - name.size(), ' ') + line);
    name.clear();
  }
}

Result<json::value> FollowRun(Context& context, Api& api, const std::string& run, bool bar) {
  const bool shows_bar = bar && context.console.shows_progress();
  RunBar drawn(context.console);
  Turns turns(context.console);
  std::string from = "0";
  while (true) {
    if (shows_bar) {
      GC_TRY(const json::value now, api.Get(RunPath(run)));
      if (HasEnded(now)) return now;
      drawn.Show(now);
      std::this_thread::sleep_for(kLookEvery);
      continue;
    }
    GC_TRY(const json::value piece, api.Get(RunPath(run) + "/log?from=" + from));
    const std::string text = TextOf(piece, "text");
    turns.Show(piece);
    if (!context.console.json && !text.empty()) context.console.Print(Visible(text, true));
    from = std::to_string(IntegerOf(piece, "next"));
    if (FlagOf(piece, "ended")) return api.Get(RunPath(run));
    if (text.empty()) std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace glasscase::commands
