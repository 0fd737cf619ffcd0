#include <algorithm>
#include <utility>

#include "contracts.h"
#include "evm_anchor_implementation.h"
#include "fees.h"

namespace glasscase::ledger::evm {
namespace {

// For a change of an asset whose record is still under way, which no node can estimate. Measured: 26,500.
constexpr uint64_t kChangeGas = 60'000;

Error NoContract(const char* which) {
  return Error::FailedPrecondition(
      std::string("no ") + which +
      " contract is configured: make one (docs/guides/chain.md) and configure its address");
}

}  // namespace

// ---- what is configured, and whether it fits ----

Result<Address> EvmAnchorImplementation::AnchorContract() const {
  if (!options_.anchor_contract) return Fail(NoContract("anchor"));
  return *options_.anchor_contract;
}

Result<Address> EvmAnchorImplementation::RegistryContract() const {
  if (!options_.registry_contract) return Fail(NoContract("registry"));
  return *options_.registry_contract;
}

// Before everything: the same question means something else on another chain.
Status EvmAnchorImplementation::CheckChain() {
  GC_TRY(const uint64_t chain, node_.ChainId());
  if (chain == options_.chain_id) return Ok();
  return Fail(Error::FailedPrecondition("the node at " + node_.host() + " is of chain " +
                                        std::to_string(chain) + ", not of the configured chain " +
                                        std::to_string(options_.chain_id)));
}

Status EvmAnchorImplementation::CheckOrigin(const Address& contract, const std::string& origin,
                                            const std::string& block) {
  GC_TRY(const Bytes answer, Ask(contract, Question("origin"), block));
  GC_TRY(const Word there, AbiReader(answer).ReadWord());
  if (there == OriginDigest(origin)) return Ok();
  return Fail(Error::FailedPrecondition("the anchor contract " + AddressText(contract) +
                                        " is of another log than " + Printable(origin)));
}

Status EvmAnchorImplementation::CheckFunds(uint64_t gas, const Fees& fees) {
  const uint64_t cost = CostCapped(gas, fees.max);
  if (cost == 0) return Ok();
  GC_TRY(const uint64_t balance, node_.BalanceCapped(key_.address()));
  if (balance >= cost) return Ok();
  return Fail(Error::FailedPrecondition("out of funds: the account " + AddressText(key_.address()) + " has " +
                                        EtherText(balance) + " and needs up to " + EtherText(cost) +
                                        "; send it more"));
}

Result<Bytes> EvmAnchorImplementation::Ask(const Address& contract, Bytes question,
                                           const std::string& block) {
  GC_TRY(Bytes answer,
         node_.Call({.from = key_.address(), .to = contract, .data = std::move(question)}, block));
  // A call of an address without code succeeds and gives nothing.
  if (answer.empty())
    return Fail(Error::FailedPrecondition("there is no contract of ours at " + AddressText(contract) +
                                          " on chain " + std::to_string(options_.chain_id)));
  return answer;
}

// ---- preparing ----

Result<EvmAnchorImplementation::Open> EvmAnchorImplementation::ReadOpen(std::span<const Bytes> open) const {
  Open read;
  for (const Bytes& kept : open) {
    GC_TRY(Submission submission, FromKeptForm(kept));
    // Of a chain or key before this one: it does not share our nonces.
    if (submission.chain_id == options_.chain_id && submission.sender == key_.address())
      read.push_back(std::move(submission));
  }
  return read;
}

Result<Draft> EvmAnchorImplementation::DraftOf(const AnchorCheckpoint& checkpoint, const Open& open) {
  GC_TRY(const Address contract, AnchorContract());
  for (const Submission& other : open) {
    if (other.to != contract || AnchoredSize(other.data).value_or(0) < checkpoint.size) continue;
    return Fail(Error::AlreadyExists("a checkpoint that is as large is on its way: size=" +
                                     std::to_string(*AnchoredSize(other.data))));
  }
  GC_TRY_VOID(CheckOrigin(contract, checkpoint.origin, kNewestBlock));
  return Draft{.to = contract, .data = AnchorCall(checkpoint)};
}

Result<Draft> EvmAnchorImplementation::DraftOf(const AssetRecord& record, const Open& open) {
  GC_TRY(const Address contract, RegistryContract());
  const bool under_way = std::ranges::any_of(open, [&](const Submission& other) {
    return other.to == contract && Registers(other.data, record.asset);
  });
  if (under_way)
    return Fail(Error::AlreadyExists("the asset's record is on its way: " + record.asset.ToString()));
  return Draft{.to = contract, .data = RegisterCall(record)};
}

Result<Draft> EvmAnchorImplementation::DraftOf(const AssetChange& change, const Open& open) {
  GC_TRY(const Address contract, RegistryContract());
  const bool under_way = std::ranges::any_of(open, [&](const Submission& other) {
    return other.to == contract && Registers(other.data, change.asset);
  });
  return Draft{.to = contract, .data = ChangeCall(change), .gas = under_way ? kChangeGas : 0};
}

Result<Draft> EvmAnchorImplementation::DraftOf(const ModelContract& model, const Open&) {
  return Draft{.data = Creation(model)};
}

Result<Draft> EvmAnchorImplementation::DraftOf(const DatasetContract& dataset, const Open&) {
  if (dataset.uri.size() > kUriBytesMax || !IsUtf8(dataset.uri))
    return Fail(Error::InvalidArgument("the URI of a dataset is UTF-8 of at most " +
                                       std::to_string(kUriBytesMax) + " bytes"));
  return Draft{.data = Creation(dataset)};
}

Result<Bytes> EvmAnchorImplementation::Prepare(const AnchorAct& act, std::span<const Bytes> open) {
  GC_TRY_VOID(CheckChain());
  GC_TRY(const Open read, ReadOpen(open));
  GC_TRY(Draft draft, std::visit([&](const auto& one) { return DraftOf(one, read); }, act));
  return Sign(std::move(draft), read);
}

Result<Bytes> EvmAnchorImplementation::PrepareAnchorContract(const std::string& origin,
                                                             std::span<const Bytes> open) {
  GC_TRY_VOID(CheckChain());
  GC_TRY(const Open read, ReadOpen(open));
  return Sign({.data = AnchorDeployment(origin)}, read);
}

Result<Bytes> EvmAnchorImplementation::PrepareRegistryContract(std::span<const Bytes> open) {
  GC_TRY_VOID(CheckChain());
  GC_TRY(const Open read, ReadOpen(open));
  return Sign({.data = RegistryDeployment()}, read);
}

// The first number from the chain's own count on that no open submission has. So a gap, as a lost row of the
// outbox leaves it, is filled; else all that comes behind it would wait for ever.
Result<uint64_t> EvmAnchorImplementation::NextNonce(const Open& open) {
  GC_TRY(uint64_t nonce, node_.TransactionCount(key_.address(), "pending"));
  while (std::ranges::any_of(open, [nonce](const Submission& other) { return other.nonce == nonce; }))
    ++nonce;
  return nonce;
}

Result<Fees> EvmAnchorImplementation::CurrentFees(uint64_t gas) {
  if (options_.free_of_fees) return Fees{};
  GC_TRY(const FeeHistory recent, node_.RecentFees());
  GC_TRY(const uint64_t suggested, node_.SuggestedPriority());
  return LimitFees(ChooseFees(recent, suggested), recent.next_base_fee, gas, options_.limits);
}

Result<Bytes> EvmAnchorImplementation::Sign(Draft draft, const Open& open) {
  Submission submission{
      .chain_id = options_.chain_id, .sender = key_.address(), .to = draft.to, .gas = draft.gas};
  if (submission.gas == 0) {
    GC_TRY(const uint64_t estimate,
           node_.EstimateGas({.from = key_.address(), .to = draft.to, .data = draft.data}));
    submission.gas = CostCapped(estimate, options_.gas_percent) / 100;
  }
  submission.data = std::move(draft.data);
  GC_TRY(const Fees fees, CurrentFees(submission.gas));
  GC_TRY_VOID(CheckFunds(submission.gas, fees));
  GC_TRY(submission.nonce, NextNonce(open));
  submission.attempts.push_back(
      {.fees = fees, .raw = SignTransaction(TransactionOf(submission, fees), key_)});
  return KeptForm(submission);
}

// ---- submitting ----

Result<Submission> EvmAnchorImplementation::ReadKept(ByteSpan kept) const {
  GC_TRY(Submission submission, FromKeptForm(kept));
  if (submission.chain_id != options_.chain_id)
    return Fail(
        Error::FailedPrecondition("this submission is for chain " + std::to_string(submission.chain_id) +
                                  ", not for the configured chain " + std::to_string(options_.chain_id)));
  return submission;
}

Error EvmAnchorImplementation::SendError(const RpcError& error, const Submission& submission) {
  const std::string words = Printable(error.message);
  switch (WhySendWasRefused(error)) {
    case SendRefusal::kNoFunds:
      return Error::FailedPrecondition("out of funds: the account " + AddressText(submission.sender) +
                                       " cannot pay for its transaction, send it more: " + words);
    case SendRefusal::kFeeTooLow:
      return Error::FailedPrecondition("the fee is lower than the chain takes now, replace the submission: " +
                                       words);
    default: return Error::FailedPrecondition("the chain node at " + node_.host() + " refuses it: " + words);
  }
}

Status EvmAnchorImplementation::Submit(ByteSpan kept) {
  GC_TRY(const Submission submission, ReadKept(kept));
  GC_TRY_VOID(CheckChain());
  GC_TRY(const std::optional<RpcError> refusal, node_.Send(submission.attempts.back().raw));
  if (!refusal) return Ok();
  switch (WhySendWasRefused(*refusal)) {
    case SendRefusal::kAlreadyKnown:
    case SendRefusal::kNonceUsed: return Ok();  // Poll tells whether by this one or by another
    default: return Fail(SendError(*refusal, submission));
  }
}

Result<Bytes> EvmAnchorImplementation::Replace(ByteSpan kept) {
  GC_TRY(Submission submission, ReadKept(kept));
  GC_TRY_VOID(CheckChain());
  if (submission.sender != key_.address())
    return Fail(Error::FailedPrecondition("the submission is signed by " + AddressText(submission.sender) +
                                          ", whose key is not the configured one"));
  if (options_.free_of_fees)
    return Fail(Error::FailedPrecondition("there are no fees on this chain that a replacement could raise"));
  GC_TRY(const Fees now, CurrentFees(submission.gas));
  const Fees raised = RaiseFees(submission.attempts.back().fees, now);
  GC_TRY_VOID(CheckLimits(raised, submission.gas, options_.limits));
  GC_TRY_VOID(CheckFunds(submission.gas, raised));
  submission.attempts.push_back(
      {.fees = raised, .raw = SignTransaction(TransactionOf(submission, raised), key_)});
  return KeptForm(submission);
}

std::optional<uint64_t> EvmAnchorImplementation::CheckpointSize(ByteSpan kept) const {
  const auto submission = FromKeptForm(kept);
  return submission ? AnchoredSize(submission->data) : std::nullopt;
}

Result<std::unique_ptr<EvmAnchor>> EvmAnchor::Create(EvmOptions options, SigningKey key) {
  if (options.chain_id == 0)
    return Fail(Error::InvalidArgument("a chain id is needed: which chain is this?"));
  if (options.gas_percent == 0 || options.events_per_question_blocks == 0)
    return Fail(Error::InvalidArgument("the percentage of gas and the blocks per question are at least 1"));
  if (options.finality == FinalityRule::kConfirmations && options.confirmations == 0)
    return Fail(Error::InvalidArgument("0 confirmations: say immediate finality where the chain has it"));
  JsonRpcOptions rpc_options{.url = options.url,
                             .ca_pem = options.ca_pem,
                             .resolved = options.resolved,
                             .timeout_ms = options.timeout_ms};
  rpc_options.authorization = std::move(options.authorization);
  GC_TRY(auto rpc, JsonRpc::Create(std::move(rpc_options)));
  return std::unique_ptr<EvmAnchor>(
      new EvmAnchorImplementation(std::move(options), std::move(key), std::move(rpc)));
}

}  // namespace glasscase::ledger::evm
