// receipt, signature, history: what can be shown of an asset, with proofs.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include <glasscase/core/clock.h>
#include <glasscase/ledger/asset_map.h>
#include <glasscase/ledger/entry.h>
#include <glasscase/ledger/receipt.h>

#include "command.h"
#include "json_members.h"
#include "ledger_text.h"
#include "model_name.h"
#include "text.h"
#include "text_file.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct ReceiptOptions {
  std::string asset;
  std::string output;
  std::string of;
};

std::string FileNameFor(const json::value& answer, const std::string& of) {
  std::string name = TextOf(answer, "name") + "@" + TextOf(answer, "version");
  name.erase(0, name.find('/') + 1);
  return name + (of.empty() ? "" : "." + of) + ".tlog-proof";
}

std::string WithVersion(const ModelName& name) {
  return name.version.empty() ? name.model : name.model + "@" + name.version;
}

// Where `glasscase init` put the policy on this machine; empty on others.
Result<std::string> OwnPolicy(Context& context) {
  GC_TRY(const Profile* connection, context.Connection());
  if (connection->data.empty()) return std::string();
  return (fs::path(connection->data) / "ledger-policy").string();
}

Result<Outcome> WriteReceipt(Context& context, const ReceiptOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.asset));
  GC_TRY(Api * api, context.Public());
  GC_TRY(json::value answer,
         api->Get("/glasscase/v1/models/" + PercentEncode(WithVersion(name)) + "/receipt" +
                  (options.of.empty() ? "" : "?of=" + PercentEncode(options.of))));
  const std::string path = options.output.empty() ? FileNameFor(answer, options.of) : options.output;
  if (path == "-") {
    context.console.Print(TextOf(answer, "receipt"));
    return Done();
  }
  GC_TRY_VOID(WriteText(path, TextOf(answer, "receipt")));
  if (context.console.json) {
    answer.as_object()["file"] = path;
    context.console.PrintJson(answer);
    return Done();
  }
  context.console.PrintLine("wrote " + Printable(path, 400) + ": the receipt of " +
                            (options.of.empty() ? "" : "the " + options.of + " that made ") +
                            ShownOf(answer, "name") + "@" + ShownOf(answer, "version"));
  GC_TRY(const std::string policy, OwnPolicy(context));
  context.console.PrintLine("check it anywhere, without the server:\n  glasscase verify " + ShellQuote(path) +
                            " --policy " + (policy.empty() ? "ledger-policy" : ShellQuote(policy)) +
                            (options.of == "translation" ? " --evidence EVIDENCE"
                             : options.of.empty()        ? " --file THE-FILE"
                                                         : ""));
  if (policy.empty())
    context.console.Note("ledger-policy lies in the server's data directory: its operator gives you a copy");
  return Done();
}

struct SignatureOptions {
  std::string asset;
  std::string output;
  std::string public_key;
  bool statement = false;
  bool provenance = false;
  bool IsStatement() const { return statement || provenance; }
};

// Next to what it is about: "digits@2.sig", "digits@2.publish.json" or "digits@2.run.json".
std::string SignatureFileFor(const json::value& answer, const SignatureOptions& options) {
  std::string name = TextOf(answer, "name") + "@" + TextOf(answer, "version");
  name.erase(0, name.find('/') + 1);
  if (options.provenance) return name + ".run.json";
  return name + (options.statement ? ".publish.json" : ".sig");
}

Result<Outcome> WriteSignature(Context& context, const SignatureOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.asset));
  GC_TRY(Api * api, options.IsStatement() ? context.Public() : context.Control());
  const std::string path = "/glasscase/v1/models/" + PercentEncode(WithVersion(name));
  GC_TRY(json::value answer, api->Get(path + (options.provenance  ? "/statement?about=run"
                                              : options.statement ? "/statement"
                                                                  : "/signature")));
  if (!options.public_key.empty()) GC_TRY_VOID(WriteText(options.public_key, TextOf(answer, "public_key")));
  const std::string file = options.output.empty() ? SignatureFileFor(answer, options) : options.output;
  if (file == "-") {
    context.console.Print(TextOf(answer, "signature"));
    return Done();
  }
  GC_TRY_VOID(WriteText(file, TextOf(answer, "signature")));
  if (context.console.json) {
    answer.as_object()["file"] = file;
    context.console.PrintJson(answer);
    return Done();
  }
  context.console.PrintLine("wrote " + Printable(file, 400) + ": the installation's " +
                            (options.provenance  ? "statement of the run that made "
                             : options.statement ? "statement that it published "
                                                 : "signature of the files of ") +
                            ShownOf(answer, "name") + "@" + ShownOf(answer, "version"));
  if (!options.IsStatement())
    context.console.PrintLine(
        "check it with a tool of others:\n  model_signing verify key THE-FILES --signature " +
        ShellQuote(file) + " --public_key signing.pem");
  return Done();
}

