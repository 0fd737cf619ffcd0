// What stands in the data directory of the chain.
#include "chain.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/core/ids.h>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ChainTest : public ::testing::Test {
 protected:
  ChainTest() { fs::create_directories(folder / "keys"); }
  ~ChainTest() override { fs::remove_all(folder); }

  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(folder / name) << text;
    ASSERT_EQ(::chmod((folder / name).c_str(), mode), 0);
  }
  Result<std::optional<ChainSettings>> Read(const std::string& text) {
    Write(kChainFile, text);
    return ReadChainSettings(OpenFolder(folder).value().get());
  }
  std::string Refused(const std::string& text) {
    const auto read = Read(text);
    if (read) return "read";
    EXPECT_EQ(read.error().code(), Code::kInvalidArgument);
    return read.error().message();
  }
  // What opening an anchor with that token says; "" when it opens.
  std::string Open(const std::string& url, const std::string& token, mode_t mode) {
    Write("keys/chain.key", std::string(64, '1'));
    Write("keys/chain-node.token", token, mode);
    const Fd directory = OpenFolder(folder).value();
    const Stores stores = Stores::Prepare({}, directory.get(), clock, random).value();
    const auto opened = OpenAnchor({.url = url, .chain_id = 1}, directory.get(), stores);
    return opened ? "" : opened.error().message();
  }

  const fs::path folder = fs::temp_directory_path() / ("gc-chain-" + Uuid::Random().ToString());
  SystemClock clock;
  SystemRandom random;
};

TEST_F(ChainTest, WhatIsNotSaidIsAsItAlwaysWas) {
  const ChainSettings settings = Read(R"({"url":"http://127.0.0.1:8545","chain_id":5})").value().value();
  EXPECT_EQ(settings.finality, "tag");
  EXPECT_FALSE(settings.free_of_fees);
  EXPECT_EQ(settings.anchor_every_s, 86'400);
  EXPECT_EQ(settings.limits, ledger::evm::FeeLimits());
  EXPECT_EQ(settings.limits.max_fee_per_gas_wei, 500'000'000'000u);
  EXPECT_EQ(settings.gas_percent, 125u);
}

TEST_F(ChainTest, LimitsAreRead) {
  const ChainSettings settings =
      Read(
          R"({"url":"http://127.0.0.1:8545","chain_id":5,"max_fee_per_gas_wei":30000000000,)"
          R"("max_priority_fee_per_gas_wei":0,"max_transaction_fee_wei":18000000000000000000,"gas_percent":200})")
          .value()
          .value();
  EXPECT_EQ(settings.limits.max_fee_per_gas_wei, 30'000'000'000u);
  EXPECT_EQ(settings.limits.max_priority_fee_per_gas_wei, 0u);
  EXPECT_EQ(settings.limits.max_transaction_fee_wei, 18'000'000'000'000'000'000u);
  EXPECT_EQ(settings.gas_percent, 200u);
}

TEST_F(ChainTest, WhatLimitsNothingIsRefused) {
  EXPECT_THAT(Refused(R"({"max_fee":3})"), HasSubstr("no member \"max_fee\""));
  EXPECT_THAT(Refused(R"({"max_fee_per_gas_wei":"3"})"),
              HasSubstr("max_fee_per_gas_wei must be a whole number"));
  EXPECT_THAT(Refused(R"({"max_transaction_fee_wei":-1})"), HasSubstr("max_transaction_fee_wei"));
  EXPECT_THAT(Refused(R"({"max_fee_per_gas_wei":0})"), HasSubstr("at least 1"));
  EXPECT_THAT(Refused(R"({"gas_percent":99})"), HasSubstr("at least 100"));
  EXPECT_THAT(Refused(R"({"free_of_fees":"yes"})"), HasSubstr("free_of_fees must be true or false"));
  EXPECT_THAT(Refused(R"({"url":5})"), HasSubstr("url must be a text"));
}

TEST_F(ChainTest, ATokenIsTheOperatorsAlone) {
  EXPECT_EQ(Open("http://127.0.0.1:8545", "hush\n", 0600), "");
  EXPECT_EQ(Open("https://node.example", "hush", 0400), "");
  EXPECT_THAT(Open("http://127.0.0.1:8545", "hush\n", 0640), HasSubstr("chmod 600"));
  EXPECT_THAT(Open("http://node.example", "hush\n", 0600), HasSubstr("use https"));
}

TEST_F(ChainTest, ATokenThatIsNoLineIsNotShown) {
  for (const char* token : {"", "\n", "two words", "hush\nhush", "hush\r\nX-Other: hush", "h\xc3\xbcsh"}) {
    const std::string said = Open("http://127.0.0.1:8545", token, 0600);
    EXPECT_THAT(said, HasSubstr("one line of visible characters")) << token;
    EXPECT_THAT(said, Not(HasSubstr("hush")));
  }
}

}  // namespace
}  // namespace glasscase::custodian
