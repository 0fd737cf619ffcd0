#include "rpc_answers.h"

#include <algorithm>
#include <limits>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace glasscase::ledger::evm {
namespace {

namespace json = boost::json;

constexpr size_t kDepthMax = 16;
constexpr size_t kRewardsMax = 1024;
constexpr size_t kEventsMax = 100'000;

Error NotUnderstood(std::string_view what) {
  return Error::DataLoss("the chain node's answer is not understood: " + std::string(what));
}

Result<std::string_view> HexDigits(const json::value& value, std::string_view what) {
  const json::string* const text = value.if_string();
  if (text == nullptr || !text->starts_with("0x")) return Fail(NotUnderstood(what));
  return std::string_view(*text).substr(2);
}

const json::value& MemberOf(const json::object& object, std::string_view name) {
  static const json::value kNull;
  const json::value* const member = object.if_contains(name);
  return member == nullptr ? kNull : *member;
}

// Nodes put what a contract gave into `data`, bare, behind a word ("Reverted 0x…"), or into a member of it.
Bytes RevertDataOf(const json::value& data) {
  if (const json::object* const object = data.if_object()) {
    const json::value& inner = MemberOf(*object, "data");
    return inner.is_object() ? Bytes() : RevertDataOf(inner);
  }
  const json::string* const text = data.if_string();
  if (text == nullptr) return {};
  const std::string_view digits(*text);
  const size_t begin = digits.find("0x");
  if (begin == std::string_view::npos) return {};
  return FromHex(digits.substr(begin + 2)).value_or(Bytes());
}

RpcError ReadError(const json::object& error) {
  RpcError read;
  if (const int64_t* const code = MemberOf(error, "code").if_int64()) read.code = *code;
  if (const json::string* const message = MemberOf(error, "message").if_string())
    read.message = std::string_view(*message).substr(0, 1000);
  read.data = RevertDataOf(MemberOf(error, "data"));
  return read;
}

}  // namespace

Result<RpcAnswer> ParseRpcAnswer(std::string_view body, uint64_t id) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::value parsed = json::parse(body, error, {}, options);
  if (error) return Fail(NotUnderstood("no JSON: " + Printable(body, 60)));
  json::object* const answer = parsed.if_object();
  if (answer == nullptr) return Fail(NotUnderstood("no JSON object"));
  if (MemberOf(*answer, "jsonrpc") != json::value("2.0")) return Fail(NotUnderstood("not JSON-RPC 2.0"));
  const json::value& member_error = MemberOf(*answer, "error");
  const json::value& answered = MemberOf(*answer, "id");
  // A node that could not read the request answers without its id.
  if (answered != json::value(id) && (member_error.is_null() || !answered.is_null()))
    return Fail(NotUnderstood("the answer to another request"));
  if (!member_error.is_null()) {
    if (!member_error.is_object()) return Fail(NotUnderstood("an error that is no object"));
    return RpcAnswer(ReadError(member_error.get_object()));
  }
  json::value* const result = answer->if_contains("result");
  if (result == nullptr) return Fail(NotUnderstood("neither a result nor an error"));
  return RpcAnswer(std::move(*result));
}

Result<uint64_t> ReadQuantityCapped(const json::value& value, std::string_view what) {
  GC_TRY(std::string_view digits, HexDigits(value, what));
  if (digits.empty() || digits.size() > 64) return Fail(NotUnderstood(what));
  // Leading zeros are against the rules, and some nodes send them.
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  const std::string padded = (digits.size() % 2 == 1 ? "0" : "") + std::string(digits);
  const auto bytes = FromHex(padded);
  if (!bytes) return Fail(NotUnderstood(what));
  if (bytes->size() > 8) return std::numeric_limits<uint64_t>::max();
  uint64_t number = 0;
  for (const uint8_t byte : *bytes) number = number << 8 | byte;
  return number;
}

Result<uint64_t> ReadQuantity(const json::value& value, std::string_view what) {
  GC_TRY(const uint64_t number, ReadQuantityCapped(value, what));
  if (number == std::numeric_limits<uint64_t>::max())
    return Fail(NotUnderstood(std::string(what) + " is too large"));
  return number;
}

Result<Bytes> ReadData(const json::value& value, std::string_view what) {
  GC_TRY(const std::string_view digits, HexDigits(value, what));
  auto bytes = FromHex(digits);
  if (!bytes) return Fail(NotUnderstood(what));
  return *std::move(bytes);
}

