// card set|remove, edit: what an owner says of an asset, changed without publishing.
#include <filesystem>

#include "card_file.h"
#include "command.h"
#include "free_fields.h"
#include "json_members.h"
#include "ledger_text.h"
#include "model_name.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

struct EditOptions {
  std::string asset;
  std::string card_file;
  std::vector<std::string> tags, untags, fields, unfields;
  std::string licence;
  bool no_licence = false;
};

Result<Outcome> Send(Context& context, const std::string& asset, const json::object& asked,
                     std::string_view done) {
  GC_TRY(const ModelName name, ModelName::Parse(asset));
  if (!name.version.empty())
    return Fail(
        Error::InvalidArgument("a published version stays as it is; name the asset alone: " + name.model));
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Post(name.OwnPath() + "/edit", asked));
  if (context.console.json) {
    context.console.PrintJson(answer);
  } else {
    context.console.PrintLine(std::string(done) + " " + ShownOf(answer, "name"));
    context.console.Note(LedgerSentence(answer, ShownOf(answer, "name")));
  }
  return Done();
}

Result<Outcome> SetCard(Context& context, const EditOptions& options) {
  GC_TRY(const std::string card, ReadCardFile(options.card_file));
  if (card.empty())
    return Fail(Error::InvalidArgument("the card " + options.card_file +
                                       " is empty; to have none: glasscase card remove " + options.asset));
  return Send(context, options.asset, {{"card", card}}, "changed the card of");
}

Result<Outcome> RemoveCard(Context& context, const EditOptions& options) {
  return Send(context, options.asset, {{"card", ""}}, "removed the card of");
}

Result<Outcome> Edit(Context& context, const EditOptions& options) {
  json::object asked;
  const auto add = [&](const char* member, const std::vector<std::string>& values) {
    if (!values.empty()) asked[member] = json::array(values.begin(), values.end());
  };
  add("tag", options.tags);
  add("untag", options.untags);
  add("unfield", options.unfields);
  if (!options.fields.empty()) {
    GC_TRY(asked["field"], FieldsFrom(options.fields));
  }
  if (options.no_licence || !options.licence.empty()) asked["licence"] = options.licence;
  if (asked.empty())
    return Fail(
        Error::InvalidArgument("say what to change: --tag, --untag, --field, --unfield or --licence"));
  return Send(context, options.asset, asked, "changed");
}

void DeclareAssetName(CLI::App& command, EditOptions& options) {
  command.add_option("asset", options.asset, "Name, owner/name or UUID")->required()->type_name("ASSET");
}

void DeclareEdit(CLI::App& command, EditOptions& options) {
  DeclareAssetName(command, options);
  command.add_option("--tag", options.tags, "Add a word to find it by; may be repeated")->type_name("WORD");
  command.add_option("--untag", options.untags, "Remove one; may be repeated")->type_name("WORD");
  command.add_option("--field", options.fields, "Set a free field; may be repeated")->type_name("KEY=VALUE");
  command.add_option("--unfield", options.unfields, "Remove one; may be repeated")->type_name("KEY");
  CLI::Option* licence =
      command.add_option("--licence", options.licence, "Its licence, for example CC-BY-4.0");
  licence->type_name("TEXT");
  command.add_flag("--no-licence", options.no_licence, "It has none")->excludes(licence);
}

}  // namespace

void AddEditCommands(CommandTree& tree) {
  tree.Add<EditOptions>(
      tree.root(), "edit", "Change tags, licence and free fields of an asset",
      "glasscase edit digits --tag images --field site=north\nglasscase edit digits-data --licence CC0-1.0",
      DeclareEdit, Edit);
  CLI::App& card =
      tree.AddGroup("card", "What the users of an asset should know", "glasscase card set digits README.md");
  tree.Add<EditOptions>(
      card, "set", "Set the card of an asset; versions keep those they were published with",
      "glasscase card set digits README.md",
      [](CLI::App& command, EditOptions& options) {
        DeclareAssetName(command, options);
        command.add_option("file", options.card_file, "Markdown, at most 256 KiB")
            ->required()
            ->type_name("FILE.md");
      },
      SetCard);
  tree.Add<EditOptions>(card, "remove", "Show the default version's card again",
                        "glasscase card remove digits", DeclareAssetName, RemoveCard);
}

}  // namespace glasscase::commands
