#include "rpc_answers.h"

#include <limits>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusals.h"

namespace glasscase::ledger::evm {
namespace {

using ::testing::HasSubstr;

boost::json::value Json(std::string_view text) { return boost::json::parse(text); }

const std::string kHash = "0x" + std::string(64, 'a');

TEST(RpcAnswersTest, ResultsAndErrorsAreToldApart) {
  const auto result = ParseRpcAnswer(R"({"jsonrpc":"2.0","id":3,"result":null})", 3);
  ASSERT_TRUE(result);
  EXPECT_TRUE(std::get<boost::json::value>(*result).is_null()) << "a result of null is a result";
  const auto error =
      ParseRpcAnswer(R"({"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"no","data":"0x0102"}})", 3);
  ASSERT_TRUE(error);
  const auto& refused = std::get<RpcError>(*error);
  EXPECT_EQ(refused.code, -32000);
  EXPECT_EQ(refused.message, "no");
  EXPECT_EQ(refused.data, (Bytes{1, 2}));
  EXPECT_TRUE(ParseRpcAnswer(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse"}})", 3));
}

TEST(RpcAnswersTest, WhatIsNotTheAnswerIsDataLoss) {
  for (const char* body :
       {"", "null", "[]", "{}", R"({"jsonrpc":"2.0","id":3})", R"({"jsonrpc":"1.0","id":3,"result":1})",
        R"({"jsonrpc":"2.0","id":4,"result":1})", R"({"jsonrpc":"2.0","id":"3","result":1})",
        R"({"jsonrpc":"2.0","id":null,"result":1})", R"({"jsonrpc":"2.0","id":3,"result":1} x)",
        R"({"jsonrpc":"2.0","id":4,"error":{"code":1,"message":"of another"}})",
        R"([{"jsonrpc":"2.0","id":3,"result":1}])", R"({"jsonrpc":"2.0","id":3,"error":"no"})"}) {
    const auto answer = ParseRpcAnswer(body, 3);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code(), Code::kDataLoss) << body;
  }
}

TEST(RpcAnswersTest, DataOfARevertIsFoundWhereNodesPutIt) {
  for (const char* data : {R"("0x0102")", R"("Reverted 0x0102")", R"({"data":"0x0102","hash":"0x"})"}) {
    const std::string body = R"({"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"reverted","data":)" +
                             std::string(data) + "}}";
    EXPECT_EQ(std::get<RpcError>(ParseRpcAnswer(body, 1).value()).data, (Bytes{1, 2})) << data;
  }
}

TEST(RpcAnswersTest, QuantitiesAreReadStrictly) {
  EXPECT_EQ(ReadQuantity(Json(R"("0x0")"), "it").value(), 0u);
  EXPECT_EQ(ReadQuantity(Json(R"("0x00ff")"), "it").value(), 255u);
  EXPECT_EQ(ReadQuantity(Json(R"("0xfffffffffffffffe")"), "it").value(),
            std::numeric_limits<uint64_t>::max() - 1);
  EXPECT_EQ(ReadQuantityCapped(Json("\"" + kHash + "\""), "it").value(),
            std::numeric_limits<uint64_t>::max());
  for (const char* text :
       {R"("0x")", R"("0xg")", R"("12")", "12", "null", R"("0x1ffffffffffffffff")", R"(" 0x1")"}) {
    const auto number = ReadQuantity(Json(text), "the count");
    ASSERT_FALSE(number) << text;
    EXPECT_THAT(number.error().message(), HasSubstr("the count"));
  }
}

TEST(RpcAnswersTest, ReceiptsNeedAllThatWeBelieve) {
  const std::string head = R"({"blockNumber":"0x5","blockHash":")" + kHash + R"(","gasUsed":"0x10")";
  EXPECT_EQ(ReadReceipt(Json("null")).value(), std::nullopt);
  EXPECT_EQ(ReadReceipt(Json(R"({"blockNumber":null})")).value(), std::nullopt);
  const auto receipt = ReadReceipt(Json(head + R"(,"status":"0x1"})")).value();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->block, 5u);
  EXPECT_TRUE(receipt->succeeded);
  EXPECT_FALSE(ReadReceipt(Json(head + R"(,"status":"0x0"})")).value()->succeeded);
  for (const char* tail : {"}", R"(,"status":"0x2"})", R"(,"status":true})"})
    EXPECT_FALSE(ReadReceipt(Json(head + tail))) << tail;
}

