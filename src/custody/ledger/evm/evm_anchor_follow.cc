#include <utility>

#include "evm_anchor_implementation.h"

namespace glasscase::ledger::evm {
namespace {

std::string HexText(ByteSpan bytes) { return "0x" + ToHex(bytes); }

}  // namespace

Result<Heads> EvmAnchorImplementation::ReadHeads() {
  GC_TRY(const std::optional<Block> newest, node_.FindBlock(kNewestBlock));
  if (!newest) return Fail(Error::Unavailable("the chain node at " + node_.host() + " has no blocks yet"));
  Heads heads{.newest = newest->number};
  switch (options_.finality) {
    case FinalityRule::kImmediate: heads.final = heads.newest; break;
    case FinalityRule::kConfirmations:
      if (heads.newest >= options_.confirmations) heads.final = heads.newest - options_.confirmations;
      break;
    case FinalityRule::kTag: {
      GC_TRY(const std::optional<Block> final, node_.FindBlock("finalized"));
      if (final) heads.final = final->number;
      break;
    }
  }
  return heads;
}

Result<std::string> EvmAnchorImplementation::FinalBlockName(const Heads& heads) const {
  if (!heads.final)
    return Fail(
        Error::FailedPrecondition("the chain has no final block yet; where it never has one, configure "
                                  "confirmations or immediate finality"));
  return BlockName(*heads.final);
}

Result<std::string> EvmAnchorImplementation::BlockOf(AnchorView view) {
  if (view == AnchorView::kNewest) return std::string(kNewestBlock);
  GC_TRY(const Heads heads, ReadHeads());
  return FinalBlockName(heads);
}

Result<std::optional<std::pair<Digest, Receipt>>> EvmAnchorImplementation::FindReceipt(
    const Submission& submission) {
  for (const Attempt& attempt : submission.attempts) {
    const Digest hash = TransactionHash(attempt.raw);
    GC_TRY(const std::optional<Receipt> receipt, node_.FindReceipt(hash));
    if (receipt) return std::optional(std::pair(hash, *receipt));
  }
  return std::optional<std::pair<Digest, Receipt>>();
}

Result<SubmissionStatus> EvmAnchorImplementation::Poll(ByteSpan kept) {
  GC_TRY(const Submission submission, ReadKept(kept));
  GC_TRY_VOID(CheckChain());
  GC_TRY(const Heads heads, ReadHeads());
  GC_TRY(const auto found, FindReceipt(submission));
  if (found) return StatusOf(submission, found->first, found->second, heads);
  GC_TRY(const uint64_t count, node_.TransactionCount(submission.sender, kNewestBlock));
  if (count <= submission.nonce) return StatusBeforeItsTurn(submission);
  // The nonce is used. By one of ours, if it was mined after we asked for receipts.
  GC_TRY(const auto found_now, FindReceipt(submission));
  if (found_now) return StatusOf(submission, found_now->first, found_now->second, heads);
  return StatusDisplaced(submission, heads);
}

Result<SubmissionStatus> EvmAnchorImplementation::StatusBeforeItsTurn(const Submission& submission) {
  SubmissionStatus status{.transaction = HexText(TransactionHash(submission.attempts.back().raw))};
  for (const Attempt& attempt : submission.attempts) {
    GC_TRY(const bool known, node_.Knows(TransactionHash(attempt.raw)));
    if (known) status.state = SubmissionState::kPending;
  }
  return status;
}

Result<SubmissionStatus> EvmAnchorImplementation::StatusDisplaced(const Submission& submission,
                                                                  const Heads& heads) {
  SubmissionStatus status{.state = SubmissionState::kDisplaced,
                          .transaction = HexText(TransactionHash(submission.attempts.back().raw))};
  if (heads.final) {
    GC_TRY(const uint64_t final_count, node_.TransactionCount(submission.sender, BlockName(*heads.final)));
    status.final = final_count > submission.nonce;
  }
  return status;
}

Result<SubmissionStatus> EvmAnchorImplementation::StatusOf(const Submission& submission, const Digest& hash,
                                                           const Receipt& receipt, const Heads& heads) {
  SubmissionStatus status{.state = receipt.succeeded ? SubmissionState::kMined : SubmissionState::kRefused,
                          .block = receipt.block,
                          .transaction = HexText(hash)};
  if (!submission.to && receipt.succeeded)
    status.contract = AddressText(CreatedAddress(submission.sender, submission.nonce));
  if (heads.final && receipt.block <= *heads.final) {
    // A node may still hand out the receipt of a block that the chain left: final is only what the chain has.
    GC_TRY(const std::optional<Block> block, node_.FindBlock(BlockName(receipt.block)));
    status.final = block && block->hash == receipt.block_hash;
  }
  if (!receipt.succeeded) {
    GC_TRY(status.reason, WhyRefused(submission, receipt));
  }
  return status;
}

// A receipt says that, not why: the call is made once more where it failed.
Result<std::string> EvmAnchorImplementation::WhyRefused(const Submission& submission,
                                                        const Receipt& receipt) {
  if (receipt.gas_used >= submission.gas)
    return "out of gas: it used all of the " + std::to_string(submission.gas) +
           " that it was given; raise the percentage of the estimate that is asked for, and prepare it anew";
  const auto again = node_.Call(
      {.from = submission.sender, .to = submission.to, .data = submission.data, .gas = submission.gas},
      BlockName(receipt.block));
  if (again) return std::string("the reason is gone: the same call succeeds now");
  if (again.error().code() == Code::kUnavailable || again.error().code() == Code::kDeadlineExceeded)
    return Fail(again.error());
  return again.error().message();
}

}  // namespace glasscase::ledger::evm
