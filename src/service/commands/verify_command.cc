// verify: a receipt, or a copy of a whole log, without a server and without trust in one; a hosted model,
// against what is registered of it.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include <glasscase/core/clock.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/disclosure.h>
#include <glasscase/ledger/receipt.h>
#include <glasscase/ledger/replay.h>
#include <glasscase/ledger/tile.h>

#include "command.h"
#include "json_members.h"
#include "model_name.h"
#include "registered_files.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ledger::CheckedCheckpoint;

constexpr char kSha256[] = "sha256";
constexpr char kReport[] = "report";
constexpr size_t kEvidenceBytesMax = size_t{1} << 20;

struct VerifyOptions {
  std::string what;
  std::string model;
  std::string policy;
  std::string file;
  std::string evidence;
  bool replay = false;
  std::optional<uint64_t> sample;
};

Result<std::string> ReadWhole(const fs::path& path, size_t bytes_max) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    return Fail(Error::NotFound("there is no file " + Visible(path.string())));
  std::ifstream file(path, std::ios::binary);
  std::string bytes(bytes_max + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (file.bad() || (bytes.empty() && !file.eof()))
    return Fail(Error::Internal("cannot read " + Visible(path.string())));
  if (bytes.size() > bytes_max)
    return Fail(Error::FailedPrecondition(Visible(path.string()) + " is longer than any of its kind"));
  return bytes;
}

// What does not hold is a failure of what was verified, not of how the command was used.
Error Refused(const Error& error) {
  if (error.code() != Code::kInvalidArgument) return error;
  return Error::FailedPrecondition(error.message());
}

Result<ledger::Policy> ReadPolicy(const std::string& path) {
  GC_TRY(const std::string text, ReadWhole(path, ledger::Policy::kBytesMax));
  auto policy = ledger::Policy::Parse(text);
  if (!policy) return Fail(Refused(policy.error()).WithContext(Visible(path)));
  return policy;
}

std::string Seconds(uint64_t seconds) { return FormatTime(static_cast<int64_t>(seconds) * 1'000'000); }

// ---- what protects it, in words ----

std::string Protection(const CheckedCheckpoint& checked, const ledger::Policy& policy) {
  if (!policy.NeedsWitnesses()) {
    return "not protected against the operator: the policy asks for no witness, so whoever runs the log "
           "could "
           "show others another history";
  }
  return "seen by " + Join(checked.witnesses, ", ") + ", the last time at " +
         Seconds(checked.newest_cosignature) + ": whoever asks these witnesses is shown the same history";
}

json::object CheckpointJson(const CheckedCheckpoint& checked, const ledger::Policy& policy) {
  json::array witnesses(checked.witnesses.begin(), checked.witnesses.end());
  json::object object{{"valid", true},
                      {"log", checked.log},
                      {"size", checked.checkpoint.size},
                      {"root", ToBase64(checked.checkpoint.root)},
                      {"witnesses", std::move(witnesses)},
                      {"protected_against_operator", policy.NeedsWitnesses()}};
  if (checked.newest_cosignature != 0) object["witnessed_at"] = Seconds(checked.newest_cosignature);
  return object;
}

// ---- a receipt ----

struct VerifiedReceipt {
  ledger::Receipt receipt;
  ledger::Disclosure disclosure;
  ledger::EntryHead head;
  CheckedCheckpoint checked;
};

Result<VerifiedReceipt> VerifyReceipt(const std::string& text, const ledger::Policy& policy) {
  VerifiedReceipt verified;
  GC_TRY(verified.receipt, ledger::Receipt::Parse(text));
  GC_TRY(verified.disclosure, ledger::Disclosure::Parse(verified.receipt.extra));
  GC_TRY(verified.head, ledger::ReadEntryHead(verified.disclosure.entry));
  GC_TRY(verified.checked, ledger::CheckReceipt(verified.receipt, verified.disclosure.entry, policy));
  return verified;
}

