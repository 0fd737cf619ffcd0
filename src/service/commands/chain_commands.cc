// chain init, chain show, anchor: the installation's chain.
#include "child_process.h"
#include "command.h"
#include "json_members.h"
#include "ledger_text.h"
#include "model_name.h"
#include "serve_settings.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct ChainInitOptions {
  std::string url;
  uint64_t chain_id = 0;
  std::string finality = "tag";
  bool free_of_fees = false;
  uint64_t every_s = 86'400;
  std::optional<uint64_t> max_fee_per_gas;  // wei, like the other two
  std::optional<uint64_t> max_priority_fee_per_gas;
  std::optional<uint64_t> max_transaction_fee;
  std::string data;
};

void AddLimit(std::vector<std::string>& words, const char* option, const std::optional<uint64_t>& wei) {
  if (wei) words.push_back(option + std::to_string(*wei));
}

Result<Outcome> InitChain(Context& context, const ChainInitOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  std::vector<std::string> words = {"--chain-init=" + data.string(), "--chain-url=" + options.url,
                                    "--chain-id=" + std::to_string(options.chain_id),
                                    "--chain-finality=" + options.finality,
                                    "--chain-every-s=" + std::to_string(options.every_s)};
  if (options.free_of_fees) words.emplace_back("--chain-free");
  AddLimit(words, "--chain-max-fee-per-gas=", options.max_fee_per_gas);
  AddLimit(words, "--chain-max-priority-fee-per-gas=", options.max_priority_fee_per_gas);
  AddLimit(words, "--chain-max-transaction-fee=", options.max_transaction_fee);
  GC_TRY(const ProgramResult result, RunProgram(program, words));
  if (!context.console.json || result.exit_code != 0) context.console.Print(Visible(result.output, true));
  if (result.exit_code != 0) return Outcome{1};  // it has said why
  if (context.console.json)
    context.console.PrintJson({{"data", data.string()}, {"settings", (data / "chain.json").string()}});
  else
    context.console.PrintLine("written into " + (data / "chain.json").string() + "; next: glasscase serve");
  return Done();
}

struct AssetOption {
  std::string asset;
};

void PrintActs(const Context& context, const json::value& answer) {
  const std::string place = ShownOf(answer, "place");
  context.console.PrintLine(place.empty() ? "no chain is configured" : place);
  if (!place.empty()) context.console.PrintLine(AnchoredText(answer));
  if (const std::string trouble = ShownOf(answer, "trouble"); !trouble.empty())
    context.console.PrintLine("trouble: " + trouble);
  std::vector<std::vector<std::string>> rows = {{"WHAT", "STATE", "QUEUED", "TRANSACTION", "CONTRACT"}};
  for (const json::value& act : ArrayOf(answer, "acts")) {
    const std::string state = ShownOf(act, "state");
    const bool may_change = state == "written" && !FlagOf(act, "final");
    const int64_t size = IntegerOf(act, "size");
    const std::string what = ShownOf(act, "kind") + (size > 0 ? " of " + std::to_string(size) : "");
    rows.push_back({what, may_change ? state + ", not final yet" : state, ShownOf(act, "queued_at"),
                    ShownOf(act, "transaction"), ShownOf(act, "contract")});
    if (const std::string note = ShownOf(act, "note"); !note.empty()) rows.push_back({"", note});
  }
  context.console.PrintTable(rows, "nothing was written for it");
}

Result<Outcome> ShowChain(Context& context, const AssetOption& options) {
  GC_TRY(Api * api, context.Control());
  std::string path = "/glasscase/v1/anchors";
  if (!options.asset.empty()) {
    GC_TRY(const ModelName name, ModelName::Parse(options.asset));
    path = name.OwnPath() + "/chain";
  }
  GC_TRY(const json::value answer, api->Get(path));
  if (context.console.json)
    context.console.PrintJson(answer);
  else
    PrintActs(context, answer);
  return Done();
}

Result<Outcome> Anchor(Context& context, const AssetOption& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer,
         api->Post("/glasscase/v1/anchors", json::object{{"model", options.asset}}));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  const std::string what = options.asset.empty() ? "the log's checkpoint" : options.asset;
  context.console.PrintLine("queued: " + what + " for " + ShownOf(answer, "place") +
                            "; see it with: glasscase chain show " + options.asset);
  if (options.asset.empty()) context.console.Note(AnchoredText(answer));
  return Done();
}

}  // namespace

void AddChainCommands(CommandTree& tree) {
  CLI::App& chain = tree.AddGroup("chain", "A chain on which the log and its assets are written",
                                  "glasscase chain show digits");
  tree.Add<ChainInitOptions>(
      chain, "init", "Make the contracts and configure the chain, while the installation is stopped",
      "glasscase chain init --url https://node.example:8545 --chain-id 1337 --finality immediate --free",
      [](CLI::App& command, ChainInitOptions& options) {
        command.add_option("--url", options.url, "Of a node's JSON-RPC")->required()->type_name("URL");
        command.add_option("--chain-id", options.chain_id, "Which chain the node must be of")
            ->required()
            ->type_name("NUMBER");
        command
            .add_option("--finality", options.finality,
                        "When nothing can change: tag (public networks), immediate (QBFT), or so many blocks")
            ->type_name("RULE");
        command.add_flag("--free", options.free_of_fees, "The network takes transactions at a price of zero");
        command.add_option("--every", options.every_s, "Seconds between checkpoints; 0: only when asked")
            ->type_name("SECONDS");
        command
            .add_option("--max-fee-per-gas", options.max_fee_per_gas,
                        "What a gas may cost; more, and writing waits (default: 500000000000)")
            ->type_name("WEI");
        command
            .add_option("--max-priority-fee-per-gas", options.max_priority_fee_per_gas,
                        "What of it may go to validators (default: all)")
            ->type_name("WEI");
        command
            .add_option("--max-transaction-fee", options.max_transaction_fee,
                        "What a transaction may cost (default: no limit of its own)")
            ->type_name("WEI");
        command.add_option("--data", options.data, "Data directory (default: as for serve)")
            ->type_name("DIR");
      },
      InitChain);
  tree.Add<AssetOption>(
      chain, "show", "What was written to the chain for an asset, or the log's checkpoints",
      "glasscase chain show digits\nglasscase chain show",
      [](CLI::App& command, AssetOption& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")->type_name("ASSET");
      },
      ShowChain);
  tree.Add<AssetOption>(
      tree.root(), "anchor",
      "Write the log's checkpoint to the chain now, or an asset from before there was one",
      "glasscase anchor\nglasscase anchor digits",
      [](CLI::App& command, AssetOption& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")->type_name("ASSET");
      },
      Anchor);
}

}  // namespace glasscase::commands
