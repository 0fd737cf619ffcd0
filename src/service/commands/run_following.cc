#include "run_following.h"

#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "evidence_text.h"
#include "json_members.h"
#include "progress.h"
#include "record_text.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr auto kLookEvery = std::chrono::milliseconds(300);
constexpr uint64_t kWhole = 1'000;
constexpr size_t kNameWidth = 14;

// The bar of a run that tells how far it is.
class RunBar {
 public:
  explicit RunBar(const Console& console) : console_(console) {}

  void Show(const json::value& run) {
    const double fraction = NumberOf(run, "progress");
    const bool measures = fraction > 0;
    const std::string what = measures ? ShownOf(run, "progress_text") : ShownOf(run, "state");
    if (!bar_ || measures != measures_) bar_.emplace(console_, what, kWhole);
    measures_ = measures;
    bar_->SetWhat(what);
    if (measures) {
      bar_->ShowCount(static_cast<uint64_t>(fraction * static_cast<double>(kWhole)));
    } else {
      bar_->ShowElapsed();
    }
  }
  // Before something else is printed.
  void Hide() {
    if (bar_) bar_->Hide();
  }

 private:
  const Console& console_;
  std::optional<Progress> bar_;
  bool measures_ = false;
};

// "running on local-1, attempt 2"
std::string EventText(const json::value& event) {
  std::string text = ShownOf(event, "state");
  const std::string worker = ShownOf(event, "worker"), reason = ShownOf(event, "reason");
  const bool is_with_worker = text == "preparing" || text == "running";
  if (is_with_worker && !worker.empty()) text += " on " + worker;
  if (is_with_worker && IntegerOf(event, "attempt") > 1)
    text += ", attempt " + std::to_string(IntegerOf(event, "attempt"));
  return reason.empty() ? text : text + ": " + reason;
}

// What becomes of a run beside what it prints, a line for each event; and why it waits, which is none.
class Turns {
 public:
  explicit Turns(const Console& console) : console_(console) {}

  // Whether it has something to say of that piece of the log.
  bool HasNews(const json::value& piece) const {
    return !ArrayOf(piece, "events").empty() || Waits(piece) != waits_;
  }
  void Show(const json::value& piece) {
    for (const json::value& event : ArrayOf(piece, "events")) console_.Note(EventText(event));
    if (const std::string waits = Waits(piece); waits != std::exchange(waits_, waits) && !waits.empty())
      console_.Note("queued: " + waits);
  }

 private:
  static std::string Waits(const json::value& piece) {
    return TextOf(piece, "state") == "queued" && TextOf(piece, "reason").starts_with("it waits")
               ? ShownOf(piece, "reason")
               : std::string();
  }

  const Console& console_;
  std::string waits_;
};

// What its record says of where it was and what it was held to.
void PrintRecord(const json::value& record,
                 const std::function<void(const char*, const std::string&)>& line) {
  line("metrics", MetricsText(ValueOf(record, "metrics")));
  line("used", UsedText(ValueOf(record, "used")));
  const json::value& machine = ValueOf(record, "machine");
  if (machine.is_object())
    line("machine", ShownOf(machine, "processor") + ", Linux " + ShownOf(machine, "kernel") + ", " +
                        ShownOf(machine, "architecture"));
  line("executor", ShownOf(record, "executor"));
  const char* name = "in force";
  for (const std::string& limit : ShownTextsOf(record, "in_force")) line(std::exchange(name, ""), limit);
  name = "missing";
  for (const std::string& limit : ShownTextsOf(record, "missing")) line(std::exchange(name, ""), limit);
  line("log", TextOf(record, "log_sha256").empty() ? "" : "SHA-256 " + ShownOf(record, "log_sha256"));
}

// Of what came after them.
std::string LogPath(const std::string& run, std::string_view from_byte, std::string_view from_event) {
  return RunPath(run).append("/log?from=").append(from_byte).append("&from_event=").append(from_event);
}

}  // namespace

std::string RunPath(const std::string& run) { return "/glasscase/v1/runs/" + PercentEncode(run); }

bool HasEnded(const json::value& run) {
  const std::string state = TextOf(run, "state");
  return state == "succeeded" || state == "failed" || state == "cancelled";
}

Outcome EndOf(const json::value& run) { return Outcome{TextOf(run, "state") == "succeeded" ? 0 : 1}; }

void PrintRun(const Context& context, const json::value& run) {
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) context.console.PrintLine(name + std::string(kNameWidth - name.size(), ' ') + value);
  };
  const std::string version = ShownOf(run, "version");
  line("run", ShownOf(run, "id"));
  line("kind", ShownOf(run, "kind"));
  line("model", ShownOf(run, "model") + (version.empty() ? "" : "@" + version));
  line("state", ShownOf(run, "state") + (TextOf(run, "reason").empty() ? "" : ": " + ShownOf(run, "reason")));
  if (const double fraction = NumberOf(run, "progress"); fraction > 0 && !HasEnded(run))
    line("progress",
         std::to_string(static_cast<int>(fraction * 100)) + " % " + ShownOf(run, "progress_text"));
  line("result", ShownOf(run, "result"));
  line("repeats", ShownOf(run, "repeats"));
  line("translates", ShownOf(run, "translates"));
  const std::string translation = ShownOf(run, "translation");
  if (!translation.empty())
    line("translation", "run " + translation + "; glasscase runs logs -f " + translation);
  line("recipe", "SHA-256 " + ShownOf(run, "recipe_sha256"));
  line("worker", ShownOf(run, "worker"));
  line("queued", ShownOf(run, "created_at"));
  line("started", ShownOf(run, "started_at"));
  line("ended", ShownOf(run, "ended_at"));
  std::string name = "events";
  for (const json::value& event : ArrayOf(run, "events"))
    line(std::exchange(name, ""), ShownOf(event, "at") + "  " + EventText(event));
  PrintEvidence(context, run);
  const auto record = ParseJson(TextOf(run, "record"), "the record");
  if (record && record->is_object()) PrintRecord(*record, line);
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
    name.append(kNameWidth - name.size(), ' ');
    context.console.PrintLine(name.append(line));
    name.clear();
  }
}

Result<json::value> FollowRun(Context& context, Api& api, const std::string& run, Follow what) {
  const bool prints = what == Follow::kLog || !context.console.shows_progress();
  RunBar bar(context.console);
  Turns turns(context.console);
  std::string from = "0", from_event = "0";
  bool is_at_line_begin = true;  // elsewhere a bar would be drawn over what was printed
  while (true) {
    GC_TRY(const json::value piece, api.Get(LogPath(run, from, from_event)));
    const std::string text = TextOf(piece, "text");
    if (prints && (turns.HasNews(piece) || !text.empty())) bar.Hide();
    if (prints) turns.Show(piece);
    if (prints && !context.console.json && !text.empty()) context.console.Print(Visible(text, true));
    from = std::to_string(IntegerOf(piece, "next"));
    from_event = std::to_string(IntegerOf(piece, "next_event"));
    if (FlagOf(piece, "ended")) return api.Get(RunPath(run));
    if (prints && !text.empty()) is_at_line_begin = text.ends_with('\n');
    if (is_at_line_begin) bar.Show(piece);
    if (text.empty()) std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace glasscase::commands