Status CheckFile(const std::string& path, const ledger::Disclosure& disclosure) {
  const auto registered = disclosure.fields.find(kSha256);
  if (registered == disclosure.fields.end()) {
    return Fail(Error::FailedPrecondition(
        "the receipt does not disclose the digest of the file: ask the owner for one that does"));
  }
  GC_TRY(const Digest found, DigestOfRegistered(path));
  const std::string digest = ToHex(found);
  if (digest == registered->second.value) return Ok();
  return Fail(Error::FailedPrecondition(Visible(path) + " is not what was registered: its digest is " +
                                        digest + ", registered is " + Visible(registered->second.value)));
}

Status CheckEvidence(const std::string& path, const ledger::Disclosure& disclosure) {
  const auto registered = disclosure.fields.find(kReport);
  if (registered == disclosure.fields.end())
    return Fail(Error::FailedPrecondition(
        "the receipt does not disclose the digest of an evidence: it must be of a translation "
        "(glasscase receipt NAME --of translation), and its owner's"));
  GC_TRY(const std::string evidence, ReadWhole(path, kEvidenceBytesMax));
  const std::string digest = ToHex(Sha256(AsBytes(evidence)));
  if (digest == registered->second.value) return Ok();
  return Fail(Error::FailedPrecondition(Visible(path) +
                                        " is not the evidence of this translation: its digest is " + digest +
                                        ", registered is " + Visible(registered->second.value)));
}

json::object ReceiptJson(const VerifiedReceipt& verified, const VerifyOptions& options,
                         const ledger::Policy& policy) {
  json::object object = CheckpointJson(verified.checked, policy);
  object["index"] = verified.receipt.index;
  object["type"] = verified.head.type;
  if (verified.head.at_micros) object["at"] = FormatTime(*verified.head.at_micros);
  if (verified.head.asset) object["asset"] = verified.head.asset->ToString();
  if (verified.head.version) object["version"] = verified.head.version->ToString();
  json::object disclosed;
  for (const auto& [name, field] : verified.disclosure.fields) disclosed[name] = field.value;
  object["disclosed"] = std::move(disclosed);
  if (!options.file.empty()) object["file"] = options.file;
  if (!options.evidence.empty()) object["evidence"] = options.evidence;
  if (!options.model.empty()) object["model"] = options.model;
  return object;
}

void PrintReceipt(const Context& context, const VerifiedReceipt& verified, const VerifyOptions& options,
                  const ledger::Policy& policy) {
  const auto line = [&](const std::string& name, const std::string& value) {
    context.console.PrintLine("  " + name + std::string(name.size() < 9 ? 9 - name.size() : 1, ' ') + value);
  };
  context.console.PrintLine("valid: entry " + std::to_string(verified.receipt.index) + " of the log " +
                            Visible(verified.checked.log) + ", which had " +
                            std::to_string(verified.checked.checkpoint.size) + " entries");
  line("act", Visible(verified.head.type));
  if (verified.head.at_micros) line("at", FormatTime(*verified.head.at_micros) + ", as the log says");
  if (verified.checked.newest_cosignature != 0)
    line("since", Seconds(verified.checked.newest_cosignature) + " at the latest, as witnesses say");
  if (verified.head.asset) line("asset", verified.head.asset->ToString());
  if (verified.head.version) line("version", verified.head.version->ToString());
  for (const auto& [name, field] : verified.disclosure.fields) line(Visible(name), Visible(field.value));
  if (!options.file.empty()) line("file", Visible(options.file) + " is what was registered, byte for byte");
  if (!options.evidence.empty())
    line("evidence", Visible(options.evidence) + " is what was compared, byte for byte");
  if (!options.model.empty()) line("answers", Visible(options.model) + ", as the server says");
  context.console.PrintLine(Protection(verified.checked, policy));
}

Result<Outcome> Show(const Context& context, const VerifiedReceipt& verified, const VerifyOptions& options,
                     const ledger::Policy& policy) {
  if (context.console.json) {
    context.console.PrintJson(ReceiptJson(verified, options, policy));
  } else {
    PrintReceipt(context, verified, options, policy);
  }
  return Done();
}

