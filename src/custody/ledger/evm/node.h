// The questions we ask a chain node, with types.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "json_rpc.h"
#include "refusals.h"
#include "transaction.h"

namespace glasscase::ledger::evm {

// "latest", "finalized", or a number in hexadecimal: some nodes take no other.
std::string BlockName(uint64_t number);

struct ContractCall {
  Address from{};
  std::optional<Address> to{};  // none: a creation
  Bytes data{};
  uint64_t gas = 0;  // 0: the node's own limit
};

struct EventFilter {
  std::optional<Address> contract{};  // none: any
  std::vector<Word> topics{};
  uint64_t first_block = 0;
  uint64_t last_block = 0;
};

// Errors as in ledger/anchor.h. Not thread-safe.
class Node {
 public:
  explicit Node(std::unique_ptr<JsonRpc> rpc) : rpc_(std::move(rpc)) {}
  const std::string& host() const { return rpc_->host(); }

  Result<uint64_t> ChainId();
  // "finalized" gives nullopt where the chain does not have it (yet).
  Result<std::optional<Block>> FindBlock(const std::string& name);
  Result<uint64_t> TransactionCount(const Address& account, const std::string& block);
  Result<uint64_t> BalanceCapped(const Address& account);
  Result<FeeHistory> RecentFees();
  // 0 where the node has no opinion.
  Result<uint64_t> SuggestedPriority();
  // The contract's refusal is the error, as in refusals.h.
  Result<uint64_t> EstimateGas(const ContractCall& call);
  Result<Bytes> Call(const ContractCall& call, const std::string& block);
  Result<bool> HasCode(const Address& contract, const std::string& block);
  // nullopt: accepted.
  Result<std::optional<RpcError>> Send(ByteSpan raw);
  Result<std::optional<Receipt>> FindReceipt(const Digest& transaction);
  Result<bool> Knows(const Digest& transaction);
  Result<std::vector<Event>> Events(const EventFilter& filter);

 private:
  Result<boost::json::value> Ask(std::string_view method, boost::json::array parameters);

  std::unique_ptr<JsonRpc> rpc_;
};

}  // namespace glasscase::ledger::evm
