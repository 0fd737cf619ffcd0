// Of several custodians over one catalog, only the one with the seat writes to the chain or asks witnesses.
#include "chain_desk.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "bench_test.h"
#include "witness_desk.h"

namespace glasscase::operations::testing {
namespace {

// A chain that takes all that it is given; it can be made to wait.
class CountingAnchor final : public ledger::Anchor {
 public:
  Result<Bytes> Prepare(const ledger::AnchorAct&, std::span<const Bytes>) override {
    std::unique_lock lock(mutex_);
    ++prepared_;
    changed_.wait(lock, [this] { return !stalls_; });
    return Bytes{1};
  }
  Status Submit(ByteSpan) override {
    const std::lock_guard lock(mutex_);
    ++submitted_;
    return Ok();
  }
  Result<ledger::SubmissionStatus> Poll(ByteSpan) override {
    const std::lock_guard lock(mutex_);
    const bool mined = submitted_ > 0;
    return ledger::SubmissionStatus{
        .state = mined ? ledger::SubmissionState::kMined : ledger::SubmissionState::kUnknown, .final = mined};
  }
  std::optional<uint64_t> CheckpointSize(ByteSpan) const override { return std::nullopt; }
  Result<Bytes> Replace(ByteSpan kept) override { return Bytes(kept.begin(), kept.end()); }
  Result<std::optional<ledger::AnchorCheckpoint>> LastCheckpoint(const std::string&,
                                                                 ledger::AnchorView) override {
    return std::nullopt;
  }
  Result<std::optional<ledger::RecordedAsset>> FindAsset(const Uuid&, ledger::AnchorView) override {
    return std::nullopt;
  }
  Result<std::vector<ledger::AssetChange>> ChangesOf(const Uuid&, ledger::AnchorView) override { return {}; }
  Result<std::vector<std::string>> ContractsOf(const Uuid&, ledger::AssetKind, ledger::AnchorView) override {
    return {};
  }
  Result<ledger::AssetContract> ReadContract(const std::string&, ledger::AssetKind,
                                             ledger::AnchorView) override {
    return Fail(Error::NotFound("none"));
  }
  Result<ledger::AnchorCondition> Examine() override { return {}; }

  int prepared() const { return Locked(prepared_); }
  int submitted() const { return Locked(submitted_); }
  void Stall(bool stalls) {
    const std::lock_guard lock(mutex_);
    stalls_ = stalls;
    changed_.notify_all();
  }

 private:
  int Locked(const int& count) const {
    const std::lock_guard lock(mutex_);
    return count;
  }
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stalls_ = false;
  int prepared_ = 0;
  int submitted_ = 0;
};

class SeatedDeskTest : public OperationsTest {
 protected:
  SeatedDeskTest() {
    public_edge.reset();
    control.reset();
    operations.reset();  // the catalog is this desk's
    desk.emplace(loop, clock, *catalog, log_files, LogSigner());
    desk->PublishWhile([this] { return holds_seat; });
  }
  ~SeatedDeskTest() override {
    anchor.Stall(false);
    chain.reset();
    desk.reset();
  }

  void StartWithChain() {
    chain.emplace(loop, clock, *catalog, *desk, anchor, 0);
    ASSERT_TRUE(desk->Start());
    ASSERT_TRUE(RunUntil([&] { return desk->log().has_value(); }));
    auto transaction = catalog->Begin().value();
    ASSERT_TRUE(ChainDesk::QueueCheckpoint(*transaction, clock.WallMicros()));
    ASSERT_TRUE(transaction->Commit());
  }
  bool IsWritten() {
    return RunUntil([&] { return catalog->OpenChainActs().value().empty(); });
  }

  CountingAnchor anchor;
  std::optional<LedgerDesk> desk;
  std::optional<ChainDesk> chain;
};

TEST_F(SeatedDeskTest, WithoutTheSeatNothingIsSentToTheChain) {
  StartWithChain();
  holds_seat = false;
  RunFor(3 * ChainDesk::kLookMs);
  EXPECT_EQ(anchor.prepared(), 0);
  holds_seat = true;
  EXPECT_TRUE(IsWritten());
  EXPECT_EQ(anchor.prepared(), 1);
  EXPECT_EQ(anchor.submitted(), 1);
}

TEST_F(SeatedDeskTest, WhatWasPreparedWhenTheSeatWasLostIsForgottenAndNeverSent) {
  StartWithChain();
  anchor.Stall(true);
  ASSERT_TRUE(RunUntil([&] { return anchor.prepared() == 1; }));
  holds_seat = false;
  anchor.Stall(false);
  RunFor(3 * ChainDesk::kLookMs);
  const auto open = catalog->OpenChainActs().value();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].kept, "") << "another one may have prepared it by now";
  EXPECT_EQ(anchor.submitted(), 0);
  holds_seat = true;
  EXPECT_TRUE(IsWritten());
  EXPECT_EQ(anchor.prepared(), 2);
}

TEST_F(SeatedDeskTest, WithoutTheSeatNoWitnessIsAsked) {
  std::atomic<int> asked = 0;
  const auto witness = ledger::NoteSigner::Make("north.example", ledger::KeyType::kEd25519Cosignature,
                                                Ed25519Key::FromSeed(Secret(std::string(32, 'w'))).value());
  const auto policy =
      ledger::Policy::Parse("log " + desk->verifier().ToString() + "\nwitness north " +
                            witness->verifier().ToString() + " http://127.0.0.1:9/\nquorum north\n");
  ASSERT_TRUE(policy) << policy.error().message();
  WitnessDesk witness_desk(loop, clock, *desk, *policy, [&](const ledger::WitnessRequest&) {
    ++asked;
    return Result<ledger::WitnessReply>(Fail(Error::Unavailable("away")));
  });
  ASSERT_TRUE(desk->Start());
  ASSERT_TRUE(desk->log());
  holds_seat = false;
  RunFor(5 * WitnessDesk::kLookMs);
  EXPECT_EQ(asked, 0);
  holds_seat = true;
  EXPECT_TRUE(RunUntil([&] { return asked > 0; }));
}

}  // namespace
}  // namespace glasscase::operations::testing
