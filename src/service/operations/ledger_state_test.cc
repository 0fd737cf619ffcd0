// How far acts have come in the ledger, as answers and listings say it.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <gmock/gmock.h>

#include <glasscase/ledger/testing/memory_witness_state.h>
#include <glasscase/ledger/witness.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct NorthWitness {
  NorthWitness(const ledger::NoteVerifier& log, const Clock& clock)
      : witness(
            ledger::Witness::Make({.signer = ledger::NoteSigner::Make(
                                                 "north.example", ledger::KeyType::kEd25519Cosignature,
                                                 Ed25519Key::FromSeed(Secret(std::string(32, 'w'))).value())
                                                 .value(),
                                   .logs = {log},
                                   .state = state,
                                   .clock = clock})
                .value()) {}
  Result<ledger::WitnessReply> Ask(const ledger::WitnessRequest& request) {
    while (hesitates) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (!answers) return Fail(Error::Unavailable("asleep"));
    const ledger::WitnessAnswer answer = witness.Add(request.body);
    return ledger::WitnessReply{.status = static_cast<int>(answer.verdict),
                                .content_type = answer.body_is_a_size ? "text/x.tlog.size" : "",
                                .body = answer.body};
  }

  std::atomic<bool> answers = true;
  std::atomic<bool> hesitates = false;
  ledger::testing::MemoryWitnessState state;
  ledger::Witness witness;
};

class LedgerStateTest : public OperationsTest {
 protected:
  rpc::Model Show(std::string_view asset) { return Do(root, ShowModel(asset)).model(); }
  rpc::Response Put(const std::string& name, const std::string& label) {
    return Publish(root, name, "bytes of " + name + label, label);
  }
  rpc::HistoryAnswer History(std::string_view asset) {
    rpc::Request request;
    request.mutable_history()->set_model(std::string(asset));
    return Do(root, request).history();
  }
  std::vector<std::string> HistoryStates(std::string_view asset) {
    std::vector<std::string> states;
    const rpc::HistoryAnswer history = History(asset);
    for (const rpc::HistoryEntry& entry : history.entries()) states.push_back(entry.ledger_state());
    return states;
  }
  rpc::Grant ListedGrant() {
    rpc::Request request;
    request.mutable_list_grants();
    return Do(root, request).grants().grants(0);
  }
  // Asks again for some seconds.
  bool Becomes(std::string_view asset, std::string_view state) {
    for (int tries = 0; tries < 250; ++tries) {
      if (Show(asset).ledger_state() == state) return true;
      RunFor(20);
    }
    return false;
  }

  ~LedgerStateTest() override { north->hesitates = false; }

  // From the next start on there is one witness in the policy.
  void HaveWitness() {
    const auto text = "log " + LogSigner().verifier().ToString() + "\nwitness north " +
                      north->witness.verifier().ToString() + " https://north.example\nquorum north\n";
    witnesses = ledger::Policy::Parse(text).value();
    ask_witness = [north = north](const ledger::WitnessRequest& request) { return north->Ask(request); };
    Restart();
  }

  // Nothing new is published until it has answered once.
  void HaveHesitatingWitness() {
    north->hesitates = true;
    HaveWitness();
  }

  // Owned by the operations too, whose thread asks it.
  const std::shared_ptr<NorthWitness> north = std::make_shared<NorthWitness>(LogSigner().verifier(), clock);
};

TEST_F(LedgerStateTest, AnActIsPendingUntilItsCheckpoint) {
  HaveHesitatingWitness();
  const rpc::Response published = Put("m", "1");
  EXPECT_EQ(published.published().model().versions(0).ledger_state(), "pending");
  EXPECT_EQ(published.published().model().ledger_state(), "pending");
  EXPECT_EQ(Show("m").ledger_state(), "pending");
  EXPECT_EQ(Show("m").versions(0).ledger_state(), "pending");
  north->answers = false;
  north->hesitates = false;
  ASSERT_TRUE(Becomes("m", "in_checkpoint"));
  EXPECT_EQ(Show("m").versions(0).ledger_state(), "in_checkpoint");
  EXPECT_THAT(HistoryStates("m"), Each("in_checkpoint"));
}