struct HistoryOptions {
  std::string asset;
  bool prove = false;
  std::string policy;
};

Result<ledger::Policy> ReadPolicy(Context& context, const std::string& given) {
  std::string path = given;
  if (path.empty()) {
    GC_TRY(path, OwnPolicy(context));
    if (path.empty())
      return Fail(Error::InvalidArgument(
          "say whom to trust: --policy FILE, with a line \"log VKEY\" that you got from the operator"));
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return Fail(Error::NotFound("could not read the policy " + path));
  return ledger::Policy::Parse(text.str());
}

Result<std::vector<ledger::Hash>> HashesFrom(const json::array& texts) {
  std::vector<ledger::Hash> hashes;
  for (const json::value& text : texts) {
    const auto bytes =
        text.is_string() ? FromBase64(std::string_view(text.get_string())) : Fail(Error::DataLoss(""));
    if (!bytes || bytes->size() != sizeof(ledger::Hash))
      return Fail(Error::DataLoss("the server's proof is not made of hashes"));
    std::copy(bytes->begin(), bytes->end(), hashes.emplace_back().begin());
  }
  return hashes;
}

// What the proof shows when it holds.
struct Proved {
  ledger::CheckedCheckpoint checkpoint;
  size_t entries = 0;
};

Result<Proved> Prove(const json::value& answer, const ledger::Policy& policy) {
  GC_TRY(const Uuid asset, Uuid::Parse(TextOf(answer, "asset")));
  std::vector<ledger::AssetEntry> entries;
  for (const json::value& row : ArrayOf(answer, "entries")) {
    const std::string entry = TextOf(row, "entry");
    GC_TRY(const std::vector<Uuid> assets, ledger::AssetsOf(entry));
    if (std::find(assets.begin(), assets.end(), asset) == assets.end())
      return Fail(Error::FailedPrecondition("the server gave an entry of another asset"));
    entries.push_back({static_cast<uint64_t>(IntegerOf(row, "index")), ledger::HashLeaf(AsBytes(entry))});
  }
  GC_TRY(const ledger::Receipt receipt, ledger::Receipt::Parse(TextOf(answer, "map_receipt")));
  Proved proved{.checkpoint = {}, .entries = entries.size()};
  GC_TRY(proved.checkpoint, ledger::CheckReceipt(receipt, receipt.extra, policy));
  GC_TRY(const auto map, ledger::ReadMapEntry(receipt.extra));
  if (!map || map->size != receipt.index)
    return Fail(Error::FailedPrecondition("the last entry of the log is not the map of those before it"));
  ledger::MapProof proof;
  GC_TRY(proof.siblings, HashesFrom(ArrayOf(answer, "siblings")));
  GC_TRY_VOID(ledger::CheckMapProof(asset, entries, proof, map->root));
  return proved;
}

void AddEntry(std::vector<std::vector<std::string>>& rows, const std::string& index, const std::string& entry,
              const std::string& ledger) {
  const auto parsed = ParseJson(entry, "an entry");
  if (!parsed) return;
  const std::string about =
      ShownOf(*parsed, "version").empty() ? ShownOf(*parsed, "grant") : ShownOf(*parsed, "version");
  rows.push_back({index, FormatTime(IntegerOf(*parsed, "at")), ShownOf(*parsed, "type"), about, ledger});
}

void PrintEntries(const Context& context, const json::value& answer) {
  std::vector<std::vector<std::string>> rows = {{"ENTRY", "WHEN", "WHAT", "ABOUT", "LEDGER"}};
  for (const json::value& row : ArrayOf(answer, "entries"))
    AddEntry(rows, std::to_string(IntegerOf(row, "index")), TextOf(row, "entry"), LedgerText(row));
  for (const json::value& waiting : ArrayOf(answer, "waiting"))
    if (waiting.is_string()) AddEntry(rows, "-", std::string(waiting.get_string()), "pending");
  context.console.PrintTable(rows, "no entries");
}

Result<Outcome> ShowHistory(Context& context, const HistoryOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.asset));
  GC_TRY(Api * api, context.Public());
  GC_TRY(json::value answer, api->Get(name.OwnPath() + "/history"));
  std::optional<Proved> proved;
  std::optional<ledger::Policy> policy;
  if (options.prove) {
    GC_TRY(policy, ReadPolicy(context, options.policy));
    GC_TRY(proved, Prove(answer, *policy));
  }
  if (context.console.json) {
    answer.as_object()["proved"] = proved.has_value();
    context.console.PrintJson(answer);
    return Done();
  }
  PrintEntries(context, answer);
  if (const int64_t pending = IntegerOf(answer, "pending"); pending > 0)
    context.console.Note(std::to_string(pending) + " acts of this installation wait to be published");
  if (!proved) return Done();
  context.console.PrintLine("\nproved: these " + std::to_string(proved->entries) +
                            " entries are in the log " + Printable(proved->checkpoint.log) + " of " +
                            std::to_string(proved->checkpoint.checkpoint.size) +
                            " entries, and by its map there are no others of this asset");
  if (!policy->NeedsWitnesses())
    context.console.PrintLine("not protected against the operator: the policy names no witness");
  return Done();
}

}  // namespace

