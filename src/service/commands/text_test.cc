#include "text.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(VisibleTest, OrdinaryTextStaysAsItIs) { EXPECT_EQ(Visible("Größe 7 – ✓"), "Größe 7 – ✓"); }

TEST(VisibleTest, TerminalEscapesAreShownNotSent) {
  EXPECT_EQ(Visible("\x1b[31mred\a"), "\\x1b[31mred\\x07");
  EXPECT_EQ(Visible("c1 \xc2\x9b"), "c1 \\x9b");
}

TEST(VisibleTest, DirectionOverridesAreEscaped) {
  EXPECT_EQ(Visible("a\xe2\x80\xae"
                    "b"),
            "a\\u202eb");
}

TEST(VisibleTest, BytesThatAreNotUtf8AreEscaped) { EXPECT_EQ(Visible("\xff\xc3"), "\\xff\\xc3"); }

TEST(VisibleTest, LineBreaksStayOnlyWhereWanted) {
  EXPECT_EQ(Visible("a\nb"), "a\\x0ab");
  EXPECT_EQ(Visible("a\nb", true), "a\nb");
}

TEST(FormatTableTest, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(FormatTable({{"NAME", "ID"}, {"größte", "1"}, {"b", ""}}), "NAME    ID\ngrößte  1\nb\n");
}

TEST(FormatTest, NumbersReadBack) {
  EXPECT_EQ(FormatNumber(0.1F), "0.1");
  EXPECT_EQ(FormatNumber(0.1), "0.1");
  EXPECT_EQ(FormatNumber(7), "7");
  EXPECT_EQ(FormatRounded(9.777777777777776E-1), "0.9778");
  EXPECT_EQ(FormatRounded(3.8e-6), "3.8e-06");
  EXPECT_EQ(FormatRounded(4947802324992), "4.948e+12");
  EXPECT_EQ(FormatRounded(65537), "65537");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(12'345'678), "12.3 MB");
  EXPECT_EQ(FormatBytes(999'999), "1.0 MB");
  EXPECT_EQ(FormatSeconds(125.2), "2 min 5 s");
}

TEST(QuotingTest, ShellAndUrl) {
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(PercentEncode("ada/digits 1"), "ada%2Fdigits%201");
}

}  // namespace
}  // namespace glasscase::commands
