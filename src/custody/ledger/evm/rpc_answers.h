// What a node answers, parsed: bytes in, checked values out. Everything here takes whatever bytes there are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/value.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

#include "abi.h"

namespace glasscase::ledger::evm {

// A node's own refusal.
struct RpcError {
  int64_t code = 0;
  std::string message;  // as it came: Printable() before it is shown
  Bytes data;           // what a contract gave with a revert; empty when there is none
};

using RpcAnswer = std::variant<boost::json::value, RpcError>;

// The answer to the request with this id. DataLoss when it is not one.
Result<RpcAnswer> ParseRpcAnswer(std::string_view body, uint64_t id);

// Each fails with DataLoss, naming `what`.
Result<uint64_t> ReadQuantity(const boost::json::value& value, std::string_view what);
// 2^64 - 1 for everything above.
Result<uint64_t> ReadQuantityCapped(const boost::json::value& value, std::string_view what);
Result<Bytes> ReadData(const boost::json::value& value, std::string_view what);
Result<Digest> ReadHash(const boost::json::value& value, std::string_view what);

struct Block {
  uint64_t number = 0;
  Digest hash{};
};
// nullopt: the node has no such block.
Result<std::optional<Block>> ReadBlock(const boost::json::value& value);

struct Receipt {
  uint64_t block = 0;
  Digest block_hash{};
  bool succeeded = false;
  uint64_t gas_used = 0;
};
// nullopt: not mined, as far as the node knows.
Result<std::optional<Receipt>> ReadReceipt(const boost::json::value& value);

struct FeeHistory {
  uint64_t next_base_fee = 0;
  std::vector<uint64_t> priorities;  // the middle one of each block that had transactions
};
Result<FeeHistory> ReadFeeHistory(const boost::json::value& value);

struct Event {
  Address contract{};  // that wrote it
  std::vector<Word> topics{};
  Bytes data{};
  bool operator==(const Event&) const = default;
};
Result<std::vector<Event>> ReadEvents(const boost::json::value& value);

}  // namespace glasscase::ledger::evm
