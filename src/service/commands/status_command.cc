// status: the processes, what confines each, and what is kept.
#include "command.h"
#include "json_members.h"
#include "ledger_text.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

std::string OrNothing(const std::vector<std::string>& texts) {
  return texts.empty() ? "nothing" : Join(texts, ", ");
}

void PrintProcess(const Context& context, const json::value& process) {
  context.console.PrintLine("\n" + ShownOf(process, "process") + " (process " +
                            std::to_string(IntegerOf(process, "pid")) + ")");
  std::vector<std::vector<std::string>> rows = {{"  in force", OrNothing(ShownTextsOf(process, "in_force"))},
                                                {"  missing", OrNothing(ShownTextsOf(process, "missing"))}};
  if (auto note = ShownOf(process, "note"); !note.empty()) rows.push_back({"  note", note});
  context.console.Print(FormatTable(rows));
}

std::vector<std::vector<std::string>> LedgerRows(const json::value& answer) {
  const auto entries = [&](const char* member) {
    const int64_t count = IntegerOf(answer, member);
    return std::to_string(count) + (count == 1 ? " entry" : " entries");
  };
  std::vector<std::vector<std::string>> rows = {{"ledger", entries("ledger_size")}};
  if (auto trouble = ShownOf(answer, "ledger_trouble"); !trouble.empty()) rows.push_back({"", trouble});
  if (auto quorum = ShownOf(answer, "witness_quorum"); !quorum.empty())
    rows.push_back({"witnesses", quorum + " have signed " + entries("cosigned_size")});
  if (auto trouble = ShownOf(answer, "witness_trouble"); !trouble.empty()) rows.push_back({"", trouble});
  return rows;
}

std::vector<std::vector<std::string>> ChainRows(const json::value& answer) {
  const json::value& chain = ValueOf(answer, "chain");
  if (!chain.is_object()) return {};
  std::vector<std::vector<std::string>> rows = {{"chain", ShownOf(chain, "place")},
                                                {"", AnchoredText(chain)}};
  if (const int64_t open = IntegerOf(chain, "open"); open > 0)
    rows.push_back({"", Count(static_cast<uint64_t>(open), "act") + " not written for good yet"});
  if (auto trouble = ShownOf(chain, "trouble"); !trouble.empty()) rows.push_back({"", trouble});
  return rows;
}

Result<Outcome> ShowStatus(Context& context, const NoOptions&) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/status"));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  const auto number = [&](const char* member) { return static_cast<uint64_t>(IntegerOf(answer, member)); };
  context.console.Print(FormatTable({
      {"installation", ShownOf(answer, "installation")},
      {"version", ShownOf(answer, "version")},
      {"running since", ShownOf(answer, "started_at")},
      {"keeps", Count(number("subjects"), "subject") + ", " + Count(number("tokens"), "token") + ", " +
                    Count(number("grants"), "grant") + ", " + Count(number("models"), "model")},
      {"last change", "in force everywhere after " + FormatMilliseconds(NumberOf(answer, "last_push_ms"))},
      {"disk", FormatBytes(number("data_bytes_free")) + " free"},
  }));
  context.console.Print(FormatTable(LedgerRows(answer)));
  context.console.Print(FormatTable(ChainRows(answer)));
  for (const auto& process : ArrayOf(answer, "processes")) PrintProcess(context, process);
  return Done();
}

}  // namespace

void AddStatusCommand(CommandTree& tree) {
  tree.Add<NoOptions>(tree.root(), "status", "Show the processes, what confines each, and what is kept",
                      "glasscase status\nglasscase status --json", {}, ShowStatus);
}

}  // namespace glasscase::commands
