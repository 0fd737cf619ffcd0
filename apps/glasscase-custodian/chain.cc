#include "chain.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <thread>
#include <vector>

#include <boost/json.hpp>

#include "data_directory.h"
#include "ledger_key.h"

namespace glasscase::custodian {
namespace {

namespace json = boost::json;
namespace evm = ledger::evm;

constexpr char kKeyFile[] = "keys/chain.key";
constexpr char kTokenFile[] = "keys/chain-node.token";
constexpr uint64_t kGasPercentMin = 100;
constexpr uint64_t kGasPercentMax = 1'000;
constexpr auto kPollPause = std::chrono::milliseconds(500);

constexpr std::array<std::string_view, 12> kMembers = {"url",
                                                       "chain_id",
                                                       "finality",
                                                       "free_of_fees",
                                                       "anchor",
                                                       "registry",
                                                       "first_block",
                                                       "anchor_every_s",
                                                       "max_fee_per_gas_wei",
                                                       "max_priority_fee_per_gas_wei",
                                                       "max_transaction_fee_wei",
                                                       "gas_percent"};

// A limit with a mistyped name would limit nothing.
Status CheckMembers(const json::object& from) {
  for (const auto& member : from)
    if (std::ranges::find(kMembers, std::string_view(member.key())) == kMembers.end())
      return Fail(Error::InvalidArgument("chain.json: there is no member \"" + Printable(member.key(), 60) +
                                         "\"; docs/guides/chain.md lists those that there are"));
  return Ok();
}

Result<std::string> Text(const json::object& from, std::string_view name) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr) return std::string();
  if (value->is_string()) return std::string(value->as_string());
  return Fail(Error::InvalidArgument("chain.json: " + std::string(name) + " must be a text"));
}

Result<bool> Flag(const json::object& from, std::string_view name) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->as_bool();
  return Fail(Error::InvalidArgument("chain.json: " + std::string(name) + " must be true or false"));
}

Result<uint64_t> Number(const json::object& from, std::string_view name, uint64_t otherwise) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr) return otherwise;
  json::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  if (error)
    return Fail(Error::InvalidArgument("chain.json: " + std::string(name) + " must be a whole number"));
  return number;
}

Result<std::optional<evm::Address>> AddressOf(std::string_view what, const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto address = evm::ParseAddress(text);
  if (!address) return Fail(address.error().WithContext("chain.json: " + std::string(what)));
  return std::optional<evm::Address>(*address);
}

Status SetFinality(evm::EvmOptions& options, const std::string& text) {
  options.finality = evm::FinalityRule::kTag;
  if (text == "tag") return Ok();
  options.finality = evm::FinalityRule::kImmediate;
  if (text == "immediate") return Ok();
  options.finality = evm::FinalityRule::kConfirmations;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, options.confirmations);
  if (parsed.ec == std::errc() && parsed.ptr == end && options.confirmations > 0) return Ok();
  return Fail(Error::InvalidArgument("finality must be tag, immediate or a number of confirmations: \"" +
                                     Printable(text, 40) + "\""));
}

Result<evm::SigningKey> ReadKey(int directory) {
  GC_TRY(std::string text, ReadFileAt(directory, kKeyFile, 200));
  if (text.empty()) return Fail(Error::FailedPrecondition(std::string(kKeyFile) + " is missing"));
  return evm::SigningKey::FromHex(Secret(std::move(text)));
}

Status CheckToken(std::string_view token) {
  const bool is_visible = std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!token.empty() && is_visible) return Ok();
  return Fail(Error::FailedPrecondition(
      std::string(kTokenFile) + " must be one line of visible characters: the token, without \"Bearer\""));
}

