#include <glasscase/ledger/receipt.h>

#include <gtest/gtest.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using testing::Signer;
using testing::SmallLog;

constexpr KeyType kWitness = KeyType::kEd25519Cosignature;

std::string LogLine() { return "log " + Signer("log.example").verifier().ToString() + "\n"; }
std::string WitnessLine(const std::string& name) {
  return "witness " + name + " " + Signer(name + ".example", kWitness).verifier().ToString() + " https://" +
         name + "\n";
}

TEST(PolicyTest, QuorumsAreCounted) {
  const Policy policy =
      Policy::Parse("# comment\n" + LogLine() + WitnessLine("a") + WitnessLine("b") + WitnessLine("c") +
                    WitnessLine("d") +
                    "\ngroup one any c d\ngroup both all b one\ngroup two 1 a both\nquorum two\n")
          .value();
  EXPECT_TRUE(policy.NeedsWitnesses());
  EXPECT_TRUE(policy.IsQuorum({"a"}));
  EXPECT_TRUE(policy.IsQuorum({"b", "d"}));
  EXPECT_FALSE(policy.IsQuorum({"b"}));
  EXPECT_FALSE(policy.IsQuorum({"c", "d"}));
  EXPECT_FALSE(policy.IsQuorum({}));
  EXPECT_TRUE(Policy::Parse(LogLine() + "quorum none\n")->IsQuorum({}));
}

TEST(PolicyTest, MistakesAreNamedWithTheirLine) {
  const std::string log = LogLine(), a = WitnessLine("a"), b = WitnessLine("b");
  for (const std::string& bad :
       {std::string(), log, a + "quorum none\n", log + "quorum a\n", log + a + "quorum a\nquorum a\n",
        log + "log x\nquorum none\n", log + a + a + "quorum a\n", log + a + b + "group g 3 a b\nquorum g\n",
        log + a + b + "group g 0 a b\nquorum g\n", log + a + "group g any c\nquorum g\n",
        log + a + "group g any a\ngroup h any a\nquorum g\n", log + a + "group none any a\nquorum none\n",
        log + a + "group a any a\nquorum a\n", log + "witness x\nquorum none\n",
        log + "watness x\nquorum none\n",
        log + "witness w " + Signer("w").verifier().ToString() + "\nquorum w\n"}) {
    EXPECT_FALSE(Policy::Parse(bad)) << bad;
  }
  EXPECT_NE(Policy::Parse(log + "what\nquorum none\n").error().message().find("line 2"), std::string::npos);
}

class ReceiptTest : public ::testing::Test {
 protected:
  Receipt ReceiptFor(uint64_t index) {
    Receipt receipt{.extra = "extra", .index = index};
    receipt.proof = ProveInclusion(index, log_.size(), log_).value();
    Note note{.text = log_.CheckpointText("log.example"), .signatures = {}};
    note.signatures.push_back(Signer("log.example").Sign(note.text));
    for (const auto& [name, time] : cosigned_)
      note.signatures.push_back(Signer(name, kWitness).Sign(note.text, time));
    receipt.checkpoint = note.ToString();
    return receipt;
  }
  SmallLog log_{40};
  std::vector<std::pair<std::string, uint64_t>> cosigned_;
};

TEST_F(ReceiptTest, IsReadBackAsWritten) {
  const std::string text = ReceiptFor(17).ToString();
  EXPECT_EQ(Receipt::Parse(text)->ToString(), text);
  EXPECT_EQ(Receipt::Parse(text)->extra, "extra");
  EXPECT_TRUE(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 17\n"));
}

TEST_F(ReceiptTest, HoldsForItsEntryOnly) {
  const Policy policy = Policy::Parse(LogLine() + "quorum none\n").value();
  const Receipt receipt = ReceiptFor(17);
  EXPECT_EQ(CheckReceipt(receipt, log_.entry(17), policy)->checkpoint.size, 40u);
  EXPECT_EQ(CheckReceipt(receipt, log_.entry(18), policy).error().code(), Code::kFailedPrecondition);
}

TEST_F(ReceiptTest, EveryAlteredByteIsNoticed) {
  const Policy policy = Policy::Parse(LogLine() + "quorum none\n").value();
  Receipt receipt = ReceiptFor(17);
  receipt.extra.clear();  // it is bound by whoever reads it, not by the proof
  const std::string text = receipt.ToString();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    const auto read = Receipt::Parse(changed);
    EXPECT_FALSE(read && CheckReceipt(*read, log_.entry(17), policy)) << i << changed[i];
    const auto shorter = Receipt::Parse(text.substr(0, i));
    EXPECT_FALSE(shorter && CheckReceipt(*shorter, log_.entry(17), policy)) << i;
  }
}

TEST_F(ReceiptTest, TheQuorumMustHaveSigned) {
  const Policy policy =
      Policy::Parse(LogLine() + WitnessLine("a") + WitnessLine("b") + "group g all a b\nquorum g\n").value();
  EXPECT_EQ(CheckReceipt(ReceiptFor(3), log_.entry(3), policy).error().code(), Code::kPermissionDenied);
  cosigned_ = {{"a.example", 100}};
  EXPECT_FALSE(CheckReceipt(ReceiptFor(3), log_.entry(3), policy));
  cosigned_.emplace_back("b.example", 200);
  const auto checked = CheckReceipt(ReceiptFor(3), log_.entry(3), policy);
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_EQ(checked->witnesses, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(checked->newest_cosignature, 200u);
}

TEST_F(ReceiptTest, AnotherLogIsRefused) {
  const Policy policy =
      Policy::Parse("log " + Signer("other.example").verifier().ToString() + "\nquorum none\n").value();
  EXPECT_EQ(CheckReceipt(ReceiptFor(3), log_.entry(3), policy).error().code(), Code::kPermissionDenied);
}

}  // namespace
}  // namespace glasscase::ledger
