#include "node.h"

#include <array>
#include <charconv>
#include <utility>

#include <boost/json/object.hpp>

namespace glasscase::ledger::evm {
namespace {

namespace json = boost::json;

std::string HexText(ByteSpan bytes) { return "0x" + ToHex(bytes); }

json::object CallObject(const ContractCall& call) {
  json::object object{{"from", HexText(call.from)}, {"data", HexText(call.data)}};
  if (call.to) object["to"] = HexText(*call.to);
  if (call.gas != 0) object["gas"] = BlockName(call.gas);
  return object;
}

}  // namespace

std::string BlockName(uint64_t number) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

Result<json::value> Node::Ask(std::string_view method, json::array parameters) {
  GC_TRY(RpcAnswer answer, rpc_->Ask(method, std::move(parameters)));
  if (const auto* const error = std::get_if<RpcError>(&answer))
    return Fail(ErrorOf(*error, host()).WithContext(std::string(method)));
  return std::get<json::value>(std::move(answer));
}

Result<uint64_t> Node::ChainId() {
  GC_TRY(const json::value id, Ask("eth_chainId", {}));
  return ReadQuantity(id, "the chain id");
}

Result<std::optional<Block>> Node::FindBlock(const std::string& name) {
  GC_TRY(RpcAnswer answer, rpc_->Ask("eth_getBlockByNumber", {name, false}));
  if (const auto* const error = std::get_if<RpcError>(&answer)) {
    // Nodes without finality, and those that have not seen any yet, refuse in words of their own.
    if (name == "finalized") return std::optional<Block>();
    return Fail(ErrorOf(*error, host()).WithContext("eth_getBlockByNumber"));
  }
  return ReadBlock(std::get<json::value>(answer));
}

Result<uint64_t> Node::TransactionCount(const Address& account, const std::string& block) {
  GC_TRY(const json::value count, Ask("eth_getTransactionCount", {HexText(account), block}));
  return ReadQuantity(count, "the transaction count of an account");
}

Result<uint64_t> Node::BalanceCapped(const Address& account) {
  GC_TRY(const json::value balance, Ask("eth_getBalance", {HexText(account), "latest"}));
  return ReadQuantityCapped(balance, "the balance of an account");
}

Result<FeeHistory> Node::RecentFees() {
  GC_TRY(const json::value history, Ask("eth_feeHistory", {"0xa", "latest", json::array{50}}));
  return ReadFeeHistory(history);
}

Result<uint64_t> Node::SuggestedPriority() {
  GC_TRY(RpcAnswer answer, rpc_->Ask("eth_maxPriorityFeePerGas", {}));
  if (std::holds_alternative<RpcError>(answer)) return 0;  // not every node has this question
  return ReadQuantity(std::get<json::value>(answer), "the suggested priority fee");
}

Result<uint64_t> Node::EstimateGas(const ContractCall& call) {
  GC_TRY(RpcAnswer answer, rpc_->Ask("eth_estimateGas", {CallObject(call)}));
  if (const auto* const error = std::get_if<RpcError>(&answer))
    return Fail(RevertOf(*error).value_or(ErrorOf(*error, host()).WithContext("eth_estimateGas")));
  return ReadQuantity(std::get<json::value>(answer), "the gas estimate");
}

Result<Bytes> Node::Call(const ContractCall& call, const std::string& block) {
  GC_TRY(RpcAnswer answer, rpc_->Ask("eth_call", {CallObject(call), block}));
  if (const auto* const error = std::get_if<RpcError>(&answer))
    return Fail(RevertOf(*error).value_or(ErrorOf(*error, host()).WithContext("eth_call")));
  return ReadData(std::get<json::value>(answer), "what a contract gave");
}

Result<bool> Node::HasCode(const Address& contract, const std::string& block) {
  GC_TRY(const json::value answer, Ask("eth_getCode", {HexText(contract), block}));
  GC_TRY(const Bytes code, ReadData(answer, "the code of a contract"));
  return !code.empty();
}

Result<std::optional<RpcError>> Node::Send(ByteSpan raw) {
  GC_TRY(RpcAnswer answer, rpc_->Ask("eth_sendRawTransaction", {HexText(raw)}));
  if (auto* const error = std::get_if<RpcError>(&answer)) return std::optional<RpcError>(std::move(*error));
  GC_TRY(const Digest hash, ReadHash(std::get<json::value>(answer), "the hash of a transaction"));
  if (hash != TransactionHash(raw))
    return Fail(
        Error::DataLoss("the chain node at " + host() + " took another transaction than it was sent"));
  return std::optional<RpcError>();
}

Result<std::optional<Receipt>> Node::FindReceipt(const Digest& transaction) {
  GC_TRY(const json::value receipt, Ask("eth_getTransactionReceipt", {HexText(transaction)}));
  return ReadReceipt(receipt);
}

Result<bool> Node::Knows(const Digest& transaction) {
  GC_TRY(const json::value found, Ask("eth_getTransactionByHash", {HexText(transaction)}));
  return found.is_object();
}

Result<std::vector<Event>> Node::Events(const EventFilter& filter) {
  json::array topics;
  for (const Word& topic : filter.topics) topics.emplace_back(HexText(topic));
  json::object question{{"topics", std::move(topics)},
                        {"fromBlock", BlockName(filter.first_block)},
                        {"toBlock", BlockName(filter.last_block)}};
  if (filter.contract) question["address"] = HexText(*filter.contract);
  GC_TRY(const json::value events, Ask("eth_getLogs", {std::move(question)}));
  return ReadEvents(events);
}

}  // namespace glasscase::ledger::evm