// The value of the header; empty without a token.
Result<Secret> ReadAuthorization(int directory) {
  struct stat facts {};
  if (::fstatat(directory, kTokenFile, &facts, 0) != 0) {
    if (errno == ENOENT) return Secret();
    return Fail(Error::FromErrno(errno, std::string("cannot look at ") + kTokenFile));
  }
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Fail(Error::FailedPrecondition(
        std::string(kTokenFile) +
        " can be read by others on this machine: chmod 600, and ask for another token"));
  GC_TRY(std::string text, ReadFileAt(directory, kTokenFile, 16'384));
  const Secret line(std::move(text));
  std::string_view token = line.Reveal(RevealToken());
  while (token.ends_with('\n') || token.ends_with('\r')) token.remove_suffix(1);
  GC_TRY_VOID(CheckToken(token));
  return Secret("Bearer " + std::string(token));
}

Status MakeKey(int directory, RandomSource& random) {
  GC_TRY_VOID(MakeFolderAt(directory, "keys"));
  const evm::SigningKey key = evm::SigningKey::Generate(random);
  const Secret text = key.ToHex(RevealToken());
  return WriteNewFileAt(directory, kKeyFile, text.Reveal(RevealToken()), 0600);
}

std::string ToText(const ChainSettings& settings) {
  const evm::FeeLimits& limits = settings.limits;
  json::object object{{"url", settings.url},
                      {"chain_id", settings.chain_id},
                      {"finality", settings.finality},
                      {"free_of_fees", settings.free_of_fees},
                      {"anchor", settings.anchor},
                      {"registry", settings.registry},
                      {"first_block", settings.first_block},
                      {"anchor_every_s", settings.anchor_every_s},
                      {"max_fee_per_gas_wei", limits.max_fee_per_gas_wei},
                      {"max_priority_fee_per_gas_wei", limits.max_priority_fee_per_gas_wei},
                      {"gas_percent", settings.gas_percent}};
  if (limits.max_transaction_fee_wei != evm::FeeLimits().max_transaction_fee_wei)
    object["max_transaction_fee_wei"] = limits.max_transaction_fee_wei;
  return json::serialize(object) + "\n";
}

Status CheckLimits(const ChainSettings& settings) {
  const evm::FeeLimits& limits = settings.limits;
  if (limits.max_fee_per_gas_wei == 0 || limits.max_transaction_fee_wei == 0)
    return Fail(
        Error::InvalidArgument("max_fee_per_gas_wei and max_transaction_fee_wei are at least 1; on a network "
                               "that takes a price of zero "
                               "say free_of_fees"));
  if (settings.gas_percent < kGasPercentMin || settings.gas_percent > kGasPercentMax)
    return Fail(Error::InvalidArgument("gas_percent is at least " + std::to_string(kGasPercentMin) +
                                       " and at most " + std::to_string(kGasPercentMax) + ", not " +
                                       std::to_string(settings.gas_percent)));
  return Ok();
}

Status ReadLimits(const json::object& from, ChainSettings& settings) {
  evm::FeeLimits& limits = settings.limits;
  GC_TRY(limits.max_fee_per_gas_wei, Number(from, "max_fee_per_gas_wei", limits.max_fee_per_gas_wei));
  GC_TRY(limits.max_priority_fee_per_gas_wei,
         Number(from, "max_priority_fee_per_gas_wei", limits.max_priority_fee_per_gas_wei));
  GC_TRY(limits.max_transaction_fee_wei,
         Number(from, "max_transaction_fee_wei", limits.max_transaction_fee_wei));
  GC_TRY(settings.gas_percent, Number(from, "gas_percent", settings.gas_percent));
  const Status checked = CheckLimits(settings);
  return checked ? Ok() : Fail(checked.error().WithContext(kChainFile));
}

// Submits and waits until nothing can change. The contract's address. What was sent and cut off is found by
// nobody but its account: then a second contract is made, which costs gas and harms nothing.
Result<std::string> MakeContract(evm::EvmAnchor& anchor, Bytes kept) {
  GC_TRY_VOID(anchor.Submit(kept));
  while (true) {
    GC_TRY(const ledger::SubmissionStatus status, anchor.Poll(kept));
    if (status.state == ledger::SubmissionState::kUnknown) GC_TRY_VOID(anchor.Submit(kept));
    if (status.final && status.state == ledger::SubmissionState::kMined) return status.contract;
    if (status.final) return Fail(Error::FailedPrecondition("the contract was not made: " + status.reason));
    std::this_thread::sleep_for(kPollPause);
  }
}

}  // namespace

std::string ChainSettings::Place() const {
  return "chain " + std::to_string(chain_id) + " through " + fetch::HostOf(url).value_or(std::string("?"));
}

Result<std::optional<ChainSettings>> ReadChainSettings(int directory) {
  GC_TRY(const std::string text, ReadFileAt(directory, kChainFile, 65'536));
  if (text.empty()) return std::nullopt;
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return Fail(Error::InvalidArgument("chain.json is not a JSON object"));
  const json::object& from = value.as_object();
  GC_TRY_VOID(CheckMembers(from));
  ChainSettings settings;
  GC_TRY(settings.url, Text(from, "url"));
  GC_TRY(settings.chain_id, Number(from, "chain_id", 0));
  if (from.contains("finality")) {
    GC_TRY(settings.finality, Text(from, "finality"));
  }
  GC_TRY(settings.free_of_fees, Flag(from, "free_of_fees"));
  GC_TRY(settings.anchor, Text(from, "anchor"));
  GC_TRY(settings.registry, Text(from, "registry"));
  GC_TRY(settings.first_block, Number(from, "first_block", 0));
  GC_TRY(const uint64_t every, Number(from, "anchor_every_s", 86'400));
  settings.anchor_every_s = static_cast<int64_t>(every);
  GC_TRY_VOID(ReadLimits(from, settings));
  return std::optional<ChainSettings>(std::move(settings));
}

Result<std::unique_ptr<evm::EvmAnchor>> OpenAnchor(const ChainSettings& settings, int directory,
                                                   const Stores& stores) {
  evm::EvmOptions options{.url = settings.url,
                          .ca_pem = stores.ca_pem(),
                          .resolved = stores.Resolved(),
                          .chain_id = settings.chain_id};
  GC_TRY(options.anchor_contract, AddressOf("anchor", settings.anchor));
  GC_TRY(options.registry_contract, AddressOf("registry", settings.registry));
  GC_TRY_VOID(SetFinality(options, settings.finality));
  options.free_of_fees = settings.free_of_fees;
  options.first_block = settings.first_block;
  options.limits = settings.limits;
  options.gas_percent = settings.gas_percent;
  GC_TRY(options.authorization, ReadAuthorization(directory));
  GC_TRY(evm::SigningKey key, ReadKey(directory));
  return evm::EvmAnchor::Create(std::move(options), std::move(key));
}

Status InitialiseChain(const ChainInitOptions& options, const Clock& clock, RandomSource& random,
                       const std::function<void(std::string_view)>& say) {
  GC_TRY(const Fd directory, OpenFolder(options.directory));
  GC_TRY(const Fd lock, LockOut(directory.get()));
  GC_TRY(const auto there, ReadChainSettings(directory.get()));
  if (there) return Fail(Error::AlreadyExists("chain.json is there already, for " + there->Place()));
  GC_TRY(const std::string key, ReadFileAt(directory.get(), kKeyFile, 200));
  if (key.empty()) GC_TRY_VOID(MakeKey(directory.get(), random));
  GC_TRY(const ledger::NoteSigner signer, LoadLedgerKey(directory.get()));
  GC_TRY(const Stores stores, Stores::Prepare({}, directory.get(), clock, random));

  ChainSettings settings = options.settings;
  GC_TRY_VOID(CheckLimits(settings));
  GC_TRY(const auto anchor, OpenAnchor(settings, directory.get(), stores));
  GC_TRY(const ledger::AnchorCondition condition, anchor->Examine());
  say("account " + condition.account + " on " + settings.Place() + ", balance " + condition.balance);
  settings.first_block = condition.newest_block;
  if (settings.anchor.empty()) {
    GC_TRY(Bytes kept, anchor->PrepareAnchorContract(signer.verifier().name(), {}));
    GC_TRY(settings.anchor, MakeContract(*anchor, std::move(kept)));
    say("checkpoints: contract " + settings.anchor);
  }
  if (settings.registry.empty()) {
    GC_TRY(Bytes kept, anchor->PrepareRegistryContract({}));
    GC_TRY(settings.registry, MakeContract(*anchor, std::move(kept)));
    say("records of assets: contract " + settings.registry);
  }
  GC_TRY_VOID(WriteNewFileAt(directory.get(), kChainFile, ToText(settings), 0644));
  return GiveToCustodian(options.directory);
}

}  // namespace glasscase::custodian
