// show, lineage, default, retire, erase: models and their versions.
#include <vector>

#include "command.h"
#include "evidence_text.h"
#include "json_members.h"
#include "ledger_text.h"
#include "lineage_tree.h"
#include "model_name.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

struct ModelOptions {
  std::string model;
  bool yes = false;
};

std::string ShapeOf(const json::value& tensor) {
  std::vector<std::string> dimensions;
  for (const auto& dimension : ArrayOf(tensor, "shape")) {
    const int64_t size = dimension.is_int64() ? dimension.get_int64() : 0;
    dimensions.push_back(size < 0 ? "any" : std::to_string(size));
  }
  return "[" + Join(dimensions, ", ") + "]";
}

std::string TensorsOf(const json::value& version, std::string_view member) {
  std::vector<std::string> tensors;
  for (const auto& tensor : ArrayOf(version, member)) {
    tensors.push_back(ShownOf(tensor, "name") + " " + ShownOf(tensor, "datatype") + " " + ShapeOf(tensor));
  }
  return Join(tensors, ", ");
}

std::string FieldsOf(const json::value& object) {
  std::vector<std::string> fields;
  for (const auto& field : ArrayOf(object, "fields"))
    fields.push_back(ShownOf(field, "key") + "=" + ShownOf(field, "value"));
  return Join(fields, ", ");
}

// How many neighbours it has, where the tree itself would be too much.
std::string NeighboursOf(const json::value& version) {
  const size_t parents = ArrayOf(version, "parents").size();
  const size_t children = ArrayOf(version, "children").size();
  if (parents + children == 0) return {};
  return "made from " + std::to_string(parents) + ", " + std::to_string(children) +
         " made from it; glasscase lineage " + ShownOf(version, "id");
}

Result<json::value> GetLineage(Api& api, const std::string& version) {
  return api.Get("/glasscase/v1/models/" + PercentEncode(version) + "/lineage");
}

Status PrintLineage(const Context& context, Api& api, const json::value& version) {
  if (NeighboursOf(version).empty()) return Ok();
  GC_TRY(const json::value graph, GetLineage(api, TextOf(version, "id")));
  context.console.Print("\n" + DrawLineage(graph, LinesOf(context)));
  return Ok();
}

void PrintVersion(const Context& context, const json::value& version, const std::string& default_version,
                  bool with_lineage) {
  const std::string label = ShownOf(version, "version");
  context.console.PrintLine("\nversion " + label + (label == default_version ? " (default)" : ""));
  const bool hosted = FlagOf(version, "hosted");
  const std::string bytes = FormatBytes(static_cast<uint64_t>(IntegerOf(version, "bytes")));
  std::vector<std::vector<std::string>> rows = {{"  state", ShownOf(version, "state")},
                                                {"  published", ShownOf(version, "created_at")},
                                                {"  ledger", LedgerText(version)}};
  if (hosted) {
    rows.push_back({"  inputs", TensorsOf(version, "inputs")});
    rows.push_back({"  outputs", TensorsOf(version, "outputs")});
    rows.push_back(
        {"  size",
         bytes + ", " + Count(static_cast<uint64_t>(IntegerOf(version, "parameters")), "parameter")});
    rows.push_back({"  calls share runs",
                    FlagOf(version, "batched") ? "yes" : "no: " + ShownOf(version, "batching_note")});
  } else {
    rows.push_back({"  size", bytes});
    rows.push_back({"  kept as", ShownOf(version, "media_type")});
  }
  rows.push_back({"  sha256", ShownOf(version, "sha256")});
  rows.push_back({"  id", ShownOf(version, "id")});
  for (const auto& evidence : ArrayOf(version, "evidence"))
    rows.push_back({"  evidence", EvidenceSummary(evidence)});
  if (auto fields = FieldsOf(version); !fields.empty()) rows.push_back({"  fields", fields});
  for (const auto* extra : {"producer", "note"}) {
    if (auto text = ShownOf(version, extra); !text.empty()) rows.push_back({std::string("  ") + extra, text});
  }
  if (auto neighbours = NeighboursOf(version); !with_lineage && !neighbours.empty())
    rows.push_back({"  lineage", neighbours});
  context.console.Print(FormatTable(rows));
}

// The whole lineage of the version that was named, or of the one that is called when none is.
Status PrintVersions(const Context& context, Api& api, const json::value& model, const ModelName& name) {
  const std::string default_version = ShownOf(model, "default_version");
  const json::array& versions = ArrayOf(model, "versions");
  bool found = false;
  for (const auto& version : versions) {
    const std::string label = TextOf(version, "version");
    if (!name.version.empty() && name.version != label && name.version != TextOf(version, "id")) continue;
    found = true;
    const bool with_lineage = !name.version.empty() || label == default_version || versions.size() == 1;
    PrintVersion(context, version, default_version, with_lineage);
    if (with_lineage) GC_TRY_VOID(PrintLineage(context, api, version));
  }
  if (!found && !name.version.empty())
    return Fail(Error::NotFound("model " + name.model + " has no version " + name.version));
  return Ok();
}

