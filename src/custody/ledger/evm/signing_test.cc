#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/crypto/sha256.h>
#include <glasscase/crypto/testing/seeded_random.h>

#include "transaction.h"

namespace glasscase::ledger::evm {
namespace {

SigningKey KeyOf(std::string hex) { return SigningKey::FromHex(Secret(std::move(hex))).value(); }

// Published with the development nodes that give money to it.
const std::string kKnownKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

// Of EIP-55.
TEST(AddressTest, CapitalsAreAChecksum) {
  for (const std::string text :
       {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"}) {
    const Address address = ParseAddress(text).value();
    EXPECT_EQ(AddressText(address), text);
    EXPECT_EQ(ParseAddress("0x" + ToHex(address)).value(), address)
        << "without capitals there is nothing to check";
    std::string mistyped = text;
    mistyped[4] = mistyped[4] == '1' ? '2' : '1';
    EXPECT_FALSE(ParseAddress(mistyped));
  }
  for (const char* text :
       {"", "0x", "0x00", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00"})
    EXPECT_EQ(ParseAddress(text).error().code(), Code::kInvalidArgument) << text;
}

TEST(SigningKeyTest, KnownKeysHaveTheirAddress) {
  EXPECT_EQ(AddressText(KeyOf(kKnownKey).address()), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  EXPECT_EQ(AddressText(KeyOf("0x" + kKnownKey + "\n").address()),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  EXPECT_EQ(AddressText(KeyOf(std::string(63, '0') + "1").address()),
            "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
}

TEST(SigningKeyTest, WhatIsNoKeyIsRefusedAndNeverShown) {
  const std::string order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  for (const std::string& text : {std::string(), std::string(64, '0'), order, kKnownKey.substr(1),
                                  kKnownKey + "00", std::string(64, 'g')}) {
    const auto key = SigningKey::FromHex(Secret(text));
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code(), Code::kInvalidArgument);
    if (text.empty()) continue;
    EXPECT_THAT(key.error().message(), ::testing::Not(::testing::HasSubstr(text)));
  }
}

TEST(SigningKeyTest, GeneratedKeysComeBackFromTheirText) {
  glasscase::testing::SeededRandom random(4);
  const SigningKey key = SigningKey::Generate(random);
  const SigningKey other = SigningKey::Generate(random);
  EXPECT_NE(key.address(), other.address());
  const SigningKey again = SigningKey::FromHex(key.ToHex(RevealToken())).value();
  EXPECT_EQ(again.address(), key.address());
  EXPECT_EQ(again.Sign(Digest{5}), key.Sign(Digest{5}));
}

// A vector of RFC 6979 for this curve that wallets share: the key 1 and the digest of this name.
TEST(SigningKeyTest, SignaturesAreDeterministicAndLow) {
  const Signature signature = KeyOf(std::string(63, '0') + "1").Sign(Sha256(AsBytes("Satoshi Nakamoto")));
  EXPECT_EQ(ToHex(signature.r), "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8");
  EXPECT_EQ(ToHex(signature.s), "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
  const SigningKey key = KeyOf(kKnownKey);
  const Digest half =
      DigestFromHex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0").value();
  for (uint8_t i = 0; i < 100; ++i) EXPECT_LE(key.Sign(Digest{i}).s, half);
}

// What ethers 6.17 gives; tests/chain compares many more.
TEST(TransactionTest, SignedBytesAreThoseOfOthers) {
  const Transaction call{.chain_id = 1337,
                         .nonce = 9,
                         .fees = {.priority = 1'500'000'000, .max = 30'000'000'000},
                         .gas = 61'234,
                         .to = ParseAddress("0x5FbDB2315678afecb367f032d93F642f64180aa3").value(),
                         .data = FromHex("a9059cbb00ff").value()};
  const Bytes raw = SignTransaction(call, KeyOf(kKnownKey));
  EXPECT_EQ(ToHex(raw),
            "02f873820539098459682f008506fc23ac0082ef32945fbdb2315678afecb367f032d93f642f64180aa38086a9"
            "059cbb00ffc080a0e073aa0bdf5bc0dc32cba7614d0945dd4280ab212a8e8fd938f73e6a400dc755a06f834d35"
            "3d3c30ea8722f8a3938672ac0109b75451891a1ce1208e58f3f6820c");
  EXPECT_EQ(ToHex(TransactionHash(raw)), "64c0fc5b01404f3dcb7c107d894be7047b9922deb1faf34df6b3837afe7cf3f8");
  const Transaction creation{.chain_id = 1, .data = {0}};
  EXPECT_EQ(ToHex(SignTransaction(creation, KeyOf(std::string(63, '0') + "1"))),
            "02f84c0180808080808000c080a0f035f6809872e6f3b83851333243a70f7473f4e97cae2bffdfdabc43cc0ef5"
            "2ba04c837fa8631d3364f87785e92f3a74454902bd6dbb84f60e498a5ed47ae8148a");
}

TEST(TransactionTest, CreatedContractsHaveTheirAddress) {
  const Address sender = ParseAddress("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0").value();
  const char* const created[] = {"cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
                                 "343c43a37d37dff08ae8c4a11544c718abb4fcf8",
                                 "f778b86fa74e846c4f0a1fbd1335fe81c00a0c91"};
  for (uint64_t nonce = 0; nonce < 3; ++nonce)
    EXPECT_EQ(ToHex(CreatedAddress(sender, nonce)), created[nonce]);
}

}  // namespace
}  // namespace glasscase::ledger::evm
