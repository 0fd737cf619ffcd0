#include "fees.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::ledger::evm {
namespace {

using ::testing::HasSubstr;

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

TEST(FeesTest, LimitsCutWhatIsOfferedAndNeverBelowTheBaseFee) {
  const FeeLimits limits{.max_fee_per_gas_wei = 100, .max_priority_fee_per_gas_wei = 5};
  EXPECT_EQ(LimitFees({.priority = 9, .max = 209}, 100, 21'000, limits).value(),
            (Fees{.priority = 5, .max = 100}));
  const auto dear = LimitFees({.priority = 9, .max = 211}, 101, 21'000, limits);
  ASSERT_FALSE(dear);
  EXPECT_EQ(dear.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(dear.error().message(), HasSubstr("101 wei per gas"));
  EXPECT_THAT(dear.error().message(), HasSubstr("max_fee_per_gas_wei of 100"));
}

TEST(FeesTest, ATransactionStaysBelowItsLimitWhateverItsGas) {
  const FeeLimits limits{.max_transaction_fee_wei = 1'000};
  EXPECT_EQ(LimitFees({.priority = 1, .max = 21}, 10, 50, limits)->max, 20u);
  EXPECT_EQ(LimitFees({.priority = 1, .max = 21}, 10, 10, limits)->max, 21u);
  const auto dear = LimitFees({.priority = 1, .max = 21}, 10, 101, limits);
  ASSERT_FALSE(dear);
  EXPECT_THAT(dear.error().message(), HasSubstr("max_transaction_fee_wei of 1000"));
}

TEST(FeesTest, AReplacementIsNotCutToTheLimits) {
  const FeeLimits limits{
      .max_fee_per_gas_wei = 100, .max_priority_fee_per_gas_wei = 5, .max_transaction_fee_wei = 1'000};
  EXPECT_TRUE(CheckLimits({.priority = 5, .max = 100}, 10, limits));
  EXPECT_FALSE(CheckLimits({.priority = 6, .max = 100}, 10, limits));
  EXPECT_FALSE(CheckLimits({.priority = 5, .max = 101}, 9, limits));
  EXPECT_FALSE(CheckLimits({.priority = 5, .max = 100}, 11, limits));
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
