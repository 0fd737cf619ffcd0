#include <glasscase/ledger/replay.h>

#include <gtest/gtest.h>

#include <glasscase/crypto/testing/seeded_random.h>
#include <glasscase/ledger/log.h>
#include <glasscase/ledger/testing/memory_files.h>
#include <glasscase/ledger/testing/memory_journal.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using testing::MemoryFiles;
using testing::MemoryJournal;
using testing::Signer;

Uuid Asset(size_t number) {
  Uuid asset;
  asset.bytes[3] = static_cast<uint8_t>(number);
  return asset;
}

std::string Act(size_t number, const Uuid& asset) {
  return R"({"asset":")" + asset.ToString() + R"(","at":)" + std::to_string(1'790'000'000'000'000 + number) +
         R"(,"type":"card","v":1})";
}

class ReplayTest : public ::testing::Test {
 protected:
  // 30 batches of 20 acts and a map entry each.
  void Fill() {
    const auto log =
        Log::Open({.journal = journal_, .files = files_, .signer = Signer("log.example")}).value();
    for (size_t i = 0; i < 600; ++i) {
      journal_.Wait(Act(i, Asset(i % 17)), {Asset(i % 17)});
      if (i % 20 == 19) {
        ASSERT_TRUE(log->Publish().value());
      }
    }
    ASSERT_TRUE(log->Settle());
  }
  // A log whose operator signs what he likes: the entries as given.
  void FillWith(const std::vector<std::string>& entries) {
    std::string bundle;
    Frontier frontier;
    for (const std::string& entry : entries) {
      AppendToBundle(bundle, entry);
      frontier.Add(HashLeaf(AsBytes(entry)), [](unsigned, uint64_t, const Hash&) {});
    }
    const Checkpoint checkpoint{.origin = "log.example", .size = frontier.size(), .root = frontier.Root()};
    Note note{.text = checkpoint.ToString(), .signatures = {}};
    note.signatures.push_back(Signer("log.example").Sign(note.text));
    files_.files["checkpoint"] = note.ToString();
    files_.files[TilePath({.entries = true, .width = static_cast<uint32_t>(entries.size())})] = bundle;
  }
  Result<Replayed> Run(std::optional<uint64_t> sample = {}) {
    return Replay([this](std::string_view path) { return files_.Read(path); }, policy_, random_, {sample});
  }

  MemoryJournal journal_;
  MemoryFiles files_;
  glasscase::testing::SeededRandom random_{1};
  Policy policy_ =
      Policy::Parse("log " + Signer("log.example").verifier().ToString() + "\nquorum none\n").value();
};

TEST_F(ReplayTest, AnHonestLogHolds) {
  Fill();
  const Replayed replayed = Run().value();
  EXPECT_EQ(replayed.checkpoint.checkpoint.size, 630u);
  EXPECT_EQ(replayed.map_entries, 30u);
  EXPECT_EQ(replayed.map_entries_checked, 30u);
  EXPECT_EQ(replayed.assets, 17u);
  EXPECT_EQ(replayed.ProbabilityOfMissing(1), 0);
}

TEST_F(ReplayTest, ASampleSaysWhatItMayMiss) {
  Fill();
  const Replayed replayed = Run(6).value();
  EXPECT_EQ(replayed.map_entries_checked, 6u);
  EXPECT_DOUBLE_EQ(replayed.ProbabilityOfMissing(1), 24.0 / 30);
  EXPECT_DOUBLE_EQ(replayed.ProbabilityOfMissing(2), 24.0 / 30 * 23 / 29);
  EXPECT_EQ(replayed.ProbabilityOfMissing(25), 0);
  EXPECT_EQ(Run(0)->ProbabilityOfMissing(1), 1);
  EXPECT_EQ(Run(1000)->map_entries_checked, 30u);
}

TEST_F(ReplayTest, AnAlteredEntryIsSeen) {
  Fill();
  std::string& bundle = files_.files["tile/entries/001"];
  bundle[bundle.find("card")] = 'k';
  EXPECT_EQ(Run().error().code(), Code::kFailedPrecondition);
}

TEST_F(ReplayTest, AMissingOrCutFileIsNamed) {
  Fill();
  files_.files["tile/entries/001"].pop_back();
  EXPECT_EQ(Run().error().code(), Code::kDataLoss);
  files_.files.erase("tile/entries/001");
  EXPECT_NE(Run().error().message().find("tile/entries/001"), std::string::npos);
  files_.files.erase("checkpoint");
  EXPECT_EQ(Run().error().code(), Code::kDataLoss);
}

TEST_F(ReplayTest, AnOlderCheckpointIsReadFromFullBundles) {
  const auto log = Log::Open({.journal = journal_, .files = files_, .signer = Signer("log.example")}).value();
  for (size_t i = 0; i < 200; ++i) journal_.Wait(Act(i, Asset(1)), {Asset(1)});
  ASSERT_TRUE(log->Publish().value());
  const std::string old = files_.files["checkpoint"];
  for (size_t i = 0; i < 200; ++i) journal_.Wait(Act(i, Asset(2)), {Asset(2)});
  ASSERT_TRUE(log->Publish().value());
  ASSERT_TRUE(log->Settle());
  files_.files["checkpoint"] = old;
  EXPECT_EQ(Run()->checkpoint.checkpoint.size, 201u);
}

// What the map is for: an operator leaves out an entry of an asset, in a log that is otherwise in order.
TEST_F(ReplayTest, AMapThatLeavesAnEntryOutIsALie) {
  AssetMap honest, lying;
  honest.Add(Asset(1), 0, HashLeaf(AsBytes(Act(0, Asset(1)))));
  lying = AssetMap();
  FillWith({Act(0, Asset(1)), MapEntry(1, honest.Root())});
  EXPECT_TRUE(Run());
  FillWith({Act(0, Asset(1)), MapEntry(1, lying.Root())});
  for (const auto& result : {Run(), Run(1)}) {
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("is a lie"), std::string::npos);
  }
  EXPECT_TRUE(Run(0));  // and says that it may miss it
  FillWith({Act(0, Asset(1)), MapEntry(2, honest.Root())});
  EXPECT_FALSE(Run());
  FillWith({Act(0, Asset(1)), MapEntry(1, honest.Root()), Act(1, Asset(1))});
  EXPECT_FALSE(Run());  // does not end in a map entry
}

TEST(AssetMap, ARootAtOnceIsTheRootOfTheMap) {
  AssetMap map;
  std::map<Hash, Hash> chains;
  EXPECT_EQ(MapRootOf(chains), map.Root());
  for (size_t i = 0; i < 300; ++i) {
    const Uuid asset = Asset(i * 7 % 60);
    const Hash leaf = HashLeaf(AsBytes(std::to_string(i)));
    map.Add(asset, i, leaf);
    Hash& chain = chains[MapKey(asset)];
    chain = ExtendChain(chain, i, leaf);
    ASSERT_EQ(MapRootOf(chains), map.Root());
  }
}

}  // namespace
}  // namespace glasscase::ledger