Result<Outcome> ShowLineage(Context& context, const ModelOptions& options) {
  GC_TRY_VOID(ModelName::Parse(options.model));
  GC_TRY(Api * api, context.Public());
  GC_TRY(const json::value graph, GetLineage(*api, options.model));
  if (context.console.json) {
    context.console.PrintJson(graph);
    return Done();
  }
  const std::string tree = DrawLineage(graph, LinesOf(context));
  context.console.Print(tree.empty() ? "nothing is known of what it was made from or what was made from it\n"
                                     : tree);
  return Done();
}

Result<Outcome> Show(Context& context, const ModelOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.model));
  GC_TRY(Api * api, context.Public());
  GC_TRY(const json::value model, api->Get(name.OwnPath()));
  if (context.console.json) {
    context.console.PrintJson(model);
    return Done();
  }
  const std::string kind = ShownOf(model, "kind");
  std::vector<std::vector<std::string>> rows = {{kind.empty() ? "model" : kind, ShownOf(model, "name")},
                                                {"owner", ShownOf(model, "owner")},
                                                {"created", ShownOf(model, "created_at")},
                                                {"id", ShownOf(model, "id")},
                                                {"ledger", LedgerText(model)}};
  if (auto licence = ShownOf(model, "licence"); !licence.empty()) rows.push_back({"licence", licence});
  if (auto tags = ShownTextsOf(model, "tags"); !tags.empty()) rows.push_back({"tags", Join(tags, ", ")});
  if (auto fields = FieldsOf(model); !fields.empty()) rows.push_back({"fields", fields});
  context.console.Print(FormatTable(rows));
  GC_TRY_VOID(PrintVersions(context, *api, model, name));
  if (auto card = TextOf(model, "card"); !card.empty()) context.console.PrintLine("\n" + Visible(card, true));
  return Done();
}

// The version is part of what is asked for in all three.
Result<ModelName> ParseWithVersion(const std::string& text) {
  GC_TRY(ModelName name, ModelName::Parse(text));
  if (name.version.empty())
    return Fail(
        Error::InvalidArgument("say which version: " + text + "@VERSION (glasscase show " + text + ")"));
  return name;
}

Result<Outcome> PrintModel(const Context& context, const json::value& model, const std::string& sentence) {
  if (context.console.json) {
    context.console.PrintJson(model);
  } else {
    context.console.PrintLine(Visible(sentence));
    // Choosing a default is no act of the ledger.
    if (TextOf(model, "ledger_state") == "pending")
      context.console.Note(LedgerSentence(model, ShownOf(model, "name")));
  }
  return Done();
}

Result<Outcome> SetDefault(Context& context, const ModelOptions& options) {
  GC_TRY(const ModelName name, ParseWithVersion(options.model));
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value model, api->Put(name.OwnPath() + "/default", {{"version", name.version}}));
  return PrintModel(
      context, model,
      "calls of " + TextOf(model, "name") + " now get version " + TextOf(model, "default_version"));
}

Result<Outcome> Retire(Context& context, const ModelOptions& options) {
  GC_TRY(const ModelName name, ParseWithVersion(options.model));
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value model,
         api->Post(name.OwnPath() + "/versions/" + PercentEncode(name.version) + "/retire", json::object{}));
  const std::string now = TextOf(model, "default_version");
  return PrintModel(
      context, model,
      "retired " + TextOf(model, "name") + "@" + name.version + ": it is no longer called. " +
          (now.empty() ? "The model has no default version now" : "The default version is " + now));
}

Result<Outcome> Erase(Context& context, const ModelOptions& options) {
  GC_TRY(const ModelName name, ParseWithVersion(options.model));
  if (!options.yes) {
    return Fail(Error::InvalidArgument(
        "erasing removes the bytes for good; the record that they existed stays. To do it: glasscase erase " +
        options.model + " --yes"));
  }
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value model, api->Delete(name.OwnPath() + "/versions/" + PercentEncode(name.version)));
  return PrintModel(
      context, model,
      "erased " + TextOf(model, "name") + "@" + name.version + ": the bytes are gone, the record stays");
}

}  // namespace

void AddModelCommands(CommandTree& tree) {
  const auto add = [&](const char* command, const char* what, const char* examples, const char* form,
                       auto run) -> CLI::App& {
    return tree.Add<ModelOptions>(
        tree.root(), command, what, examples,
        [form](CLI::App& app, ModelOptions& options) {
          app.add_option("model", options.model, "Name, owner/name or UUID of the model")
              ->required()
              ->type_name(form);
          if (app.get_name() == "erase") app.add_flag("--yes", options.yes, "Really erase");
        },
        run);
  };
  add("show", "Show a model: versions, inputs, outputs, card",
      "glasscase show digits\nglasscase show ada/digits@2 --json", "MODEL[@V]", Show);
  add("lineage", "Draw what a version was made from, and what was made from it",
      "glasscase lineage digits\nglasscase lineage digits@2 --json", "ASSET[@V]", ShowLineage);
  add("default", "Say which version is called when none is named", "glasscase default digits@2", "MODEL@V",
      SetDefault);
  add("retire", "End calls of a version; its bytes stay", "glasscase retire digits@1", "MODEL@V", Retire);
  add("erase", "Remove the bytes of a version for good", "glasscase erase digits@1 --yes", "MODEL@V", Erase);
}

}  // namespace glasscase::commands
