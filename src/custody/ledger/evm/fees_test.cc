#include "fees.h"

#include <limits>

#include <gtest/gtest.h>

namespace glasscase::ledger::evm {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

TEST(FeesTest, TheBaseFeeMayDouble) {
  EXPECT_EQ(ChooseFees({.next_base_fee = 100, .priorities = {1, 9, 5}}, 0),
            (Fees{.priority = 5, .max = 205}));
  EXPECT_EQ(ChooseFees({.next_base_fee = 100, .priorities = {}}, 7), (Fees{.priority = 7, .max = 207}));
  EXPECT_EQ(ChooseFees({.next_base_fee = kMost, .priorities = {}}, 1).max, kMost);
}

TEST(FeesTest, AChainWithoutFeesCostsNothing) {
  EXPECT_EQ(ChooseFees({.next_base_fee = 0, .priorities = {0, 0}}, 0), Fees{});
}

TEST(FeesTest, ANodesSuggestionOfLongAgoDoesNotOutweighWhatOthersPay) {
  EXPECT_EQ(ChooseFees({.next_base_fee = 0, .priorities = {3, 3, 3}}, 1'000).priority, 6u);
  EXPECT_EQ(ChooseFees({.next_base_fee = 0, .priorities = {3, 3, 3}}, 4).priority, 4u);
}

TEST(FeesTest, AReplacementPaysAnEighthMoreInBoth) {
  EXPECT_EQ(RaiseFees({.priority = 800, .max = 8'000}, {}), (Fees{.priority = 901, .max = 9'001}));
  EXPECT_EQ(RaiseFees({}, {}), (Fees{.priority = 1, .max = 1}));
  EXPECT_EQ(RaiseFees({.priority = 8, .max = 80}, {.priority = 1'000, .max = 9'000}),
            (Fees{.priority = 1'000, .max = 9'000}));
  EXPECT_EQ(RaiseFees({.priority = 1, .max = kMost}, {}).max, kMost);
}

TEST(FeesTest, CostsDoNotWrap) {
  EXPECT_EQ(CostCapped(3, 7), 21u);
  EXPECT_EQ(CostCapped(kMost, 2), kMost);
}

TEST(FeesTest, MoneyIsShownInEther) {
  EXPECT_EQ(EtherText(0), "0 ETH");
  EXPECT_EQ(EtherText(1), "0.000000000000000001 ETH");
  EXPECT_EQ(EtherText(1'500'000'000'000'000'000), "1.5 ETH");
  EXPECT_EQ(EtherText(kMost), "more than 18 ETH");
}

}  // namespace
}  // namespace glasscase::ledger::evm
