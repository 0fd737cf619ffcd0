#include <glasscase/ledger/witness.h>

#include <gtest/gtest.h>

#include <glasscase/core/testing/fake_clock.h>
#include <glasscase/ledger/cosigning.h>
#include <glasscase/ledger/testing/memory_witness_state.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using glasscase::testing::FakeClock;
using testing::MemoryWitnessState;
using testing::Signer;
using testing::SmallLog;

constexpr char kOrigin[] = "log.example";

// A log of entries "x0", "x1", ...: with another letter it is another log under the same name.
std::string SignedCheckpoint(size_t size, std::string_view signer = kOrigin, std::string origin = kOrigin) {
  SmallLog log(size);
  Note note{.text = log.CheckpointText(std::move(origin)), .signatures = {}};
  note.signatures.push_back(Signer(signer).Sign(note.text));
  return note.ToString();
}

std::string OtherRoot(size_t size) {
  Checkpoint checkpoint{.origin = kOrigin, .size = size, .root = HashLeaf(AsBytes("a lie"))};
  Note note{.text = checkpoint.ToString(), .signatures = {}};
  note.signatures.push_back(Signer(kOrigin).Sign(note.text));
  return note.ToString();
}

Proof ProofBetween(size_t old_size, size_t size) {
  SmallLog log(size);
  return ProveConsistency(old_size, size, log).value();
}

class WitnessTest : public ::testing::Test {
 protected:
  WitnessAnswer Add(uint64_t old_size, size_t size) {
    return Add(old_size, old_size == 0 ? Proof{} : ProofBetween(old_size, size), SignedCheckpoint(size));
  }
  WitnessAnswer Add(uint64_t old_size, Proof proof, std::string checkpoint) {
    return witness_.Add(
        AddCheckpoint{.old_size = old_size, .proof = std::move(proof), .checkpoint = std::move(checkpoint)}
            .ToString());
  }

  MemoryWitnessState state_;
  FakeClock clock_;
  Witness witness_ = Witness::Make({.signer = Signer("witness.example", KeyType::kEd25519Cosignature),
                                    .logs = {Signer(kOrigin).verifier(), Signer("second.example").verifier()},
                                    .state = state_,
                                    .clock = clock_})
                         .value();
};

