#include "run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class RunLogTest : public ::testing::Test {
 protected:
  RunLogTest()
      : path_(::mkdtemp(template_.data())), logs_(Fd(::open(path_.c_str(), O_DIRECTORY | O_CLOEXEC))) {}
  ~RunLogTest() override {
    ::unlink((path_ + "/" + run_.id.ToString() + ".log").c_str());
    ::rmdir(path_.c_str());
  }
  Fd Begin(uint32_t attempt, const std::string& why = "") {
    run_.attempts = attempt;
    return std::move(logs_.Begin(run_, why).value());
  }
  RunLogs::Printed Read(uint64_t from, bool more = false) const {
    return logs_.Read(run_.id, from, more).value();
  }

  std::array<char, 32> template_{"/tmp/glasscase-log-XXXXXX"};
  std::string path_;
  catalog::Run run_{.id = Uuid::Random()};
  RunLogs logs_;
};

TEST_F(RunLogTest, WhoReadsOnSeesEachByteOnce) {
  EXPECT_EQ(Read(0).text, "");
  const Fd log = Begin(1);
  ASSERT_TRUE(RunLogs::Add(log, "one\n"));
  const auto first = Read(0);
  EXPECT_EQ(first.text, "one\n");
  EXPECT_EQ(Read(first.next).text, "");
  ASSERT_TRUE(RunLogs::Add(log, "two\n"));
  EXPECT_EQ(Read(first.next).text, "two\n");
}

TEST_F(RunLogTest, AnotherAttemptAddsToWhatTheFirstPrinted) {
  ASSERT_TRUE(RunLogs::Add(Begin(1), "first"));
  const uint64_t seen = Read(0).next;
  ASSERT_TRUE(RunLogs::Add(Begin(2, "its worker ended"), "second"));
  EXPECT_EQ(Read(0).text, "first\n---- attempt 2, because its worker ended ----\nsecond");
  EXPECT_THAT(Read(seen).text, StartsWith("\n---- attempt 2"));
}

TEST_F(RunLogTest, ACharacterWaitsForItsRest) {
  const Fd log = Begin(1);
  for (const std::string character : {"\u00e9", "\u20ac", "\U0001F600"}) {
    const uint64_t from = Read(0).next;
    for (size_t cut = 1; cut < character.size(); ++cut) {
      ASSERT_TRUE(RunLogs::Add(log, character.substr(cut - 1, 1)));
      EXPECT_EQ(Read(from, true).next, from) << character << " after " << cut;
    }
    EXPECT_THAT(Read(from).text, StartsWith("?")) << "nothing will follow";
    ASSERT_TRUE(RunLogs::Add(log, character.substr(character.size() - 1)));
    EXPECT_EQ(Read(from, true).text, character);
  }
}

TEST_F(RunLogTest, OnlyWhatIsNoCharacterIsReplaced) {
  ASSERT_TRUE(RunLogs::Add(Begin(1), "a\xff\u00e9\xe2\x82z\u20ac"));
  EXPECT_EQ(Read(0).text, "a?\u00e9??z\u20ac");
}

TEST_F(RunLogTest, PiecesOfALongLogPutTogetherAreTheLog) {
  std::string all;
  while (all.size() < 700'000) all += "x\u20ac";
  ASSERT_TRUE(RunLogs::Add(Begin(1), all));
  std::string read;
  for (auto piece = Read(0); !piece.text.empty(); piece = Read(piece.next)) read += piece.text;
  EXPECT_EQ(read, all);
}

TEST_F(RunLogTest, ItIsBounded) {
  const Fd log = Begin(1);
  const std::string piece(size_t{8} << 20, 'x');
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(RunLogs::Add(log, piece));
  const auto size = static_cast<uint64_t>(::lseek(log.get(), 0, SEEK_END));
  EXPECT_LE(size, RunLogs::kBytesMax);
  EXPECT_GE(size, RunLogs::kBytesMax - RunLogs::kOwnBytesMax);
  EXPECT_THAT(Read(size - 100).text, HasSubstr("\n---- the run has printed more than is kept"));
  ASSERT_TRUE(RunLogs::Add(log, piece));
  EXPECT_EQ(Read(size).text, "") << "said once";
  Begin(2, "its worker ended");
  EXPECT_THAT(Read(size).text, HasSubstr("---- attempt 2, because its worker ended"));
}

}  // namespace
}  // namespace glasscase::operations
