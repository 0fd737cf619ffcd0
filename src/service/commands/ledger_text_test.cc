#include "ledger_text.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

std::string Ledger(const char* text) { return LedgerText(boost::json::parse(text)); }
std::string Anchored(const char* text) { return AnchoredText(boost::json::parse(text)); }

TEST(LedgerTextTest, EachStateHasItsWords) {
  EXPECT_EQ(Ledger(R"({"ledger_state":"pending"})"), "pending");
  EXPECT_EQ(Ledger(R"({"ledger_state":"in_checkpoint"})"), "in a checkpoint");
  EXPECT_EQ(Ledger(R"({"ledger_state":"cosigned"})"), "in a cosigned checkpoint");
  EXPECT_EQ(Ledger(R"({"ledger_state":""})"), "not known");
  EXPECT_EQ(Ledger("{}"), "not known");
}

TEST(LedgerTextTest, AnActIsFollowedByWhereToSeeIt) {
  EXPECT_EQ(LedgerSentence(boost::json::parse(R"({"ledger_state":"pending"})"), "ada/digits"),
            "in the ledger: pending; see it with: glasscase history ada/digits");
}

TEST(LedgerTextTest, TheAnchoredCheckpointIsNamedWithItsTransaction) {
  EXPECT_EQ(Anchored(R"({"anchored":null})"), "no checkpoint is there yet");
  EXPECT_EQ(Anchored(R"({"anchored":{"size":41,"transaction":"0xab","final":false}})"),
            "last checkpoint there: 41 entries in 0xab, not final yet");
  EXPECT_EQ(Anchored(R"({"anchored":{"size":1,"transaction":"0xab","final":true}})"),
            "last checkpoint there: 1 entry in 0xab, final");
}

}  // namespace
}  // namespace glasscase::commands