TEST(RpcAnswersTest, EmptyBlocksSayNothingAboutFees) {
  const auto history =
      ReadFeeHistory(
          Json(R"({"baseFeePerGas":["0x1","0x2","0x9"],"gasUsedRatio":[0.5,0],"reward":[["0x7"],["0x0"]]})"))
          .value();
  EXPECT_EQ(history.next_base_fee, 9u);
  EXPECT_THAT(history.priorities, ::testing::ElementsAre(7u));
  EXPECT_EQ(ReadFeeHistory(Json(R"({"baseFeePerGas":["0x1"]})")).value().priorities.size(), 0u);
  EXPECT_THAT(ReadFeeHistory(Json(R"({"oldestBlock":"0x1"})")).error().message(), HasSubstr("EIP-1559"));
}

TEST(RpcAnswersTest, RemovedEventsArePassedOver) {
  const std::string event =
      R"({"address":"0x)" + std::string(40, '7') + R"(","topics":[")" + kHash + R"("],"data":"0x01")";
  const auto events = ReadEvents(Json("[" + event + "}," + event + R"(,"removed":true}])")).value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, Bytes{1});
  EXPECT_EQ(events[0].contract[19], 0x77);
  EXPECT_FALSE(ReadEvents(Json(R"([{"address":"0x12","topics":[],"data":"0x"}])")));
}

RpcError Reverted(std::string_view hex) {
  return {.code = 3, .message = "execution reverted", .data = FromHex(hex).value()};
}

TEST(RefusalsTest, RevertsAreToldInWords) {
  const std::string seven = std::string(63, '0') + "7";
  const auto said = [](std::string_view signature, const std::string& arguments) {
    return *RevertOf(Reverted(ToHex(SelectorOf(signature)) + arguments));
  };
  EXPECT_EQ(said("NotLarger(uint64)", seven).code(), Code::kAlreadyExists);
  EXPECT_THAT(said("NotLarger(uint64)", seven).message(), HasSubstr("size=7"));
  EXPECT_EQ(said("NotPublisher(address)", seven).code(), Code::kPermissionDenied);
  EXPECT_EQ(said("NotPublisher(address)", "").code(), Code::kPermissionDenied) << "cut";
  EXPECT_EQ(said("AlreadyRegistered(bytes16)", "").code(), Code::kAlreadyExists);
  EXPECT_EQ(said("NotRegistered(bytes16)", "").code(), Code::kNotFound);
  EXPECT_THAT(said("Panic(uint256)", seven).message(), HasSubstr("panic 7"));
  EXPECT_THAT(said("Unheard(uint256)", seven).message(), HasSubstr("not ours"));
  const Bytes text = std::move(AbiWriter("Error(string)").AddLastString(1, "too\nlate")).Take();
  EXPECT_THAT(RevertOf(Reverted(ToHex(text)))->message(), HasSubstr("too\\x0alate"));
  EXPECT_EQ(RevertOf({.code = 3, .message = "reverted", .data = {}})->message(),
            "the contract refuses without a reason");
  EXPECT_EQ(RevertOf({.code = -32000, .message = "out of memory", .data = {}}), std::nullopt);
}

// As the nodes put it.
TEST(RefusalsTest, NodesSayTheSameInManyWords) {
  const auto why = [](std::string_view message) {
    return WhySendWasRefused({.code = -32000, .message = std::string(message), .data = {}});
  };
  for (const char* words :
       {"already known", "AlreadyKnown", "Known transaction", "transaction already imported"})
    EXPECT_EQ(why(words), SendRefusal::kAlreadyKnown) << words;
  for (const char* words : {"nonce too low: next nonce 5, tx nonce 4", "Nonce too low", "OldNonce"})
    EXPECT_EQ(why(words), SendRefusal::kNonceUsed) << words;
  for (const char* words :
       {"insufficient funds for gas * price + value: balance 0", "Upfront cost exceeds account balance",
        "Insufficient funds for gas * price + value"})
    EXPECT_EQ(why(words), SendRefusal::kNoFunds) << words;
  for (const char* words : {"replacement transaction underpriced", "transaction underpriced", "FeeTooLow",
                            "max fee per gas less than block base fee: address 0x",
                            "Gas price below configured minimum gas price"})
    EXPECT_EQ(why(words), SendRefusal::kFeeTooLow) << words;
  EXPECT_EQ(why("Wrong chainId"), SendRefusal::kOther);
}

}  // namespace
}  // namespace glasscase::ledger::evm