Result<Outcome> VerifyReceiptFile(Context& context, const VerifyOptions& options,
                                  const ledger::Policy& policy) {
  GC_TRY(const std::string text, ReadWhole(options.what, ledger::Receipt::kBytesMax));
  const auto verified = VerifyReceipt(text, policy);
  if (!verified) return Fail(Refused(verified.error()).WithContext(Visible(options.what) + " is not valid"));
  if (!options.file.empty()) {
    const Status same = CheckFile(options.file, verified->disclosure);
    if (!same) return Fail(Refused(same.error()));
  }
  if (!options.evidence.empty()) GC_TRY_VOID(CheckEvidence(options.evidence, verified->disclosure));
  return Show(context, *verified, options, policy);
}

// ---- a model that answers ----

Error OtherThan(const std::string& what, const std::string& served, const std::string& registered) {
  return Error::FailedPrecondition(
      "the model that answers is not the registered one: the server says that its " + what + " is " +
      Visible(served) + ", the receipt says " + Visible(registered));
}

// That the receipt is of the version which the server says answers.
Status CheckAnswering(const json::value& registered, const VerifiedReceipt& verified) {
  const auto text = [](const std::optional<Uuid>& id) { return id ? id->ToString() : std::string(); };
  std::map<std::string, std::string> said = {{"act", verified.head.type},
                                             {"asset", text(verified.head.asset)},
                                             {"version", text(verified.head.version)}};
  for (const char* name : {"name", "label", kSha256}) {
    const auto field = verified.disclosure.fields.find(name);
    said[name] = field == verified.disclosure.fields.end() ? "" : field->second.value;
  }
  if (said["act"] != "version") return Fail(OtherThan("entry", "that of a version", said["act"]));
  for (const char* name : {"asset", "version", "name", "label", kSha256})
    if (TextOf(registered, name) != said[name])
      return Fail(OtherThan(name, TextOf(registered, name), said[name]));
  return Ok();
}

Result<Outcome> VerifyModel(Context& context, const VerifyOptions& options, const ledger::Policy& policy) {
  GC_TRY(const ModelName name, ModelName::Parse(options.model));
  GC_TRY(Api * api, context.Public());
  GC_TRY(const json::value metadata, api->Get(name.InferPath()));
  const json::value& registered = ValueOf(metadata, "registered");
  GC_TRY(const Uuid version, Uuid::Parse(TextOf(registered, "version")));
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/models/" + version.ToString() + "/receipt"));
  const auto verified = VerifyReceipt(TextOf(answer, "receipt"), policy);
  if (!verified)
    return Fail(
        Refused(verified.error()).WithContext("the receipt of " + Visible(options.model) + " is not valid"));
  GC_TRY_VOID(CheckAnswering(registered, *verified));
  return Show(context, *verified, options, policy);
}

// ---- a copy of a log ----

ledger::ReadLogFile ReaderOf(const fs::path& folder) {
  return [folder](std::string_view path) -> Result<std::optional<std::string>> {
    std::error_code error;
    if (!fs::is_regular_file(folder / path, error)) return std::nullopt;
    GC_TRY(std::string bytes, ReadWhole(folder / path, ledger::kTileWidth * (ledger::kEntryBytesMax + 2)));
    return bytes;
  };
}

std::string Percent(double probability) { return FormatNumber(std::round(probability * 1e6) / 1e4) + " %"; }

void PrintReplayed(const Context& context, const ledger::Replayed& replayed, const ledger::Policy& policy) {
  const CheckedCheckpoint& checked = replayed.checkpoint;
  context.console.PrintLine("valid: the " + std::to_string(checked.checkpoint.size) + " entries of the log " +
                            Visible(checked.log) + " are those that its checkpoint was signed for");
  if (replayed.map_entries_checked == replayed.map_entries) {
    context.console.PrintLine("all " + Count(replayed.map_entries, "map root") +
                              " computed anew: no history of " + Count(replayed.assets, "asset") +
                              " leaves an entry out");
  } else {
    const uint64_t tenth = std::max<uint64_t>(2, replayed.map_entries / 10);
    context.console.PrintLine(
        std::to_string(replayed.map_entries_checked) + " of " + Count(replayed.map_entries, "map root") +
        " computed anew, drawn at random. If one of them lies, this misses it with a probability of " +
        Percent(replayed.ProbabilityOfMissing(1)) + "; if " + std::to_string(tenth) + " lie, of " +
        Percent(replayed.ProbabilityOfMissing(tenth)));
  }
  context.console.PrintLine(Protection(checked, policy));
}