Result<Digest> ReadHash(const json::value& value, std::string_view what) {
  GC_TRY(const Bytes bytes, ReadData(value, what));
  Digest digest;
  if (bytes.size() != digest.size()) return Fail(NotUnderstood(what));
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

Result<std::optional<Block>> ReadBlock(const json::value& value) {
  if (value.is_null()) return std::optional<Block>();
  const json::object* const object = value.if_object();
  if (object == nullptr) return Fail(NotUnderstood("a block that is no object"));
  Block block;
  GC_TRY(block.number, ReadQuantity(MemberOf(*object, "number"), "the number of a block"));
  GC_TRY(block.hash, ReadHash(MemberOf(*object, "hash"), "the hash of a block"));
  return std::optional<Block>(block);
}

Result<std::optional<Receipt>> ReadReceipt(const json::value& value) {
  if (value.is_null()) return std::optional<Receipt>();
  const json::object* const object = value.if_object();
  if (object == nullptr) return Fail(NotUnderstood("a receipt that is no object"));
  if (MemberOf(*object, "blockNumber").is_null())
    return std::optional<Receipt>();  // of a block in the making
  Receipt receipt;
  GC_TRY(receipt.block, ReadQuantity(MemberOf(*object, "blockNumber"), "the block of a receipt"));
  GC_TRY(receipt.block_hash, ReadHash(MemberOf(*object, "blockHash"), "the block hash of a receipt"));
  GC_TRY(receipt.gas_used, ReadQuantity(MemberOf(*object, "gasUsed"), "the gas of a receipt"));
  GC_TRY(const uint64_t status, ReadQuantity(MemberOf(*object, "status"), "the status of a receipt"));
  if (status > 1) return Fail(NotUnderstood("the status of a receipt"));
  receipt.succeeded = status == 1;
  return std::optional<Receipt>(receipt);
}

Result<FeeHistory> ReadFeeHistory(const json::value& value) {
  const json::object* const object = value.if_object();
  const json::array* const base_fees =
      object == nullptr ? nullptr : MemberOf(*object, "baseFeePerGas").if_array();
  if (base_fees == nullptr || base_fees->empty() || base_fees->size() > kRewardsMax)
    return Fail(NotUnderstood("the fee history; does this chain know EIP-1559 (the London rules)?"));
  FeeHistory history;
  GC_TRY(history.next_base_fee, ReadQuantity(base_fees->back(), "a base fee"));
  const json::array* const rewards = MemberOf(*object, "reward").if_array();
  if (rewards == nullptr) return history;  // no transactions, nothing to learn from
  const json::array* const used = MemberOf(*object, "gasUsedRatio").if_array();
  for (size_t i = 0; i < std::min(rewards->size(), kRewardsMax); ++i) {
    const json::array* const of_block = (*rewards)[i].if_array();
    if (of_block == nullptr || of_block->size() != 1)
      return Fail(NotUnderstood("the rewards of the fee history"));
    GC_TRY(const uint64_t reward, ReadQuantity(of_block->front(), "a reward"));
    // An empty block's reward is zero and says nothing.
    const bool empty =
        used != nullptr && i < used->size() && (*used)[i].is_number() && (*used)[i].to_number<double>() == 0;
    if (!empty) history.priorities.push_back(reward);
  }
  return history;
}

Result<std::vector<Event>> ReadEvents(const json::value& value) {
  const json::array* const list = value.if_array();
  if (list == nullptr || list->size() > kEventsMax) return Fail(NotUnderstood("the list of events"));
  std::vector<Event> events;
  for (const json::value& item : *list) {
    const json::object* const object = item.if_object();
    const json::array* const topics = object == nullptr ? nullptr : MemberOf(*object, "topics").if_array();
    if (topics == nullptr || topics->size() > 4) return Fail(NotUnderstood("an event"));
    if (MemberOf(*object, "removed") == json::value(true)) continue;  // by a reorganisation
    Event event;
    GC_TRY(const Bytes address, ReadData(MemberOf(*object, "address"), "the address of an event"));
    if (address.size() != event.contract.size()) return Fail(NotUnderstood("the address of an event"));
    std::ranges::copy(address, event.contract.begin());
    for (const json::value& topic : *topics) {
      GC_TRY(const Word word, ReadHash(topic, "the topic of an event"));
      event.topics.push_back(word);
    }
    GC_TRY(event.data, ReadData(MemberOf(*object, "data"), "the data of an event"));
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace glasscase::ledger::evm
