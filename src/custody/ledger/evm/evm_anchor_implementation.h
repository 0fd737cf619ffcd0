// The one implementation of EvmAnchor, in three files: preparing and submitting (evm_anchor.cc), following
// what was submitted (evm_anchor_follow.cc), reading back (evm_anchor_read.cc).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/ledger_evm/evm_anchor.h>

#include "node.h"
#include "submission.h"

namespace glasscase::ledger::evm {

inline constexpr char kNewestBlock[] = "latest";

struct Heads {
  uint64_t newest = 0;
  std::optional<uint64_t> final{};  // none yet
};

// A transaction to be.
struct Draft {
  std::optional<Address> to{};
  Bytes data;
  uint64_t gas = 0;  // 0: to be estimated
};

class EvmAnchorImplementation final : public EvmAnchor {
 public:
  EvmAnchorImplementation(EvmOptions options, SigningKey key, std::unique_ptr<JsonRpc> rpc)
      : options_(std::move(options)), key_(std::move(key)), node_(std::move(rpc)) {}

  Result<Bytes> Prepare(const AnchorAct& act, std::span<const Bytes> open) override;
  Result<Bytes> PrepareAnchorContract(const std::string& origin, std::span<const Bytes> open) override;
  Result<Bytes> PrepareRegistryContract(std::span<const Bytes> open) override;
  Status Submit(ByteSpan kept) override;
  Result<SubmissionStatus> Poll(ByteSpan kept) override;
  Result<Bytes> Replace(ByteSpan kept) override;
  std::optional<uint64_t> CheckpointSize(ByteSpan kept) const override;
  Result<std::optional<AnchorCheckpoint>> LastCheckpoint(const std::string& origin, AnchorView view) override;
  Result<std::optional<RecordedAsset>> FindAsset(const Uuid& asset, AnchorView view) override;
  Result<std::vector<AssetChange>> ChangesOf(const Uuid& asset, AnchorView view) override;
  Result<std::vector<std::string>> ContractsOf(const Uuid& asset, AssetKind kind, AnchorView view) override;
  Result<AssetContract> ReadContract(const std::string& contract, AssetKind kind, AnchorView view) override;
  Result<AnchorCondition> Examine() override;

 private:
  using Open = std::vector<Submission>;
  Result<Open> ReadOpen(std::span<const Bytes> open) const;
  Result<Draft> DraftOf(const AnchorCheckpoint& checkpoint, const Open& open);
  Result<Draft> DraftOf(const AssetRecord& record, const Open& open);
  Result<Draft> DraftOf(const AssetChange& change, const Open& open);
  Result<Draft> DraftOf(const ModelContract& model, const Open& open);
  Result<Draft> DraftOf(const DatasetContract& dataset, const Open& open);
  Result<Bytes> Sign(Draft draft, const Open& open);

  Result<Address> AnchorContract() const;
  Result<Address> RegistryContract() const;
  Status CheckChain();
  Status CheckOrigin(const Address& contract, const std::string& origin, const std::string& block);
  Status CheckFunds(uint64_t gas, const Fees& fees);
  Result<Submission> ReadKept(ByteSpan kept) const;
  Result<uint64_t> NextNonce(const Open& open);
  Result<Fees> CurrentFees(uint64_t gas);

  Result<Heads> ReadHeads();
  Result<std::string> FinalBlockName(const Heads& heads) const;
  Result<std::string> BlockOf(AnchorView view);
  Result<std::vector<Event>> EventsOf(EventFilter filter, AnchorView view);
  Result<std::optional<std::pair<Digest, Receipt>>> FindReceipt(const Submission& submission);
  Result<SubmissionStatus> StatusOf(const Submission& submission, const Digest& hash, const Receipt& receipt,
                                    const Heads& heads);
  // Of one without a receipt whose nonce was seen free, and used.
  Result<SubmissionStatus> StatusBeforeItsTurn(const Submission& submission);
  Result<SubmissionStatus> StatusDisplaced(const Submission& submission, const Heads& heads);
  Result<std::string> WhyRefused(const Submission& submission, const Receipt& receipt);
  Error SendError(const RpcError& error, const Submission& submission);
  Result<Bytes> Ask(const Address& contract, Bytes question, const std::string& block);

  EvmOptions options_;
  SigningKey key_;
  Node node_;
};

}  // namespace glasscase::ledger::evm
