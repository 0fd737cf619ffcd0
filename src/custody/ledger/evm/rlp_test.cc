#include "rlp.h"

#include <gtest/gtest.h>

namespace glasscase::ledger::evm {
namespace {

// The examples of the encoding's own description.
TEST(RlpTest, PublishedExamples) {
  const auto text = [](std::string_view t) { return RlpString(AsBytes(t)); };
  EXPECT_EQ(ToHex(text("dog")), "83646f67");
  EXPECT_EQ(ToHex(RlpList({text("cat"), text("dog")})), "c88363617483646f67");
  EXPECT_EQ(ToHex(text("")), "80");
  EXPECT_EQ(ToHex(RlpList({})), "c0");
  EXPECT_EQ(ToHex(RlpNumber(uint64_t{0})), "80");
  EXPECT_EQ(ToHex(RlpString(Bytes{0})), "00");
  EXPECT_EQ(ToHex(RlpNumber(15)), "0f");
  EXPECT_EQ(ToHex(RlpNumber(1024)), "820400");
  const Bytes none = RlpList({});
  EXPECT_EQ(ToHex(RlpList({none, RlpList({none}), RlpList({none, RlpList({none})})})), "c7c0c1c0c3c0c1c0");
  const std::string lorem = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
  EXPECT_EQ(ToHex(text(lorem)), "b838" + ToHex(AsBytes(lorem)));
}

TEST(RlpTest, WhatIsWrittenIsReadBack) {
  for (const size_t size : {0, 1, 2, 55, 56, 255, 256, 65'536}) {
    const Bytes written = RlpString(Bytes(size, 0x80));
    RlpReader reader(written);
    EXPECT_EQ(reader.ReadString().value().size(), size);
    EXPECT_TRUE(reader.AtEnd());
    const Bytes list = RlpList({written, written});
    RlpReader outer(list);
    RlpReader inner = outer.ReadList().value();
    EXPECT_EQ(inner.ReadString().value().size(), size);
    EXPECT_EQ(inner.ReadString().value().size(), size);
    EXPECT_TRUE(inner.AtEnd() && outer.AtEnd());
  }
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}})
    EXPECT_EQ(RlpReader(RlpNumber(number)).ReadNumber().value(), number);
}

TEST(RlpTest, OtherFormsOfTheSameValueAreRefused) {
  for (const char* hex : {"", "8100", "817f", "b800", "b837" /* and 55 bytes */, "b90038", "83646f", "b8",
                          "bfffffffffffffffff", "bb00000001", "c0"}) {
    const Bytes bytes = FromHex(hex).value();
    EXPECT_FALSE(RlpReader(bytes).ReadString()) << hex;
  }
  for (const char* hex : {"8200ff", "00", "89010000000000000000"})
    EXPECT_FALSE(RlpReader(FromHex(hex).value()).ReadNumber()) << hex;
  for (const char* hex : {"", "80", "c1", "f800", "ffffffffffffffffff"})
    EXPECT_FALSE(RlpReader(FromHex(hex).value()).ReadList()) << hex;
  Bytes longer(57, 1);
  longer[0] = 0xb8, longer[1] = 55;
  EXPECT_FALSE(RlpReader(longer).ReadString()) << "55 bytes have a short length";
}

}  // namespace
}  // namespace glasscase::ledger::evm
