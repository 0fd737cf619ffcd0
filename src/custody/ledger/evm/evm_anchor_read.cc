#include <algorithm>
#include <iterator>
#include <set>

#include "contracts.h"
#include "evm_anchor_implementation.h"
#include "fees.h"

namespace glasscase::ledger::evm {

Result<std::optional<AnchorCheckpoint>> EvmAnchorImplementation::LastCheckpoint(const std::string& origin,
                                                                                AnchorView view) {
  GC_TRY(const Address contract, AnchorContract());
  GC_TRY_VOID(CheckChain());
  // All answers from one block: between two of them a larger checkpoint could be written.
  GC_TRY(const Heads heads, ReadHeads());
  std::string block = BlockName(heads.newest);
  if (view == AnchorView::kFinal) {
    GC_TRY(block, FinalBlockName(heads));
  }
  GC_TRY_VOID(CheckOrigin(contract, origin, block));
  AnchorCheckpoint last{.origin = origin};
  GC_TRY(const Bytes size, Ask(contract, Question("size"), block));
  GC_TRY(last.size, AbiReader(size).ReadNumber());
  if (last.size == 0) return std::optional<AnchorCheckpoint>();
  GC_TRY(const Bytes root, Ask(contract, Question("root"), block));
  GC_TRY(last.root, AbiReader(root).ReadWord());
  return std::optional<AnchorCheckpoint>(std::move(last));
}

Result<std::optional<RecordedAsset>> EvmAnchorImplementation::FindAsset(const Uuid& asset, AnchorView view) {
  GC_TRY(const Address contract, RegistryContract());
  GC_TRY_VOID(CheckChain());
  GC_TRY(const std::string block, BlockOf(view));
  GC_TRY(const Bytes answer, Ask(contract, RecordQuestion(asset), block));
  return ReadRecord(asset, answer);
}

// In pieces that nodes answer.
Result<std::vector<Event>> EvmAnchorImplementation::EventsOf(EventFilter filter, AnchorView view) {
  GC_TRY(const Heads heads, ReadHeads());
  if (view == AnchorView::kFinal) GC_TRY_VOID(FinalBlockName(heads));
  const uint64_t end = view == AnchorView::kFinal ? *heads.final : heads.newest;
  std::vector<Event> all;
  for (uint64_t first = options_.first_block; first <= end; first += options_.events_per_question_blocks) {
    filter.first_block = first;
    filter.last_block = std::min(end, first + options_.events_per_question_blocks - 1);
    GC_TRY(std::vector<Event> events, node_.Events(filter));
    std::ranges::move(events, std::back_inserter(all));
  }
  return all;
}

Result<std::vector<AssetChange>> EvmAnchorImplementation::ChangesOf(const Uuid& asset, AnchorView view) {
  GC_TRY(const Address contract, RegistryContract());
  GC_TRY_VOID(CheckChain());
  const EventFilter filter{.contract = contract,
                           .topics = {TopicOf("Changed(bytes16,bytes32,uint64)"), WordOf(asset)}};
  GC_TRY(const std::vector<Event> events, EventsOf(filter, view));
  std::vector<AssetChange> changes;
  for (const Event& event : events) {
    AbiReader reader(event.data);
    AssetChange change{.asset = asset};
    GC_TRY(change.commitment, reader.ReadWord());
    GC_TRY(change.log_index, reader.ReadNumber());
    changes.push_back(change);
  }
  return changes;
}

Result<std::vector<std::string>> EvmAnchorImplementation::ContractsOf(const Uuid& asset, AssetKind kind,
                                                                      AnchorView view) {
  GC_TRY_VOID(CheckChain());
  const Word made = TopicOf(kind == AssetKind::kModel ? "ModelRegistered(bytes16,address)"
                                                      : "DatasetRegistered(bytes16,address)");
  GC_TRY(const std::vector<Event> events,
         EventsOf({.topics = {made, WordOf(asset), WordOf(key_.address())}}, view));
  std::vector<std::string> contracts;
  if (events.empty()) return contracts;
  // Anybody's contract can write such an event and name us in it. Where ours stand follows from the account
  // and its count, which nobody can choose.
  GC_TRY(const uint64_t count, node_.TransactionCount(key_.address(), kNewestBlock));
  std::set<Address> ours;
  for (uint64_t nonce = 0; nonce < count; ++nonce) ours.insert(CreatedAddress(key_.address(), nonce));
  for (const Event& event : events)
    if (ours.contains(event.contract)) contracts.push_back(AddressText(event.contract));
  return contracts;
}

Result<AssetContract> EvmAnchorImplementation::ReadContract(const std::string& contract, AssetKind kind,
                                                            AnchorView view) {
  GC_TRY(const Address address, ParseAddress(contract));
  GC_TRY_VOID(CheckChain());
  GC_TRY(const std::string block, BlockOf(view));
  GC_TRY(const bool stands, node_.HasCode(address, block));
  if (!stands) return Fail(Error::NotFound("no contract stands at " + AddressText(address)));
  const auto ask = [&](std::string_view name) { return Ask(address, Question(name), block); };
  GC_TRY(const Bytes asset, ask("asset"));
  GC_TRY(const Bytes commitment, ask("commitment"));
  GC_TRY(const Bytes log_index, ask("logIndex"));
  GC_TRY(const Bytes publisher, ask("publisher"));
  GC_TRY(const Uuid id, AbiReader(asset).ReadUuid());
  GC_TRY(const Word digest, AbiReader(commitment).ReadWord());
  GC_TRY(const uint64_t index, AbiReader(log_index).ReadNumber());
  GC_TRY(const Address who, AbiReader(publisher).ReadAddress());
  if (kind == AssetKind::kDataset) {
    GC_TRY(const Bytes uri, ask("uri"));
    GC_TRY(const std::string text, AbiReader(uri).ReadOnlyString(kUriBytesMax));
    return AssetContract{
        .asset = DatasetContract{.asset = id, .commitment = digest, .log_index = index, .uri = text},
        .publisher = AddressText(who)};
  }
  ModelContract model{.asset = id, .commitment = digest, .log_index = index};
  GC_TRY(const Bytes trained_on, ask("trainedOn"));
  GC_TRY(const Bytes tested_with, ask("testedWith"));
  GC_TRY(const Bytes image, ask("image"));
  GC_TRY(model.trained_on, AbiReader(trained_on).ReadUuid());
  GC_TRY(model.tested_with, AbiReader(tested_with).ReadUuid());
  GC_TRY(model.image, AbiReader(image).ReadWord());
  return AssetContract{.asset = model, .publisher = AddressText(who)};
}

Result<AnchorCondition> EvmAnchorImplementation::Examine() {
  AnchorCondition condition{
      .place = "chain " + std::to_string(options_.chain_id) + " through " + node_.host(),
      .account = AddressText(key_.address())};
  GC_TRY_VOID(CheckChain());
  GC_TRY(const Heads heads, ReadHeads());
  condition.newest_block = heads.newest;
  condition.final_block = heads.final.value_or(0);
  if (!heads.final) condition.complaints.push_back(FinalBlockName(heads).error().message());
  GC_TRY(const uint64_t balance, node_.BalanceCapped(key_.address()));
  condition.balance = EtherText(balance);
  if (balance == 0 && !options_.free_of_fees)
    condition.complaints.push_back("out of funds: send something to " + condition.account);
  for (const auto& contract : {options_.anchor_contract, options_.registry_contract}) {
    if (!contract) continue;
    auto answer = Ask(*contract, Question("publisher"), kNewestBlock);
    if (!answer) {
      condition.complaints.push_back(answer.error().message());
      continue;
    }
    const auto publisher = AbiReader(*answer).ReadAddress();
    if (!publisher || *publisher != key_.address())
      condition.complaints.push_back("the contract " + AddressText(*contract) + " has another publisher" +
                                     (publisher ? ": " + AddressText(*publisher) : std::string()));
  }
  return condition;
}

}  // namespace glasscase::ledger::evm
