#include "audit_log.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/core/testing/fake_clock.h>

namespace glasscase::operations {
namespace {

using ::testing::HasSubstr;

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() { std::filesystem::create_directory(folder); }
  ~AuditLogTest() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<AuditLog> Open(uint64_t file_bytes_max = AuditLog::kFileBytesMax) {
    return AuditLog::Open(Fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), clock,
                          file_bytes_max)
        .value();
  }
  AuditLine Line(std::string_view object) {
    return {.time_micros = clock.WallMicros() + 42,
            .stage = access::Stage::kHost,
            .route = "infer",
            .subject = Uuid::Random(),
            .subject_name = "ada",
            .token = Uuid{},
            .object = object,
            .allowed = true,
            .reason = access::Reason::kAllowedByGrant,
            .count = 3};
  }
  std::string Read() {
    std::ifstream file(folder / "audit.jsonl");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("gc-audit-" + Uuid::Random().ToString());
  glasscase::testing::FakeClock clock;
};

TEST_F(AuditLogTest, LinesHaveTheMembersOfTheFormat) {
  auto log = Open();
  AuditLine line = Line("teacher/iris");
  log->Add(line);
  EXPECT_EQ(Read(), "");
  ASSERT_TRUE(log->Flush());
  EXPECT_EQ(Read(), "{\"time\":\"" + FormatTime(clock.WallMicros()).substr(0, 19) +
                        ".000042Z\",\"stage\":\"host\",\"route\":\"infer\",\"subject\":\"" +
                        line.subject.ToString() +
                        "\",\"subject_name\":\"ada\",\"object\":\"teacher/iris\",\"verdict\":\"allowed\","
                        "\"reason\":\"allowed_by_grant\",\"count\":3}\n");
}

// An object is what a stranger typed: it must not be able to write a line of its own.
TEST_F(AuditLogTest, ForeignTextStaysInsideItsString) {
  auto log = Open();
  log->Add(Line("a\"}\n{\"verdict\":\"allowed\""));
  log->Add(Line("\xff\xfe\x01"));
  ASSERT_TRUE(log->Flush());
  const std::string text = Read();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr(R"("object":"a\"}\u000a{\"verdict\":\"allowed\"")"));
  EXPECT_THAT(text, HasSubstr(R"("object":"\u00ff\u00fe\u0001")"));
}

TEST_F(AuditLogTest, FullFilesAreRenamedAndKept) {
  auto log = Open(1000);
  for (int i = 0; i < 20; ++i) {
    log->Add(Line("teacher/iris"));
    ASSERT_TRUE(log->Flush());
    clock.AdvanceSeconds(1);
  }
  size_t files = 0, lines = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    EXPECT_THAT(entry.path().filename().string(), ::testing::MatchesRegex("audit(-[0-9TZ]+)?\\.jsonl"));
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) ++lines;
  }
  EXPECT_GT(files, 2u);
  EXPECT_EQ(lines, 20u);
}

TEST_F(AuditLogTest, HalfALineOfAKilledProcessIsClosed) {
  { std::ofstream(folder / "audit.jsonl") << "{\"time\":\"2026"; }
  auto log = Open();
  log->Add(Line("x"));
  ASSERT_TRUE(log->Flush());
  EXPECT_THAT(Read(), ::testing::StartsWith("{\"time\":\"2026\n{\"time\":"));
}

TEST_F(AuditLogTest, WhatTheMemoryDoesNotHoldIsCounted) {
  auto log = Open();
  const std::string object(70, 'x');
  for (int i = 0; i < 20'000; ++i) log->Add(Line(object));  // as while the disk is full
  ASSERT_TRUE(log->Flush());
  EXPECT_THAT(Read(), HasSubstr("\"lost\":"));
}

}  // namespace
}  // namespace glasscase::operations
