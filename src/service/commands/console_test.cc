#include "console.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(ConsoleTest, ErrorsOfServersCannotDriveTheTerminal) {
  const Console console;
  ::testing::internal::CaptureStderr();
  console.PrintError(Error::NotFound("no model \x1b[2Jx"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "glasscase: no model \\x1b[2Jx\n");
}

TEST(ConsoleTest, WithJsonErrorsAreObjects) {
  Console console;
  console.json = true;
  ::testing::internal::CaptureStderr();
  console.Note("not for machines");
  console.PrintError(Error::NotFound("no model \"x\""));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "{\"error\":\"no model \\\"x\\\"\",\"code\":\"not_found\"}\n");
}

TEST(ConsoleTest, AnEmptyTableSaysSoOnStderr) {
  const Console console;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  console.PrintTable({{"NAME"}}, "no models");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "no models\n");
}

}  // namespace
}  // namespace glasscase::commands
