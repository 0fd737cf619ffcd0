#include <glasscase/ledger/file_check.h>

#include <gtest/gtest.h>

#include <glasscase/ledger/log.h>
#include <glasscase/ledger/testing/memory_files.h>
#include <glasscase/ledger/testing/memory_journal.h>

#include "proof_bench.h"

namespace glasscase::ledger {
namespace {

using testing::MemoryFiles;
using testing::MemoryJournal;
using testing::Signer;

class FileCheckTest : public ::testing::Test {
 protected:
  FileCheckTest() {
    auto log = Log::Open({.journal = journal_, .files = files_, .signer = Signer("log.example")}).value();
    for (int i = 0; i < 600; ++i) journal_.Wait(R"({"n":)" + std::to_string(i) + "}");
    while (log->Publish().value()) {
    }
    EXPECT_TRUE(log->Settle());
  }
  std::vector<std::string> Problems() {
    std::vector<std::string> paths;
    entries_ = 0;
    const auto checked = CheckLogFiles(
        files_, Signer("log.example").verifier(),
        {.problem = [&](std::string_view path, std::string_view) { paths.emplace_back(path); },
         .entry = [&](uint64_t index, std::string_view, const Hash&) { EXPECT_EQ(index, entries_++); }});
    if (!checked) paths.emplace_back("error: " + checked.error().message());
    return paths;
  }

  MemoryJournal journal_;
  MemoryFiles files_;
  uint64_t entries_ = 0;
};

TEST_F(FileCheckTest, AWholeLogHasNoProblems) {
  EXPECT_TRUE(Problems().empty());
  EXPECT_EQ(entries_, 601u);
}

TEST_F(FileCheckTest, EveryChangedByteIsFoundAndItsFileNamed) {
  const auto whole = files_.files;
  for (const auto& [path, bytes] : whole) {
    for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 23) {
      files_.files[path][at] = static_cast<char>(files_.files[path][at] ^ 2);
      const auto problems = Problems();
      ASSERT_FALSE(problems.empty()) << path << " at " << at;
      const bool named = std::find(problems.begin(), problems.end(), path) != problems.end();
      EXPECT_TRUE(named || path == "checkpoint" || path.starts_with("tile/entries")) << path << " at " << at;
      files_.files = whole;
    }
    files_.files.erase(path);
    EXPECT_FALSE(Problems().empty()) << path;
    files_.files = whole;
  }
}

TEST_F(FileCheckTest, AnOlderPartialTileIsTheBeginningOfTheNewOne) {
  files_.files["tile/0/002.p/12"] = files_.files["tile/0/002.p/89"].substr(0, 12 * 32);
  std::vector<std::string> problems;
  const FileCheck check{
      .problem = [&](std::string_view path, std::string_view) { problems.emplace_back(path); }, .entry = {}};
  EXPECT_TRUE(CheckOlderFile(files_, "tile/0/002.p/12", 601, check));
  EXPECT_TRUE(CheckOlderFile(files_, "tile/0/002.p/89", 601, check));
  EXPECT_TRUE(CheckOlderFile(files_, "checkpoint", 601, check));
  EXPECT_TRUE(problems.empty());
  files_.files["tile/0/002.p/12"][7] ^= 1;
  files_.files["tile/entries/002.p/3"] = files_.files["tile/entries/002.p/89"].substr(0, 9);
  EXPECT_TRUE(CheckOlderFile(files_, "tile/0/002.p/12", 601, check));
  EXPECT_TRUE(CheckOlderFile(files_, "tile/entries/002.p/3", 601, check));
  EXPECT_EQ(problems, (std::vector<std::string>{"tile/0/002.p/12", "tile/entries/002.p/3"}));
}

TEST_F(FileCheckTest, OtherFilesDoNotBelong) {
  for (const char* path : {"checkpoint", "tile/0/000", "tile/0/002.p/89", "tile/0/002.p/12",
                           "tile/entries/001", "tile/1/000.p/2"})
    EXPECT_TRUE(BelongsToLog(path, 601)) << path;
  for (const char* path :
       {"tile/0/002", "tile/0/002.p/90", "tile/0/003.p/1", "tile/1/000.p/3", "notes.txt", "tile/0/.writing"})
    EXPECT_FALSE(BelongsToLog(path, 601)) << path;
}

}  // namespace
}  // namespace glasscase::ledger
