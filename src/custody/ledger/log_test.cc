#include <glasscase/ledger/log.h>

#include <gtest/gtest.h>

#include <glasscase/ledger/testing/memory_files.h>
#include <glasscase/ledger/testing/memory_journal.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using testing::MemoryFiles;
using testing::MemoryJournal;
using testing::Signer;

Uuid AssetOf(int number) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(number);
  return id;
}

std::string EntryOf(int number, int asset) {
  return R"({"asset":")" + AssetOf(asset).ToString() + R"(","number":)" + std::to_string(number) +
         R"(,"type":"test","v":1})";
}

struct CutOff {};  // a step at which the process ends

class LogTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Log>> Open(std::function<void(std::string_view)> before_step = {}) {
    return Log::Open({.journal = journal_,
                      .files = files_,
                      .signer = Signer("log.example"),
                      .before_step = std::move(before_step)});
  }
  void Wait(int count) {
    for (int i = 0; i < count; ++i, ++next_) journal_.Wait(EntryOf(next_, next_ % 7), {AssetOf(next_ % 7)});
  }
  // As a stranger reads the log: from its files, trusting its key.
  Checkpoint CheckFiles() {
    const Policy policy =
        Policy::Parse("log " + Signer("log.example").verifier().ToString() + "\nquorum none\n").value();
    const auto checked = CheckCheckpoint(files_.files["checkpoint"], policy);
    EXPECT_TRUE(checked) << checked.error().message();
    const uint64_t size = checked->checkpoint.size;
    Frontier frontier;
    for (uint64_t first = 0; first < size; first += kTileWidth) {
      const Tile tile{
          .entries = true, .index = first / kTileWidth, .width = TileWidthAt(size, 0, first / kTileWidth)};
      const auto entries = SplitBundle(files_.files[TilePath(tile)], tile.width);
      EXPECT_TRUE(entries) << TilePath(tile);
      for (const std::string_view entry : *entries) frontier.Add(HashLeaf(AsBytes(entry)), [](auto&&...) {});
    }
    EXPECT_EQ(frontier.Root(), checked->checkpoint.root);
    TileReader reader(
        size, [this](const Tile& tile) -> Result<std::string> { return files_.files[TilePath(tile)]; });
    EXPECT_EQ(RootOf(size, reader).value(), checked->checkpoint.root);
    return checked->checkpoint;
  }

  MemoryJournal journal_;
  MemoryFiles files_;
  int next_ = 0;
};

TEST_F(LogTest, AnEmptyLogHasASignedCheckpoint) {
  const auto log = Open().value();
  EXPECT_EQ(CheckFiles().size, 0u);
  EXPECT_FALSE(log->Publish().value());
  EXPECT_FALSE(log->ReceiptFor(0));
}

TEST_F(LogTest, WhatWaitsIsPublishedInOrderWithTheMapBehindIt) {
  const auto log = Open().value();
  Wait(3);
  EXPECT_TRUE(log->Publish().value());
  EXPECT_EQ(CheckFiles().size, 4u);
  EXPECT_EQ(log->EntryAt(1).value(), EntryOf(1, 1));
  EXPECT_EQ(ReadMapEntry(log->EntryAt(3).value()).value()->size, 3u);
  EXPECT_FALSE(log->EntryAt(4));
  EXPECT_FALSE(log->Publish().value());
}

