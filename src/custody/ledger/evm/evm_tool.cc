// Drives the adapter for tests/chain: one JSON object per line on standard input, one answer per line. The
// first line configures. The caller keeps the submissions, as a custodian's outbox does, so this program may
// be killed at any time.
#include <iostream>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/ledger_evm/evm_anchor.h>

#include "transaction.h"

namespace glasscase::ledger::evm {
namespace {

namespace json = boost::json;

std::string Text(const json::object& from, std::string_view name) {
  const json::value* const value = from.if_contains(name);
  return value == nullptr ? "" : std::string(value->as_string());
}
uint64_t Number(const json::object& from, std::string_view name, uint64_t otherwise = 0) {
  const json::value* const value = from.if_contains(name);
  return value == nullptr ? otherwise : value->to_number<uint64_t>();
}
Digest Hash(const json::object& from, std::string_view name) {
  const std::string text = Text(from, name);
  return text.empty() ? Digest{} : DigestFromHex(text).value();
}
Uuid Id(const json::object& from, std::string_view name) {
  const std::string text = Text(from, name);
  return text.empty() ? Uuid{} : Uuid::Parse(text).value();
}
std::optional<Address> AddressAt(const json::object& from, std::string_view name) {
  const std::string text = Text(from, name);
  if (text.empty()) return std::nullopt;
  return ParseAddress(text).value();
}
std::vector<Bytes> OpenOf(const json::object& order) {
  std::vector<Bytes> open;
  if (const json::value* const list = order.if_contains("open"))
    for (const json::value& kept : list->as_array()) open.push_back(FromHex(kept.as_string()).value());
  return open;
}

SigningKey KeyOf(const json::object& order) {
  return SigningKey::FromHex(Secret(Text(order, "key"))).value();
}

Result<std::unique_ptr<EvmAnchor>> Configure(const json::object& order) {
  EvmOptions options{.url = Text(order, "url"), .chain_id = Number(order, "chain_id")};
  options.anchor_contract = AddressAt(order, "anchor");
  options.registry_contract = AddressAt(order, "registry");
  const std::string finality = Text(order, "finality");
  options.finality = finality == "immediate"       ? FinalityRule::kImmediate
                     : finality == "confirmations" ? FinalityRule::kConfirmations
                                                   : FinalityRule::kTag;
  options.confirmations = Number(order, "confirmations");
  options.ca_pem = Text(order, "ca_pem");
  options.free_of_fees = order.contains("free_of_fees");
  FeeLimits& limits = options.limits;
  limits.max_fee_per_gas_wei = Number(order, "max_fee_per_gas_wei", limits.max_fee_per_gas_wei);
  limits.max_priority_fee_per_gas_wei =
      Number(order, "max_priority_fee_per_gas_wei", limits.max_priority_fee_per_gas_wei);
  limits.max_transaction_fee_wei = Number(order, "max_transaction_fee_wei", limits.max_transaction_fee_wei);
  options.gas_percent = Number(order, "gas_percent", options.gas_percent);
  options.events_per_question_blocks =
      Number(order, "events_per_question_blocks", options.events_per_question_blocks);
  options.timeout_ms = static_cast<int64_t>(Number(order, "timeout_ms", 20'000));
  return EvmAnchor::Create(std::move(options), KeyOf(order));
}

AnchorAct ActOf(const json::object& order) {
  const std::string act = Text(order, "act");
  const uint64_t log_index = Number(order, "log_index");
  if (act == "checkpoint")
    return AnchorCheckpoint{
        .origin = Text(order, "origin"), .size = Number(order, "size"), .root = Hash(order, "root")};
  if (act == "record")
    return AssetRecord{.asset = Id(order, "asset"),
                       .kind = static_cast<AssetKind>(Number(order, "kind")),
                       .commitment = Hash(order, "commitment"),
                       .log_index = log_index};
  if (act == "change")
    return AssetChange{
        .asset = Id(order, "asset"), .commitment = Hash(order, "commitment"), .log_index = log_index};
  if (act == "model")
    return ModelContract{.asset = Id(order, "asset"),
                         .commitment = Hash(order, "commitment"),
                         .trained_on = Id(order, "trained_on"),
                         .tested_with = Id(order, "tested_with"),
                         .image = Hash(order, "image"),
                         .log_index = log_index};
  GC_CHECK(act == "dataset");
  return DatasetContract{.asset = Id(order, "asset"),
                         .commitment = Hash(order, "commitment"),
                         .log_index = log_index,
                         .uri = Text(order, "uri")};
}

std::string StateName(SubmissionState state) {
  switch (state) {
    case SubmissionState::kUnknown: return "unknown";
    case SubmissionState::kPending: return "pending";
    case SubmissionState::kMined: return "mined";
    case SubmissionState::kRefused: return "refused";
    case SubmissionState::kDisplaced: return "displaced";
  }
  return "?";
}

json::object Show(const SubmissionStatus& status) {
  return {{"state", StateName(status.state)},  {"final", status.final},       {"block", status.block},
          {"transaction", status.transaction}, {"contract", status.contract}, {"reason", status.reason}};
}

json::object Show(const AssetContract& contract) {
  json::object shown{{"publisher", contract.publisher}};
  if (const auto* const model = std::get_if<ModelContract>(&contract.asset)) {
    shown["asset"] = model->asset.ToString();
    shown["commitment"] = ToHex(model->commitment);
    shown["trained_on"] = model->trained_on.ToString();
    shown["tested_with"] = model->tested_with.ToString();
    shown["image"] = ToHex(model->image);
    shown["log_index"] = model->log_index;
  } else {
    const auto& dataset = std::get<DatasetContract>(contract.asset);
    shown["asset"] = dataset.asset.ToString();
    shown["commitment"] = ToHex(dataset.commitment);
    shown["log_index"] = dataset.log_index;
    shown["uri"] = dataset.uri;
  }
  return shown;
}

// The bytes of one transaction, for comparison with those of others.
json::object SignOnly(const json::object& order) {
  const Transaction transaction{.chain_id = Number(order, "chain_id"),
                                .nonce = Number(order, "nonce"),
                                .fees = {.priority = Number(order, "priority"), .max = Number(order, "max")},
                                .gas = Number(order, "gas"),
                                .to = AddressAt(order, "to"),
                                .data = FromHex(Text(order, "data")).value()};
  const SigningKey key = KeyOf(order);
  const Bytes raw = SignTransaction(transaction, key);
  return {{"raw", ToHex(raw)},
          {"hash", ToHex(TransactionHash(raw))},
          {"address", AddressText(key.address())},
          {"created", AddressText(CreatedAddress(key.address(), transaction.nonce))}};
}

Result<json::object> Prepared(Result<Bytes> kept) {
  if (!kept) return Fail(kept.error());
  return json::object{{"kept", ToHex(*kept)}};
}

Result<json::object> Do(Anchor& anchor, const json::object& order) {
  const std::string what = Text(order, "do");
  const AnchorView view = order.contains("final") ? AnchorView::kFinal : AnchorView::kNewest;
  const Bytes kept = FromHex(Text(order, "kept")).value();
  if (what == "prepare") return Prepared(anchor.Prepare(ActOf(order), OpenOf(order)));
  if (what == "replace") return Prepared(anchor.Replace(kept));
  if (what == "submit") {
    GC_TRY_VOID(anchor.Submit(kept));
    return json::object();
  }
  if (what == "poll") {
    GC_TRY(const SubmissionStatus status, anchor.Poll(kept));
    return Show(status);
  }
  if (what == "last") {
    GC_TRY(const auto last, anchor.LastCheckpoint(Text(order, "origin"), view));
    if (!last) return json::object();
    return json::object{{"size", last->size}, {"root", ToHex(last->root)}};
  }
  if (what == "find") {
    GC_TRY(const auto found, anchor.FindAsset(Id(order, "asset"), view));
    if (!found) return json::object();
    return json::object{{"kind", static_cast<int>(found->record.kind)},
                        {"commitment", ToHex(found->record.commitment)},
                        {"log_index", found->record.log_index},
                        {"time", found->time_seconds}};
  }
  if (what == "changes") {
    GC_TRY(const auto changes, anchor.ChangesOf(Id(order, "asset"), view));
    json::array list;
    for (const AssetChange& change : changes)
      list.push_back(json::object{{"commitment", ToHex(change.commitment)}, {"log_index", change.log_index}});
    return json::object{{"changes", std::move(list)}};
  }
  if (what == "contracts") {
    GC_TRY(const auto contracts,
           anchor.ContractsOf(Id(order, "asset"), static_cast<AssetKind>(Number(order, "kind")), view));
    return json::object{{"contracts", json::array(contracts.begin(), contracts.end())}};
  }
  if (what == "read") {
    GC_TRY(const AssetContract contract,
           anchor.ReadContract(Text(order, "contract"), static_cast<AssetKind>(Number(order, "kind")), view));
    return Show(contract);
  }
  GC_CHECK(what == "examine");
  GC_TRY(const AnchorCondition condition, anchor.Examine());
  json::array complaints;
  for (const std::string& complaint : condition.complaints) complaints.emplace_back(complaint);
  return json::object{{"place", condition.place},
                      {"account", condition.account},
                      {"balance", condition.balance},
                      {"newest_block", condition.newest_block},
                      {"final_block", condition.final_block},
                      {"complaints", std::move(complaints)}};
}

Result<json::object> Handle(std::unique_ptr<EvmAnchor>& anchor, const json::object& order) {
  const std::string what = Text(order, "do");
  if (what == "sign") return SignOnly(order);
  if (what == "configure") {
    GC_TRY(anchor, Configure(order));
    return json::object();
  }
  GC_CHECK(anchor != nullptr);
  if (what == "make_anchor")
    return Prepared(anchor->PrepareAnchorContract(Text(order, "origin"), OpenOf(order)));
  if (what == "make_registry") return Prepared(anchor->PrepareRegistryContract(OpenOf(order)));
  return Do(*anchor, order);
}

void AnswerLines() {
  std::unique_ptr<EvmAnchor> anchor;
  for (std::string line; std::getline(std::cin, line);) {
    auto answer = Handle(anchor, json::parse(line).as_object());
    json::object shown;
    if (answer)
      shown = *std::move(answer);
    else
      shown["error"] = {{"code", CodeName(answer.error().code())}, {"message", answer.error().message()}};
    std::cout << json::serialize(shown) << std::endl;
  }
}

}  // namespace
}  // namespace glasscase::ledger::evm

int main() { glasscase::ledger::evm::AnswerLines(); }