TEST_F(WitnessTest, SignsTheFirstCheckpointAndItsContinuation) {
  for (const auto& [old_size, size] : {std::pair{0, 3}, {3, 7}, {7, 7}, {7, 300}}) {
    const WitnessAnswer answer = Add(old_size, size);
    ASSERT_EQ(answer.verdict, WitnessVerdict::kCosigned) << answer.body;
    Note note = Note::Parse(SignedCheckpoint(size)).value();
    note.signatures = ParseSignatureLines(answer.body).value();
    uint64_t time = 0;
    EXPECT_TRUE(note.IsSignedBy(witness_.verifier(), &time).value());
    EXPECT_EQ(time, 1'790'000'000u);
    EXPECT_EQ(state_.logs[kOrigin].checkpoint.size, static_cast<uint64_t>(size));
  }
}

TEST_F(WitnessTest, ShowsWhatItSignedLast) {
  EXPECT_EQ(witness_.Latest(OriginDigest(kOrigin)).error().code(), Code::kNotFound);
  ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  const Note note = Note::Parse(witness_.Latest(OriginDigest(kOrigin)).value()).value();
  EXPECT_TRUE(note.IsSignedBy(witness_.verifier()).value());
  EXPECT_TRUE(note.IsSignedBy(Signer(kOrigin).verifier()).value());
  EXPECT_EQ(witness_.Latest(OriginDigest("third.example")).error().code(), Code::kNotFound);
}

TEST_F(WitnessTest, SignaturesOfStrangersAreNotPassedOn) {
  Note note = Note::Parse(SignedCheckpoint(3)).value();
  note.signatures.insert(note.signatures.begin(), Signer("stranger.example").Sign(note.text));
  ASSERT_EQ(Add(0, {}, note.ToString()).verdict, WitnessVerdict::kCosigned);
  EXPECT_EQ(state_.logs[kOrigin].note.find("stranger"), std::string::npos);
}

TEST_F(WitnessTest, WhatIsNoRequestIsMalformed) {
  const std::string good = "old 0\n\n" + SignedCheckpoint(3);
  EXPECT_EQ(witness_.Add(good).verdict, WitnessVerdict::kCosigned);
  const std::string hash = ToBase64(EmptyRoot()) + "\n";
  std::string long_proof;
  for (int i = 0; i < 64; ++i) long_proof += hash;
  for (const std::string& bad :
       {std::string(), std::string("old 0\n"), good.substr(1), "old 00" + good.substr(5),
        "old -1" + good.substr(5), "old x" + good.substr(5), "old 0\nAAAA\n\n" + SignedCheckpoint(3),
        "old 0\n" + long_proof + "\n" + SignedCheckpoint(3), good.substr(0, good.size() - 2),
        std::string("old 0\n\nno checkpoint\n\n") + Signer(kOrigin).Sign("no checkpoint\n").ToLine(),
        "old 18446744073709551616\n\n" + SignedCheckpoint(3)}) {
    EXPECT_EQ(witness_.Add(bad).verdict, WitnessVerdict::kMalformed) << bad;
  }
}

TEST_F(WitnessTest, AnOldSizeAboveTheNewOneIsMalformed) {
  EXPECT_EQ(Add(4, {}, SignedCheckpoint(3)).verdict, WitnessVerdict::kMalformed);
}

TEST_F(WitnessTest, ALogThatItDoesNotWatchIsUnknown) {
  EXPECT_EQ(Add(0, {}, SignedCheckpoint(3, "third.example", "third.example")).verdict,
            WitnessVerdict::kUnknownLog);
}

TEST_F(WitnessTest, OnlyTheLogsOwnKeyCounts) {
  EXPECT_EQ(Add(0, {}, SignedCheckpoint(3, "third.example")).verdict, WitnessVerdict::kNotSigned);
  // A key that is known, of another log.
  EXPECT_EQ(Add(0, {}, SignedCheckpoint(3, "second.example")).verdict, WitnessVerdict::kNotSigned);
  Note forged = Note::Parse(SignedCheckpoint(3)).value();
  forged.signatures[0].signature[9] ^= 1;
  EXPECT_EQ(Add(0, {}, forged.ToString()).verdict, WitnessVerdict::kNotSigned);
  EXPECT_TRUE(state_.logs.empty());
}

TEST_F(WitnessTest, AnotherOldSizeIsAnsweredWithTheKnownOne) {
  ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  for (const WitnessAnswer& answer : {Add(0, 7), Add(2, 7), Add(5, 7), Add(2, 2)}) {
    EXPECT_EQ(answer.verdict, WitnessVerdict::kConflict);
    EXPECT_TRUE(answer.body_is_a_size);
    EXPECT_EQ(answer.body, "3\n");
    EXPECT_EQ(answer.report, "");
  }
  EXPECT_EQ(state_.logs[kOrigin].checkpoint.size, 3u);
}

TEST_F(WitnessTest, TwoRootsOfOneSizeAreEvidence) {
  ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  const std::string first = state_.logs[kOrigin].note;
  const WitnessAnswer answer = Add(3, {}, OtherRoot(3));
  EXPECT_EQ(answer.verdict, WitnessVerdict::kConflict);
  EXPECT_FALSE(answer.body_is_a_size);
  EXPECT_NE(answer.report.find("two histories"), std::string::npos);
  ASSERT_EQ(state_.evidence.size(), 1u);
  EXPECT_EQ(state_.evidence[0].kind, Evidence::Kind::kSplitView);
  EXPECT_EQ(state_.evidence[0].known, first);
  EXPECT_EQ(state_.evidence[0].other, OtherRoot(3));
  EXPECT_EQ(state_.logs[kOrigin].note, first);
  // Seen also when the sender is wrong about the old size.
  EXPECT_NE(Add(0, {}, OtherRoot(3)).report, "");
  EXPECT_EQ(state_.evidence.size(), 2u);
}

TEST_F(WitnessTest, AProofThatDoesNotHoldIsNotConsistent) {
  ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  Proof proof = ProofBetween(3, 7);
  proof[0][0] ^= 1;
  EXPECT_EQ(Add(3, proof, SignedCheckpoint(7)).verdict, WitnessVerdict::kNotConsistent);
  EXPECT_EQ(Add(3, {}, SignedCheckpoint(7)).verdict, WitnessVerdict::kNotConsistent);
  EXPECT_EQ(Add(3, ProofBetween(3, 7), OtherRoot(7)).verdict, WitnessVerdict::kNotConsistent);
  ASSERT_EQ(state_.evidence.size(), 3u);
  EXPECT_EQ(state_.evidence[2].kind, Evidence::Kind::kUnproved);
  EXPECT_EQ(state_.evidence[2].other, OtherRoot(7));
  EXPECT_EQ(state_.logs[kOrigin].checkpoint.size, 3u);
}

TEST_F(WitnessTest, AProofForAFirstCheckpointIsEmpty) {
  EXPECT_EQ(Add(0, {EmptyRoot()}, SignedCheckpoint(3)).verdict, WitnessVerdict::kNotConsistent);
  EXPECT_TRUE(state_.evidence.empty());
}

TEST_F(WitnessTest, NothingIsSignedThatCannotBeKept) {
  state_.fails = true;
  const WitnessAnswer answer = Add(0, 3);
  EXPECT_EQ(answer.verdict, WitnessVerdict::kFailed);
  EXPECT_EQ(answer.body.find("\u2014"), std::string::npos);
  EXPECT_NE(answer.report.find("disk is full"), std::string::npos);
}

TEST_F(WitnessTest, AnEmptyLogIsSignedAndGoesOn) {
  ASSERT_EQ(Add(0, 0).verdict, WitnessVerdict::kCosigned);
  EXPECT_TRUE(witness_.Latest(OriginDigest(kOrigin)));
  EXPECT_EQ(Add(0, 5).verdict, WitnessVerdict::kCosigned);
}

// ---- the log's side ----

class CosigningTest : public WitnessTest {
 protected:
  CosigningTest() {
    policy_ = Policy::Parse("log " + Signer(kOrigin).verifier().ToString() + "\nwitness w " +
                            witness_.verifier().ToString() + " https://w.example/\nwitness absent " +
                            Signer("absent.example", KeyType::kEd25519Cosignature).verifier().ToString() +
                            " https://absent.example\ngroup one any w absent\nquorum one\n")
                  .value();
  }
  Cosigning Begin(size_t size, std::map<std::string, uint64_t> known = {}) {
    return Cosigning::Begin(
               *policy_, SignedCheckpoint(size), std::move(known),
               [size](uint64_t old_size) -> Result<Proof> { return ProofBetween(old_size, size); })
        .value();
  }
  // One round in which only `w` answers.
  Status Round(Cosigning& cosigning) {
    Status status;
    const std::vector<WitnessRequest> requests = cosigning.Requests().value();
    for (const WitnessRequest& request : requests) {
      if (request.witness != "w") continue;
      EXPECT_EQ(request.url, "https://w.example/add-checkpoint");
      const WitnessAnswer answer = witness_.Add(request.body);
      status = cosigning.Take("w", {.status = static_cast<int>(answer.verdict),
                                    .content_type = answer.body_is_a_size ? "text/x.tlog.size" : "text/plain",
                                    .body = answer.body});
    }
    return status;
  }

  std::optional<Policy> policy_;
};

TEST_F(CosigningTest, CollectsSignaturesUpToThePolicy) {
  Cosigning cosigning = Begin(3);
  EXPECT_FALSE(cosigning.IsEnough());
  ASSERT_TRUE(Round(cosigning));
  EXPECT_TRUE(cosigning.IsEnough());
  EXPECT_TRUE(Note::Parse(cosigning.ToString())->IsSignedBy(witness_.verifier()).value());
  EXPECT_EQ(cosigning.known_sizes().at("w"), 3u);
  // The next one begins where the last one ended, without asking.
  Cosigning next = Begin(9, cosigning.known_sizes());
  ASSERT_TRUE(Round(next));
  EXPECT_TRUE(next.IsEnough());
}

TEST_F(CosigningTest, LearnsTheSizeThatAWitnessKnows) {
  ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  for (const uint64_t believed : {0U, 2U, 8U, 700U}) {
    Cosigning cosigning = Begin(9, {{"w", believed}});
    ASSERT_TRUE(Round(cosigning));
    if (!cosigning.IsEnough()) {
      ASSERT_TRUE(Round(cosigning));
    }
    EXPECT_TRUE(cosigning.IsEnough()) << believed;
    state_.logs.clear();
    ASSERT_EQ(Add(0, 3).verdict, WitnessVerdict::kCosigned);
  }
}

TEST_F(CosigningTest, AWitnessThatKnowsMoreIsAnError) {
  ASSERT_EQ(Add(0, 9).verdict, WitnessVerdict::kCosigned);
  Cosigning cosigning = Begin(3);
  EXPECT_EQ(Round(cosigning).error().code(), Code::kFailedPrecondition);
}

TEST_F(CosigningTest, AnotherRootOfTheSameSizeIsAnError) {
  ASSERT_EQ(Add(0, {}, OtherRoot(3)).verdict, WitnessVerdict::kCosigned);
  Cosigning cosigning = Begin(3, {{"w", 3}});
  EXPECT_EQ(Round(cosigning).error().code(), Code::kFailedPrecondition);
  ASSERT_EQ(cosigning.Requests()->size(), 1u);  // the other one may still answer
}

TEST_F(CosigningTest, WrongAnswersAreErrorsAndNotAskedAgain) {
  const std::string wrong = Signer("witness.example", KeyType::kEd25519Cosignature).Sign("text\n").ToLine();
  const std::string foreign = Signer("xenia.example", KeyType::kEd25519Cosignature).Sign("text\n").ToLine();
  for (const WitnessReply& reply : {WitnessReply{.status = 200, .body = wrong},
                                    {.status = 200, .body = foreign},
                                    {.status = 200, .body = "?"},
                                    {.status = 200},
                                    {.status = 404, .body = "unknown\n"},
                                    {.status = 503},
                                    {.status = 409, .content_type = "text/x.tlog.size", .body = "x\n"}}) {
    Cosigning cosigning = Begin(3);
    ASSERT_EQ(cosigning.Requests()->size(), 2u);
    EXPECT_FALSE(cosigning.Take("w", reply));
    EXPECT_FALSE(cosigning.IsEnough());
    EXPECT_EQ(cosigning.Requests()->size(), 1u);
  }
}

TEST_F(CosigningTest, AWitnessThatNeverAgreesIsGivenUp) {
  Cosigning cosigning = Begin(9);
  int rounds = 0;
  for (; rounds < 10; ++rounds) {
    const auto requests = cosigning.Requests().value();
    if (requests.empty()) break;
    ASSERT_TRUE(cosigning.Take("w", {.status = 409, .content_type = "text/x.tlog.size", .body = "1\n"}));
  }
  EXPECT_EQ(rounds, Cosigning::kTriesMax);
}

}  // namespace
}  // namespace glasscase::ledger