Result<Outcome> VerifyLog(Context& context, const VerifyOptions& options, const ledger::Policy& policy) {
  SystemRandom random;
  const auto replayed = ledger::Replay(ReaderOf(options.what), policy, random, {.sample = options.sample});
  if (!replayed)
    return Fail(
        Refused(replayed.error()).WithContext("the log in " + Visible(options.what) + " does not hold"));
  if (context.console.json) {
    json::object object = CheckpointJson(replayed->checkpoint, policy);
    object["assets"] = replayed->assets;
    object["map_roots"] = replayed->map_entries;
    object["map_roots_checked"] = replayed->map_entries_checked;
    object["probability_of_missing_one_lie"] = replayed->ProbabilityOfMissing(1);
    context.console.PrintJson(object);
  } else {
    PrintReplayed(context, *replayed, policy);
  }
  return Done();
}

Result<Outcome> Verify(Context& context, const VerifyOptions& options) {
  const bool whole_log = options.replay || options.sample;
  if (options.what.empty() == options.model.empty())
    return Fail(
        Error::InvalidArgument("say what to verify: a receipt, the folder of a log, or --model NAME"));
  const bool with_files = !options.file.empty() || !options.evidence.empty();
  if (!options.model.empty() && (whole_log || with_files))
    return Fail(Error::InvalidArgument("--model stands alone: no --file, --evidence, --replay or --sample"));
  if (whole_log && with_files)
    return Fail(
        Error::InvalidArgument("--file and --evidence go with a receipt, not with --replay or --sample"));
  std::error_code error;
  if (!whole_log && fs::is_directory(options.what, error)) {
    return Fail(Error::InvalidArgument(Visible(options.what) +
                                       " is a folder: --replay verifies a copy of a whole log"));
  }
  GC_TRY(const ledger::Policy policy, ReadPolicy(options.policy));
  if (!options.model.empty()) return VerifyModel(context, options, policy);
  return whole_log ? VerifyLog(context, options, policy) : VerifyReceiptFile(context, options, policy);
}

}  // namespace

void AddVerifyCommand(CommandTree& tree) {
  tree.Add<VerifyOptions>(
      tree.root(), "verify",
      "Check a receipt or a copy of a log without asking anybody, or the model that answers",
      "glasscase verify digits.tlog-proof --policy policy\n"
      "glasscase verify digits.tlog-proof --policy policy --file model.onnx\n"
      "glasscase verify digits-onnx.translation.tlog-proof --policy policy --evidence evidence.json\n"
      "glasscase verify --model digits --policy policy\n"
      "glasscase verify copy-of-log --policy policy --replay\n"
      "glasscase verify copy-of-log --policy policy --sample 20",
      [](CLI::App& command, VerifyOptions& options) {
        command.add_option("what", options.what, "A receipt, or with --replay the folder of a log's files")
            ->type_name("FILE|DIR");
        command
            .add_option("--model", options.model,
                        "The model that answers calls here: fetches its receipt and compares")
            ->type_name("MODEL[@V]");
        command.add_option("--policy", options.policy, "Which log and which witnesses to believe")
            ->required()
            ->type_name("FILE");
        command.add_option("--file", options.file, "Also: these are the bytes that were registered")
            ->type_name("FILE|DIR");
        command
            .add_option("--evidence", options.evidence,
                        "Also, with the receipt of a translation: this is the evidence that was registered")
            ->type_name("FILE");
        command.add_flag("--replay", options.replay, "Compute the tree and every root of the map anew");
        command.add_option("--sample", options.sample, "The tree, and so many roots drawn at random")
            ->type_name("N");
      },
      Verify);
}

}  // namespace glasscase::commands