TEST_F(LedgerStateTest, OneActThatWaitsLeavesTheOthersAsTheyAre) {
  Enrol(root, "ada");
  Put("m", "1");
  Put("m", "2");
  ASSERT_TRUE(Becomes("m", "in_checkpoint"));
  HaveHesitatingWitness();
  Do(root, OnVersion(&rpc::Request::mutable_retire, "m", "2"));
  const rpc::Model shown = Show("m");
  EXPECT_EQ(shown.ledger_state(), "pending");
  EXPECT_EQ(shown.versions(0).ledger_state(), "in_checkpoint");
  EXPECT_EQ(shown.versions(1).ledger_state(), "pending");
  EXPECT_EQ(Do(root, CreateGrant("ada", "m@1")).grant().ledger_state(), "pending");
  EXPECT_EQ(Show("m").versions(0).ledger_state(), "in_checkpoint") << "its grant is another thing";
}

TEST_F(LedgerStateTest, WhatWaitsIsInTheHistory) {
  Put("m", "1");
  Put("other", "1");
  ASSERT_TRUE(Becomes("other", "in_checkpoint"));
  HaveHesitatingWitness();
  Do(root, OnVersion(&rpc::Request::mutable_retire, "m", "1"));
  const rpc::HistoryAnswer history = History("m");
  EXPECT_EQ(history.pending(), 1u);
  EXPECT_THAT(history.waiting(), ElementsAre(HasSubstr(R"("type":"retired")")));
  EXPECT_THAT(History("other").waiting(), IsEmpty());
  EXPECT_EQ(Show("other").ledger_state(), "in_checkpoint");
}

TEST_F(LedgerStateTest, GrantsAndTheirWithdrawalSaySo) {
  Enrol(root, "ada");
  Put("m", "1");
  const std::string id = Do(root, CreateGrant("ada", "m")).grant().id();
  ASSERT_TRUE(Becomes("m", "in_checkpoint"));
  EXPECT_EQ(ListedGrant().ledger_state(), "in_checkpoint");
  HaveHesitatingWitness();
  EXPECT_EQ(Do(root, RevokeGrant(id)).revoked().ledger_state(), "pending");
  EXPECT_EQ(ListedGrant().ledger_state(), "pending");
}

TEST_F(LedgerStateTest, CosignedIsSaidOnlyWhenTheQuorumHasSigned) {
  HaveWitness();
  Put("m", "1");
  ASSERT_TRUE(Becomes("m", "cosigned"));
  EXPECT_THAT(HistoryStates("m"), Each("cosigned"));
  north->answers = false;
  Put("m", "2");
  ASSERT_TRUE(Becomes("m", "in_checkpoint"));
  EXPECT_EQ(Show("m").versions(0).ledger_state(), "cosigned");
  EXPECT_EQ(Show("m").versions(1).ledger_state(), "in_checkpoint");
  EXPECT_THAT(HistoryStates("m"), ElementsAre("cosigned", "cosigned", "in_checkpoint"));
  RunFor(300);
  EXPECT_EQ(Show("m").versions(1).ledger_state(), "in_checkpoint");
  north->answers = true;
  ASSERT_TRUE(Becomes("m", "cosigned"));
}

TEST_F(LedgerStateTest, ListsOfAssetsDoNotSay) {
  Put("m", "1");
  rpc::Request request;
  request.mutable_list_models();
  const rpc::Response answer = Do(root, request);
  EXPECT_EQ(answer.models().models(0).ledger_state(), "");
  EXPECT_EQ(answer.models().models(0).versions(0).ledger_state(), "");
}

}  // namespace
}  // namespace glasscase::operations::testing
