#include "abi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contracts.h"
#include "keccak.h"

namespace glasscase::ledger::evm {
namespace {

std::string KeccakHex(std::string_view text) { return ToHex(Keccak256(AsBytes(text))); }

// The first three are published with the algorithm; the others lie around its block of 136 bytes and are what
// ethers 6.17 gives.
TEST(KeccakTest, PublishedVectors) {
  EXPECT_EQ(KeccakHex(""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(KeccakHex("abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
  EXPECT_EQ(KeccakHex("\xcc"), "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a");
  EXPECT_EQ(KeccakHex(std::string(135, 'a')),
            "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446");
  EXPECT_EQ(KeccakHex(std::string(136, 'a')),
            "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e");
  EXPECT_EQ(KeccakHex(std::string(137, 'a')),
            "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39");
}

// Of the examples in Solidity's own description of its ABI.
TEST(AbiTest, FunctionsAreNamedByFourBytes) {
  EXPECT_EQ(ToHex(SelectorOf("baz(uint32,bool)")), "cdcd77c0");
  EXPECT_EQ(ToHex(SelectorOf("sam(bytes,bool,uint256[])")), "a5643bf2");
  EXPECT_EQ(ToHex(TopicOf("Transfer(address,address,uint256)")),
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

TEST(AbiTest, ValuesComeBack) {
  const Uuid id = Uuid::Random();
  const Address address{1, 2, 3};
  const Bytes written =
      std::move(AbiWriter("f()").Add(WordOf(id)).Add(WordOf(address)).Add(WordOf(77))).Take();
  AbiReader reader(ByteSpan(written).subspan(4));
  EXPECT_EQ(reader.ReadUuid().value(), id);
  EXPECT_EQ(reader.ReadAddress().value(), address);
  EXPECT_EQ(reader.ReadNumber().value(), 77u);
  EXPECT_EQ(reader.ReadNumber().error().code(), Code::kDataLoss);
}

TEST(AbiTest, StringsComeBackAndAreBounded) {
  for (const size_t size : {0, 1, 31, 32, 33, 100}) {
    const Bytes written = std::move(AbiWriter("f()").AddLastString(1, std::string(size, 'x'))).Take();
    EXPECT_EQ(written.size(), 4 + 64 + (size + 31) / 32 * 32);
    const ByteSpan answer = ByteSpan(written).subspan(4);
    EXPECT_EQ(AbiReader(answer).ReadOnlyString(100).value(), std::string(size, 'x'));
    if (size == 0) continue;
    EXPECT_FALSE(AbiReader(answer).ReadOnlyString(size - 1));
    EXPECT_FALSE(AbiReader(answer.first(64)).ReadOnlyString(100)) << "cut";
  }
}

TEST(AbiTest, WordsWithSomethingInTheUnusedPartAreRefused) {
  Word word{};
  word.fill(1);
  EXPECT_FALSE(AbiReader(word).ReadNumber());
  EXPECT_FALSE(AbiReader(word).ReadUuid());
  EXPECT_FALSE(AbiReader(word).ReadAddress());
  EXPECT_TRUE(AbiReader(word).ReadWord());
  EXPECT_FALSE(AbiReader(ByteSpan(word).first(31)).ReadWord());
}

TEST(ContractsTest, RecordsComeBack) {
  const Uuid asset = Uuid::Random();
  Bytes answer =
      std::move(AbiWriter("").Add(Word{9}).Add(WordOf(7)).Add(WordOf(1'700'000'000)).Add(WordOf(2))).Take();
  answer.erase(answer.begin(), answer.begin() + 4);
  const auto found = ReadRecord(asset, answer).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->record,
            (AssetRecord{.asset = asset, .kind = AssetKind::kDataset, .commitment = {9}, .log_index = 7}));
  EXPECT_EQ(found->time_seconds, 1'700'000'000);
  answer.back() = 0;
  EXPECT_EQ(ReadRecord(asset, answer).value(), std::nullopt);
  answer.back() = 3;
  EXPECT_EQ(ReadRecord(asset, answer).error().code(), Code::kDataLoss);
  answer.pop_back();
  EXPECT_EQ(ReadRecord(asset, answer).error().code(), Code::kDataLoss);
}

TEST(ContractsTest, CallsTellWhichActTheyAre) {
  const Uuid asset = Uuid::Random();
  const Bytes record = RegisterCall({.asset = asset});
  EXPECT_TRUE(Registers(record, asset));
  EXPECT_FALSE(Registers(record, Uuid::Random()));
  EXPECT_FALSE(Registers(ChangeCall({.asset = asset}), asset));
  EXPECT_EQ(AnchoredSize(AnchorCall({.origin = "", .size = 12})), 12u);
  EXPECT_EQ(AnchoredSize(record), std::nullopt);
  EXPECT_EQ(AnchoredSize({}), std::nullopt);
}

}  // namespace
}  // namespace glasscase::ledger::evm
