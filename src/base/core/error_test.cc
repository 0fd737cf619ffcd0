#include <glasscase/core/error.h>

#include <cerrno>

#include <gtest/gtest.h>

#include <glasscase/core/clock.h>

namespace glasscase {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Fail(Error::InvalidArgument("odd"));
  return n / 2;
}

Result<int> Quarter(int n) {
  GC_TRY(const int half, Half(n));
  return Half(half);
}

TEST(ErrorTest, TryHandsOnValuesAndErrors) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error(), Error::InvalidArgument("odd"));
  EXPECT_EQ(Quarter(3).error().code(), Code::kInvalidArgument);
}

TEST(ErrorTest, ErrnoValuesBecomeCanonicalCodes) {
  EXPECT_EQ(Error::FromErrno(ENOSPC, "write blob").code(), Code::kResourceExhausted);
  EXPECT_EQ(Error::FromErrno(ENOENT, "open").message(), "open: No such file or directory");
}

TEST(ErrorTest, ContextGoesFirst) {
  EXPECT_EQ(Error::NotFound("no row").WithContext("token list").message(), "token list: no row");
}

TEST(ClockTest, FormatsRfc3339InUtc) { EXPECT_EQ(FormatTime(1'000'000), "1970-01-01T00:00:01Z"); }

}  // namespace
}  // namespace glasscase