TEST_F(LogTest, EverySizeAroundTheBordersOfTilesIsWhole) {
  auto log = Open().value();
  for (const int count : {1, 252, 1, 1, 1, 300, 4'000, 60'973, 1, 1}) {
    Wait(count);
    while (log->Publish().value()) {
    }
    CheckFiles();
    if (count % 2 == 0) {
      ASSERT_TRUE(log->Settle());
    }
    log.reset();
    log = Open().value();
    CheckFiles();
  }
  EXPECT_GT(log->size(), 65'537u);
}

TEST_F(LogTest, ReceiptsHoldAndOldCheckpointsAreBeginnings) {
  const auto log = Open().value();
  const Policy policy = Policy::Parse("log " + log->verifier().ToString() + "\nquorum none\n").value();
  std::vector<Checkpoint> seen = {log->checkpoint()};
  for (int i = 0; i < 20; ++i) {
    Wait(i * 5);
    ASSERT_TRUE(log->Publish());
    seen.push_back(log->checkpoint());
  }
  for (uint64_t index = 0; index < log->size(); index += 13) {
    const Receipt receipt = log->ReceiptFor(index).value();
    EXPECT_TRUE(CheckReceipt(receipt, log->EntryAt(index).value(), policy));
  }
  for (const Checkpoint& old : seen) {
    EXPECT_TRUE(CheckConsistency(old.size, old.root, log->size(), log->checkpoint().root,
                                 log->ConsistencyFrom(old.size).value()));
  }
}

TEST_F(LogTest, HistoriesAreComplete) {
  auto log = Open().value();
  for (int i = 0; i < 10; ++i) {
    Wait(11);
    ASSERT_TRUE(log->Publish());
  }
  for (const bool reopened : {false, true}) {
    if (reopened) log = Open().value();
    for (int asset = 0; asset < 9; ++asset) {
      const Log::History history = log->HistoryOf(AssetOf(asset)).value();
      std::vector<AssetEntry> entries;
      for (const uint64_t index : history.indices)
        entries.push_back({index, HashLeaf(AsBytes(log->EntryAt(index).value()))});
      EXPECT_EQ(entries.empty(), asset >= 7);
      const auto map = ReadMapEntry(history.map_receipt.extra).value();
      EXPECT_TRUE(CheckMapProof(AssetOf(asset), entries, history.proof, map->root));
    }
  }
}

TEST_F(LogTest, ACutAtAnyStepIsFinishedAndNeverForks) {
  for (const char* step : {"advance", "tiles", "checkpoint", "sync", "forget"}) {
    Wait(200);
    const Checkpoint before = Open().value()->checkpoint();
    bool begun = false;  // opening goes through some of the steps too
    auto log = Open([&](std::string_view reached) {
      if (begun && reached == step) throw CutOff();
    });
    begun = true;
    try {
      ASSERT_TRUE(log) << log.error().message();
      ASSERT_TRUE((*log)->Publish());
      ASSERT_TRUE((*log)->Settle());
      ADD_FAILURE() << step << " was not reached";
    } catch (const CutOff&) {
    }
    log = Open();
    ASSERT_TRUE(log) << log.error().message();
    ASSERT_TRUE((*log)->Publish());
    EXPECT_EQ(journal_.waiting(), 0u);
    EXPECT_TRUE(CheckConsistency(before.size, before.root, (*log)->size(), (*log)->checkpoint().root,
                                 (*log)->ConsistencyFrom(before.size).value()));
    CheckFiles();
  }
  EXPECT_EQ(Open().value()->size(), 1000u + 5u);
}

TEST_F(LogTest, APowerCutTakesNothingThatTheJournalKeeps) {
  auto log = Open().value();
  Wait(500);
  ASSERT_TRUE(log->Publish());
  ASSERT_TRUE(log->Settle());
  Wait(100);
  ASSERT_TRUE(log->Publish());
  const Checkpoint before = log->checkpoint();
  files_.files = files_.durable;
  log = Open().value();
  EXPECT_EQ(log->checkpoint(), before);
  CheckFiles();
  files_.files["checkpoint"].clear();
  EXPECT_EQ(Open().value()->checkpoint(), before);
}

// A second custodian over the same catalog, with a folder that is empty, and one that is old.
TEST_F(LogTest, WhoTakesOverWritesTheFilesFromTheArchive) {
  journal_.archives = true;
  auto first = Open().value();
  std::map<std::string, std::string, std::less<>> old_files;
  for (const int count : {5, 255, 300}) {
    Wait(count);
    ASSERT_TRUE(first->Publish().value());
    ASSERT_TRUE(first->Settle());
    if (count == 255) old_files = {files_.files.begin(), files_.files.end()};
  }
  const auto whole = files_.files;
  files_.files.clear();
  ASSERT_TRUE(Open());
  EXPECT_EQ(CheckFiles().size, 563u);
  files_.files.clear();
  files_.files.insert(old_files.begin(), old_files.end());
  auto second = Open().value();
  EXPECT_EQ(CheckFiles().size, 563u);
  Wait(1);
  EXPECT_TRUE(second->Publish().value());
  Wait(1);
  EXPECT_EQ(first->Publish().error().code(), Code::kAborted);
  EXPECT_EQ(CheckFiles().size, 565u);
}

TEST_F(LogTest, MissingFilesAreAnErrorWhereThereIsNoArchive) {
  auto log = Open().value();
  Wait(300);
  ASSERT_TRUE(log->Publish().value());
  ASSERT_TRUE(log->Settle());
  files_.files.clear();
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(LogTest, AFullDiskDelaysAndLosesNothing) {
  const auto log = Open().value();
  Wait(10);
  journal_.fails = true;
  EXPECT_EQ(log->Publish().error().code(), Code::kResourceExhausted);
  journal_.fails = false;
  files_.fails = true;
  EXPECT_FALSE(log->Publish());
  EXPECT_FALSE(log->Publish());
  files_.fails = false;
  Wait(1);
  EXPECT_TRUE(log->Publish());
  while (log->Publish().value()) {
  }
  CheckFiles();
  EXPECT_EQ(log->EntryAt(0).value(), EntryOf(0, 0));
  EXPECT_EQ(journal_.waiting(), 0u);
}

TEST_F(LogTest, OnAFullDiskWhatIsPublishedIsShown) {
  const auto log = Open().value();
  Wait(3);
  ASSERT_TRUE(log->Publish());
  const Checkpoint published = log->checkpoint();
  files_.fails = true;
  Wait(3);
  EXPECT_FALSE(log->Publish());
  EXPECT_EQ(log->checkpoint(), published);
  EXPECT_EQ(log->EntriesOf(AssetOf(0)).value(), std::vector<uint64_t>{0});
  EXPECT_EQ(log->EntriesOf(AssetOf(3)).value(), std::vector<uint64_t>{}) << "in the log, and not published";
  EXPECT_EQ(log->HistoryOf(AssetOf(0)).error().code(), Code::kUnavailable);
}

TEST_F(LogTest, AStartOnAFullDiskShowsWhatIsPublishedAndForgetsNothing) {
  auto log = Open().value();
  Wait(600);
  ASSERT_TRUE(log->Publish());
  const Checkpoint published = log->checkpoint();
  files_.fails = true;
  Wait(3);
  EXPECT_FALSE(log->Publish());
  log = Open().value();
  EXPECT_EQ(log->checkpoint(), published);
  const Policy policy = Policy::Parse("log " + log->verifier().ToString() + "\nquorum none\n").value();
  EXPECT_TRUE(CheckReceipt(log->ReceiptFor(7).value(), log->EntryAt(7).value(), policy));
  EXPECT_EQ(log->EntriesOf(AssetOf(3)).value().size(), 86u);
  EXPECT_EQ(log->Publish().error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(log->BeginSettle().full.empty());
  ASSERT_TRUE(log->Settle());
  EXPECT_EQ(log->unsettled(), 605u);
  files_.fails = false;
  ASSERT_TRUE(log->Publish());
  EXPECT_EQ(CheckFiles().size, 605u);
}

TEST_F(LogTest, OnAFullDiskACheckpointThatNobodySignedIsNotShown) {
  auto log = Open().value();
  Wait(3);
  ASSERT_TRUE(log->Publish());
  std::string& note = files_.files["checkpoint"];
  note[note.rfind('\n') - 4] ^= 1;
  files_.fails = true;
  EXPECT_EQ(Open().error().code(), Code::kResourceExhausted);
}

TEST_F(LogTest, AFileThatCannotBeReadIsNamedWithWhatToDo) {
  auto log = Open().value();
  Wait(300);
  ASSERT_TRUE(log->Publish());
  ASSERT_TRUE(log->Settle());
  const std::string bundle = "tile/entries/000";
  const std::string whole = files_.files[bundle];
  for (const bool altered : {false, true}) {
    files_.unreadable = altered ? "" : bundle;
    files_.files[bundle] = altered ? whole.substr(0, 1'000) : whole;
    for (const Error& error : {log->EntryAt(5).error(), Open().error()}) {
      EXPECT_NE(error.message().find(bundle), std::string::npos) << error.message();
      EXPECT_NE(error.message().find("`glasscase fsck`"), std::string::npos) << error.message();
    }
    EXPECT_EQ(log->EntryAt(299).value(), EntryOf(299, 299 % 7)) << "the others are there";
  }
}

TEST_F(LogTest, OfTwoWritersOneGoesOn) {
  const auto first = Open().value();
  Wait(1);
  ASSERT_TRUE(first->Publish());
  const auto second = Open().value();
  Wait(1);
  EXPECT_EQ(first->Publish().error().code(), Code::kAborted);
  EXPECT_EQ(first->Publish().error().code(), Code::kAborted);
  EXPECT_TRUE(second->Publish().value());
  EXPECT_EQ(CheckFiles().size, 4u);
}

TEST_F(LogTest, AnOldJournalUnderNewFilesIsRefused) {
  auto log = Open().value();
  Wait(5);
  ASSERT_TRUE(log->Publish());
  const MemoryJournal old = journal_;
  Wait(5);
  ASSERT_TRUE(log->Publish());
  journal_ = old;
  EXPECT_EQ(Open().error().code(), Code::kFailedPrecondition);
}

TEST_F(LogTest, AnOldJournalIsNoticedWithoutACheckpointToo) {
  for (const int count : {1, 250, 300, 600}) {
    journal_ = {};
    files_ = {};
    auto log = Open().value();
    Wait(5);
    ASSERT_TRUE(log->Publish());
    const MemoryJournal old = journal_;
    Wait(count);
    ASSERT_TRUE(log->Publish());
    ASSERT_TRUE(log->Settle());
    const MemoryJournal newest = journal_;
    files_.files.erase("checkpoint");
    journal_ = old;
    EXPECT_EQ(Open().error().code(), Code::kFailedPrecondition) << count;
    journal_ = newest;
    EXPECT_TRUE(Open()) << count;
  }
}

// After a backup that is older than the log: under another name, and no checkpoint of the old one is signed.
TEST_F(LogTest, ARenewedLogGoesOnWhereItsJournalStands) {
  auto log = Open().value();
  Wait(300);
  ASSERT_TRUE(log->Publish());
  const MemoryJournal old = journal_;
  Wait(300);
  ASSERT_TRUE(log->Publish());
  ASSERT_TRUE(log->Settle());
  journal_ = old;
  files_.files.erase("checkpoint");
  auto renewed = Log::Open(
      {.journal = journal_, .files = files_, .signer = Signer("log.example/2"), .is_renewed = true});
  ASSERT_TRUE(renewed) << renewed.error().message();
  EXPECT_EQ((*renewed)->size(), 301u);
  Wait(1);
  ASSERT_TRUE((*renewed)->Publish().value());
  EXPECT_EQ((*renewed)->checkpoint().origin, "log.example/2");
  EXPECT_EQ((*renewed)->EntryAt(301).value(), EntryOf(next_ - 1, (next_ - 1) % 7))
      << "not that of the lost ones";
}

TEST_F(LogTest, AnotherHistoryUnderTheSameKeyIsNotSignedOver) {
  for (const bool settled : {false, true}) {
    journal_ = {};
    files_ = {};
    auto log = Open().value();
    Wait(5);
    ASSERT_TRUE(log->Publish());
    const std::string ours = files_.files["checkpoint"];
    journal_ = {};
    files_ = {};
    log = Open().value();
    Wait(5);
    ASSERT_TRUE(log->Publish());
    Wait(3);
    ASSERT_TRUE(log->Publish());
    if (settled) {
      ASSERT_TRUE(log->Settle());
    }
    files_.files["checkpoint"] = ours;  // of 6 entries; the catalog has 10 others
    EXPECT_EQ(Open().error().code(), Code::kFailedPrecondition);
  }
}

TEST_F(LogTest, AlteredFilesAreNoticedAtTheStart) {
  auto log = Open().value();
  Wait(300);
  ASSERT_TRUE(log->Publish());
  ASSERT_TRUE(log->Settle());
  files_.files["tile/0/000"][40] ^= 1;
  EXPECT_TRUE(Open()) << "a full tile is not read at the start; fsck finds this";
  const std::string edge = files_.files["tile/0/001.p/45"];
  files_.files["tile/0/001.p/45"][40] ^= 1;
  EXPECT_TRUE(Open());
  EXPECT_EQ(files_.files["tile/0/001.p/45"], edge) << "partial tiles are written again from the entries";
  files_.files["tile/entries/001.p/45"][40] ^= 1;
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(LogTest, SettlingKeepsInTheJournalWhatIsNotInFullTiles) {
  auto log = Open().value();
  EXPECT_TRUE(log->BeginSettle().full.empty());
  for (int i = 0; i < 80; ++i) {
    Wait(9);
    ASSERT_TRUE(log->Publish());
  }
  EXPECT_EQ(log->unsettled(), 800u);
  const Log::Settling settling = log->BeginSettle();
  Wait(300);  // the log goes on meanwhile
  ASSERT_TRUE(log->Publish());
  ASSERT_TRUE(log->EndSettle(settling, Log::SettleFiles(files_, settling)));
  EXPECT_EQ(log->unsettled(), 1'101u - 768u);
  EXPECT_EQ(journal_.ReadKept()->front().first, 760u) << "the batch that goes over the border";
  EXPECT_FALSE(files_.files.contains("tile/0/000.p/10"));
  const Checkpoint before = log->checkpoint();
  files_.files = files_.durable;
  log = Open().value();
  EXPECT_EQ(log->checkpoint(), before);
  EXPECT_EQ(CheckFiles().size, 1'101u);
  const Log::Settling rest = log->BeginSettle();
  ASSERT_TRUE(log->EndSettle(rest, Log::SettleFiles(files_, rest)));
  EXPECT_EQ(log->unsettled(), 1'101u - 1'024u);
  EXPECT_TRUE(log->BeginSettle().full.empty());
}

TEST_F(LogTest, WhatTheDiskFailedToKeepIsWrittenOnceMore) {
  auto log = Open().value();
  Wait(600);
  ASSERT_TRUE(log->Publish());
  Log::Settling settling = log->BeginSettle();
  files_.fails = true;
  const Status failed = Log::SettleFiles(files_, settling);
  EXPECT_EQ(log->EndSettle(settling, failed).error().code(), Code::kResourceExhausted);
  files_.fails = false;
  files_.files = files_.durable;  // the pages are gone
  EXPECT_FALSE(log->Publish().value()) << "nothing waits, but the journal is read once more";
  EXPECT_EQ(CheckFiles().size, 601u);
  EXPECT_TRUE(log->EndSettle(settling, Ok())) << "of an earlier reading: ignored";
  EXPECT_EQ(log->unsettled(), 601u);
  settling = log->BeginSettle();
  ASSERT_TRUE(log->EndSettle(settling, Log::SettleFiles(files_, settling)));
  EXPECT_EQ(log->unsettled(), 601u - 512u);
}

TEST(Entry, AssetsAreReadFromCanonicalJsonOnly) {
  EXPECT_EQ(AssetsOf(EntryOf(1, 3)).value(), std::vector<Uuid>({AssetOf(3)}));
  const std::string two =
      R"({"also":[")" + AssetOf(4).ToString() + R"("],"asset":")" + AssetOf(3).ToString() + R"("})";
  EXPECT_EQ(AssetsOf(two).value(), std::vector<Uuid>({AssetOf(3), AssetOf(4)}));
  EXPECT_EQ(AssetsOf(R"({"type":"x"})")->size(), 0u);
  for (const char* bad :
       {"", "[]", "{", R"({"b":1,"a":2})", R"({"asset":1})", R"({"asset":"x"})", R"({"also":{}})", "{ }"})
    EXPECT_FALSE(AssetsOf(bad)) << bad;
}

TEST(Entry, MapEntriesAreCanonical) {
  const std::string entry = MapEntry(12, EmptyRoot());
  EXPECT_TRUE(AssetsOf(entry));
  const auto map = ReadMapEntry(entry).value();
  EXPECT_EQ(map->size, 12u);
  EXPECT_EQ(map->root, EmptyRoot());
  EXPECT_FALSE(ReadMapEntry(EntryOf(1, 1)).value());
}

TEST(Entry, CommitmentsHideAndBind) {
  const Digest secret = EmptyRoot();
  const Salt salt = SaltOf(secret, "1", "name");
  EXPECT_NE(salt, SaltOf(secret, "2", "name"));
  EXPECT_NE(salt, SaltOf(secret, "1", "terms"));
  EXPECT_EQ(Commitment(salt, "name", "iris"), Commitment(salt, "name", "iris"));
  EXPECT_NE(Commitment(salt, "name", "iris"), Commitment(salt, "name", "Iris"));
  EXPECT_NE(Commitment(salt, "name", "iris"), Commitment(salt, "nam", "eiris"));
}

}  // namespace
}  // namespace glasscase::ledger
