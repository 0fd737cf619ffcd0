#include <glasscase/ledger/repair.h>

#include <gtest/gtest.h>

#include <glasscase/ledger/file_check.h>
#include <glasscase/ledger/log.h>
#include <glasscase/ledger/testing/memory_files.h>
#include <glasscase/ledger/testing/memory_journal.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using testing::MemoryFiles;
using testing::MemoryJournal;
using testing::Signer;

// 600 acts that are settled, then 20 whose entries the journal still keeps.
class RepairTest : public ::testing::Test {
 protected:
  RepairTest() {
    auto log = Log::Open({.journal = journal_, .files = files_, .signer = Signer("log.example")}).value();
    Publish(*log, 600);
    EXPECT_TRUE(log->Settle());
    Publish(*log, 20);
    whole_ = files_.files;
  }
  void Publish(Log& log, int acts) {
    for (int i = 0; i < acts; ++i) journal_.Wait(R"({"n":)" + std::to_string(i) + "}");
    while (log.Publish().value()) {
    }
  }

  void Repair() {
    repaired_.clear();
    left_.clear();
    RepairOptions options{.paths = {},
                          .repaired = [this](auto path, auto) { repaired_.emplace_back(path); },
                          .left = [this](auto path, auto) { left_.emplace_back(path); }};
    for (const auto& [path, bytes] : files_.files) options.paths.push_back(path);
    const Status done = RepairLogFiles(files_, journal_, Signer("log.example"), options);
    EXPECT_TRUE(done) << done.error().message();
  }
  size_t Problems() {
    size_t problems = 0;
    const auto checked =
        CheckLogFiles(files_, Signer("log.example").verifier(),
                      {.problem = [&](auto, auto) { ++problems; }, .entry = [](auto, auto, const auto&) {}});
    return problems + (checked ? 0 : 1);
  }
  // Whether nothing but those bundles that hold the only copy of an entry is lost for good.
  void ExpectRepairedOrNamed(const std::string& path, const std::string& how) {
    Repair();
    const bool named = std::find(left_.begin(), left_.end(), path) != left_.end();
    EXPECT_NE(files_.files == whole_, named) << path << " " << how;
    EXPECT_EQ(named, path == "tile/entries/000" || path == "tile/entries/001") << path << " " << how;
    EXPECT_EQ(Problems() != 0, named) << path << " " << how;
    const auto after = files_.files;
    Repair();
    EXPECT_TRUE(repaired_.empty()) << path << " " << how;
    EXPECT_EQ(files_.files, after);
    files_.files = whole_;
  }

  MemoryJournal journal_;
  MemoryFiles files_;
  std::map<std::string, std::string, std::less<>> whole_;
  std::vector<std::string> repaired_, left_;
};

TEST_F(RepairTest, AWholeLogStaysAsItIs) {
  Repair();
  EXPECT_TRUE(repaired_.empty());
  EXPECT_TRUE(left_.empty());
  EXPECT_EQ(files_.files, whole_);
}

TEST_F(RepairTest, EveryFileIsRepairedOrNamed) {
  ASSERT_TRUE(whole_.contains("tile/entries/002.p/89"));
  ASSERT_TRUE(whole_.contains("tile/entries/002.p/110"));
  for (const auto& [path, bytes] : whole_) {
    for (const size_t at : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      files_.files[path][at] = static_cast<char>(bytes[at] ^ 2);
      ExpectRepairedOrNamed(path, "changed at " + std::to_string(at));
    }
    files_.files[path].resize(bytes.size() / 2);
    ExpectRepairedOrNamed(path, "cut");
    files_.files.erase(path);
    if (path == "tile/entries/002.p/89" || path == "tile/0/002.p/89") {
      Repair();  // nobody needs the older partial one
      EXPECT_EQ(Problems(), 0u);
      files_.files = whole_;
      continue;
    }
    ExpectRepairedOrNamed(path, "missing");
  }
}

TEST_F(RepairTest, AllTilesCanBeGone) {
  std::erase_if(files_.files, [](const auto& file) { return !file.first.starts_with("tile/entries"); });
  Repair();
  EXPECT_EQ(Problems(), 0u);
  EXPECT_EQ(files_.files["checkpoint"], whole_["checkpoint"]);
  EXPECT_TRUE(left_.empty());
}

TEST_F(RepairTest, TilesAreRebuiltThoughAnEntryIsLost) {
  files_.files.erase("tile/entries/000");
  files_.files.erase("tile/1/000.p/2");
  files_.files.erase("tile/0/001");
  Repair();
  EXPECT_EQ(left_, std::vector<std::string>{"tile/entries/000"});
  EXPECT_EQ(files_.files["tile/1/000.p/2"], whole_["tile/1/000.p/2"]);
  EXPECT_EQ(files_.files["tile/0/001"], whole_["tile/0/001"]);
}

TEST_F(RepairTest, NothingIsWrittenThatTheRootDoesNotProve) {
  files_.files.erase("tile/entries/000");
  files_.files.erase("tile/0/000");
  files_.files.erase("tile/1/000.p/2");
  const auto damaged = files_.files;
  Repair();
  EXPECT_TRUE(repaired_.empty());
  EXPECT_EQ(left_, std::vector<std::string>{"tile/entries/000"});
  EXPECT_EQ(files_.files, damaged);
}

TEST_F(RepairTest, AnOldJournalIsNotSignedFor) {
  MemoryJournal old;
  old.head = {.size = 601, .root = journal_.head.root, .fence = 1};
  std::swap(old, journal_);
  files_.files.erase("checkpoint");
  Repair();
  EXPECT_FALSE(files_.files.contains("checkpoint"));
  EXPECT_FALSE(left_.empty());
}

TEST_F(RepairTest, WhatIsNoFileOfTheLogIsNamedAndStays) {
  files_.files["notes.txt"] = "mine";
  files_.files["tile/0/003.p/1"] = std::string(32, 'x');
  Repair();
  EXPECT_EQ(left_, (std::vector<std::string>{"notes.txt", "tile/0/003.p/1"}));
  EXPECT_TRUE(repaired_.empty());
  EXPECT_EQ(files_.files.size(), whole_.size() + 2);
}

}  // namespace
}  // namespace glasscase::ledger