void AddLedgerCommands(CommandTree& tree) {
  tree.Add<ReceiptOptions>(
      tree.root(), "receipt", "Write the proof that a version is registered, for checking offline",
      "glasscase receipt digits\nglasscase receipt ada/digits@2 --output digits.tlog-proof\n"
      "glasscase receipt digits-onnx --of translation",
      [](CLI::App& command, ReceiptOptions& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")
            ->required()
            ->type_name("ASSET[@V]");
        command
            .add_option("--output,-o", options.output,
                        "Where to (default: NAME@V.tlog-proof; -: standard output)")
            ->type_name("FILE");
        command
            .add_option("--of", options.of,
                        "Of the run or translation that made the version, instead of its registration")
            ->check(CLI::IsMember({"run", "translation"}))
            ->type_name("WHAT");
      },
      WriteReceipt);
  tree.Add<SignatureOptions>(
      tree.root(), "signature", "Write the installation's signature of a version, for tools of others",
      "glasscase signature digits --output model.sig --public-key signing.pem\n"
      "glasscase signature digits@2 --statement\n"
      "glasscase signature digits-onnx --provenance",
      [](CLI::App& command, SignatureOptions& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")
            ->required()
            ->type_name("ASSET[@V]");
        command
            .add_option("--output,-o", options.output, "Where to (default: NAME@V.sig; -: standard output)")
            ->type_name("FILE");
        command.add_option("--public-key", options.public_key, "Also write the key that it is checked with")
            ->type_name("FILE");
        command.add_flag("--statement", options.statement,
                         "The in-toto statement that the version was published, instead of the OpenSSF model "
                         "signature of its files");
        command
            .add_flag("--provenance", options.provenance,
                      "The in-toto statement of the run that made it: code, data, recipe, machine")
            ->excludes("--statement");
      },
      WriteSignature);
  tree.Add<HistoryOptions>(
      tree.root(), "history", "All entries of the ledger about an asset",
      "glasscase history digits\nglasscase history digits --prove --policy ledger-policy",
      [](CLI::App& command, HistoryOptions& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")
            ->required()
            ->type_name("ASSET");
        command.add_flag("--prove", options.prove, "Check the proof that none is missing");
        command
            .add_option("--policy", options.policy,
                        "Whom to trust (default: that of the profile's installation)")
            ->type_name("FILE");
      },
      ShowHistory);
}

}  // namespace glasscase::commands
