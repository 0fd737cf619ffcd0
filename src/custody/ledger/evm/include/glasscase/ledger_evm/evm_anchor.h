// An Ethereum-like chain as the place where checkpoints and asset records are written, through one node.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <glasscase/fetch/fetch.h>
#include <glasscase/ledger/anchor.h>
#include <glasscase/ledger_evm/signing_key.h>

namespace glasscase::ledger::evm {

enum class FinalityRule : uint8_t {
  kTag,            // what the chain calls "finalized": public networks
  kConfirmations,  // EvmOptions::confirmations blocks on top
  kImmediate,      // the newest block: QBFT, IBFT
};

// What a submission may pay at most, in wei; replacements too. What would pay more is not signed.
struct FeeLimits {
  uint64_t max_fee_per_gas_wei = 500'000'000'000;
  uint64_t max_priority_fee_per_gas_wei = 500'000'000'000;
  uint64_t max_transaction_fee_wei = std::numeric_limits<uint64_t>::max();  // its gas at that fee
  bool operator==(const FeeLimits&) const = default;
};

struct EvmOptions {
  std::string url;       // of the node's JSON-RPC
  std::string ca_pem{};  // authorities, instead of the system's
  std::vector<fetch::ResolvedHost> resolved{};
  Secret authorization{};  // value of that header, for nodes that want one; not over plain HTTP to elsewhere
  uint64_t chain_id = 0;
  std::optional<Address> anchor_contract{};    // needed for checkpoints
  std::optional<Address> registry_contract{};  // needed for records and changes
  uint64_t first_block = 0;  // events are looked for from here: where the contracts were made
  FinalityRule finality = FinalityRule::kTag;
  uint64_t confirmations = 0;
  bool free_of_fees = false;  // the network takes transactions at a price of zero
  FeeLimits limits{};
  uint64_t gas_percent = 125;                     // asked for, of what the node estimates
  uint64_t events_per_question_blocks = 100'000;  // nodes limit how many blocks one question may cover
  int64_t timeout_ms = 20'000;
};

class EvmAnchor : public Anchor {
 public:
  // Asks nothing yet. InvalidArgument for options that cannot work.
  static Result<std::unique_ptr<EvmAnchor>> Create(EvmOptions options, SigningKey key);

  // Submissions that make the two contracts, like those of Prepare; the account becomes their publisher.
  // SubmissionStatus names the address for the configuration.
  virtual Result<Bytes> PrepareAnchorContract(const std::string& origin, std::span<const Bytes> open) = 0;
  virtual Result<Bytes> PrepareRegistryContract(std::span<const Bytes> open) = 0;
};

}  // namespace glasscase::ledger::evm
