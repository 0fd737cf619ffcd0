// list models|datasets|subjects|grants|tokens, search.
#include <vector>

#include "asset_list.h"
#include "command.h"
#include "json_members.h"
#include "ledger_text.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

using Row = std::vector<std::string>;

struct ListOptions {
  std::string subject;
  std::string model;
};

// Prints the array `member` of an answer: as it is with --json, else as a table.
template <typename MakeRow>
Result<Outcome> PrintList(const Context& context, const json::value& answer, std::string_view member,
                          Row heading, MakeRow make_row, std::string_view when_empty) {
  const json::array& items = ArrayOf(answer, member);
  if (context.console.json) {
    context.console.PrintJson(items);
    return Done();
  }
  std::vector<Row> rows = {std::move(heading)};
  for (const auto& item : items) rows.push_back(make_row(item));
  context.console.PrintTable(rows, when_empty);
  return Done();
}

std::string OrDash(std::string text) { return text.empty() ? "-" : std::move(text); }

std::string Query(const ListOptions& options) {
  std::string query;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query += (query.empty() ? "?" : "&") + std::string(name) + "=" + PercentEncode(value);
  };
  add("subject", options.subject);
  add("model", options.model);
  return query;
}

Result<Outcome> ListModels(Context& context, const AssetFilter& options) {
  AssetFilter filter = options;
  filter.kind = "model";
  return ListAssets(context, filter,
                    "no models that you may call; owners publish with: glasscase publish FILE --name NAME");
}

Result<Outcome> ListDatasets(Context& context, const AssetFilter& options) {
  AssetFilter filter = options;
  filter.kind = "dataset";
  return ListAssets(
      context, filter,
      "no datasets that you may see; owners add them with: glasscase dataset add FILE --name NAME");
}

Result<Outcome> Search(Context& context, const AssetFilter& filter) {
  return ListAssets(context, filter,
                    "nothing that you may see fits; `glasscase search` alone shows all of that");
}

Result<Outcome> ListSubjects(Context& context, const ListOptions&) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/subjects"));
  const auto row = [](const json::value& subject) {
    return Row{ShownOf(subject, "name"), Join(ShownTextsOf(subject, "roles"), ", "),
               ShownOf(subject, "created_at"), ShownOf(subject, "id")};
  };
  return PrintList(context, answer, "subjects", {"NAME", "ROLES", "CREATED", "ID"}, row, "no subjects");
}

Result<Outcome> ListGrants(Context& context, const ListOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/grants" + Query(options)));
  const auto row = [](const json::value& grant) {
    return Row{ShownOf(grant, "subject"),
               ShownOf(grant, "action"),
               ShownOf(grant, "model"),
               OrDash(ShownOf(grant, "quota")),
               OrDash(ShownOf(grant, "expires_at")),
               ShownOf(grant, "state"),
               LedgerText(grant),
               ShownOf(grant, "id")};
  };
  return PrintList(context, answer, "grants",
                   {"SUBJECT", "ACTION", "MODEL", "QUOTA", "EXPIRES", "STATE", "LEDGER", "ID"}, row,
                   "no grants yet; make one with: glasscase grant NAME predict MODEL");
}

Result<Outcome> ListTokens(Context& context, const ListOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/tokens" + Query(options)));
  const auto row = [](const json::value& token) {
    return Row{ShownOf(token, "subject"),
               "..." + ShownOf(token, "hint"),
               ShownOf(token, "created_at"),
               OrDash(ShownOf(token, "expires_at")),
               OrDash(ShownOf(token, "last_used_at")),
               ShownOf(token, "state"),
               ShownOf(token, "id")};
  };
  return PrintList(context, answer, "tokens",
                   {"SUBJECT", "ENDS IN", "CREATED", "EXPIRES", "LAST USED", "STATE", "ID"}, row,
                   "no tokens");
}

}  // namespace

void AddListCommands(CommandTree& tree) {
  CLI::App& list = tree.AddGroup("list", "List models, datasets, subjects, grants or tokens",
                                 "glasscase list models\nglasscase list grants --subject ada --json");
  const auto subject = [](CLI::App& command, ListOptions& options) {
    command.add_option("--subject", options.subject, "Only of this subject")->type_name("NAME");
  };
  const auto subject_and_model = [subject](CLI::App& command, ListOptions& options) {
    subject(command, options);
    command.add_option("--model", options.model, "Only on this model")->type_name("MODEL");
  };
  const auto filter = [](CLI::App& command, AssetFilter& options) {
    command
        .add_option("--name", options.name,
                    "With this in its name; whole names if shorter than three letters")
        ->type_name("TEXT");
    DeclareFilter(command, options);
  };
  tree.Add<AssetFilter>(list, "models", "Models that you own or may call",
                        "glasscase list models --json\nglasscase list models --ancestor digits-data", filter,
                        ListModels);
  tree.Add<AssetFilter>(list, "datasets", "Datasets that you own or may take",
                        "glasscase list datasets --tag images", filter, ListDatasets);
  tree.Add<ListOptions>(list, "subjects", "People and programs known here", "glasscase list subjects", {},
                        ListSubjects);
  tree.Add<ListOptions>(list, "grants", "Who may call what",
                        "glasscase list grants\nglasscase list grants --model digits", subject_and_model,
                        ListGrants);
  tree.Add<ListOptions>(list, "tokens", "Tokens, without their secret part",
                        "glasscase list tokens --subject ada", subject, ListTokens);
  tree.Add<AssetFilter>(
      tree.root(), "search", "Find models and datasets that you own or were granted",
      "glasscase search digits\nglasscase search --tag images --licence CC0-1.0\nglasscase search --ancestor "
      "digits-data@1 --kind model --limit 20",
      [](CLI::App& command, AssetFilter& options) {
        command
            .add_option("name", options.name,
                        "With this in its name; whole names if shorter than three letters")
            ->type_name("NAME");
        command.add_option("--kind", options.kind, "Only these")
            ->check(CLI::IsMember({"model", "dataset"}))
            ->type_name("model|dataset");
        DeclareFilter(command, options);
      },
      Search);
}

}  // namespace glasscase::commands
