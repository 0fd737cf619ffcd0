// The chain of an installation: chain.json, keys/chain.key and keys/chain-node.token
// (api/formats/data-directory.md).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger_evm/evm_anchor.h>

#include "stores.h"

namespace glasscase::custodian {

inline constexpr char kChainFile[] = "chain.json";

struct ChainSettings {
  std::string url{};
  uint64_t chain_id = 0;
  std::string finality = "tag";  // "tag", "immediate", or a number of confirmations
  bool free_of_fees = false;
  std::string anchor{};  // addresses; empty: not made yet
  std::string registry{};
  uint64_t first_block = 0;
  int64_t anchor_every_s = 86'400;
  ledger::evm::FeeLimits limits{};
  uint64_t gas_percent = 125;  // asked for, of what the node estimates

  std::string Place() const;  // "chain 1337 through node.example:8545"
};

// nullopt when no chain is configured. InvalidArgument names the member, also one that there is not.
Result<std::optional<ChainSettings>> ReadChainSettings(int directory);

// With the key of the data directory, and the node's token where there is one. `stores` gives authorities and
// outlets. FailedPrecondition for a token that others may read or that is no line of visible characters.
Result<std::unique_ptr<ledger::evm::EvmAnchor>> OpenAnchor(const ChainSettings& settings, int directory,
                                                           const Stores& stores);

struct ChainInitOptions {
  std::string directory{};
  ChainSettings settings{};
};

// Makes the key when there is none, and the two contracts when no addresses are given; writes chain.json when
// both are final. Can be repeated after it was cut off. `say` gets a sentence for each step.
// FailedPrecondition when the account has no funds; the message names it.
Status InitialiseChain(const ChainInitOptions& options, const Clock& clock, RandomSource& random,
                       const std::function<void(std::string_view)>& say);

}  // namespace glasscase::custodian
