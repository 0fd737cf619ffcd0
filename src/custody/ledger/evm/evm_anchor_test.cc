// With a node that is scripted; tests/chain has a real one.
#include <glasscase/ledger_evm/evm_anchor.h>

#include <map>
#include <mutex>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/fetch/testing/loopback_server.h>

namespace glasscase::ledger::evm {
namespace {

using fetch::testing::Connection;
using fetch::testing::LoopbackServer;
using ::testing::HasSubstr;
using ::testing::Not;

SigningKey SomeKey() { return SigningKey::FromHex(Secret(std::string(64, '1'))).value(); }

using Results = std::map<std::string, std::string>;

// Answers each method with a fixed result, and keeps the head of the last request.
class ScriptedNode {
 public:
  explicit ScriptedNode(Results results)
      : results_(std::move(results)), server_([this](Connection& connection) { Serve(connection); }) {}

  std::unique_ptr<EvmAnchor> Anchor(EvmOptions options = {}) {
    options.url = server_.url("/v3/an-api-key");
    if (options.chain_id == 0) options.chain_id = 1337;
    options.anchor_contract = Address{1};
    return EvmAnchor::Create(std::move(options), SomeKey()).value();
  }
  std::string last_head() const {
    const std::lock_guard lock(mutex_);
    return last_head_;
  }
  int connections() const { return server_.connections(); }

 private:
  void Serve(Connection& connection) {
    for (std::string request = connection.ReadRequest(); !request.empty();
         request = connection.ReadRequest()) {
      const size_t body = request.find("\r\n\r\n") + 4;
      {
        const std::lock_guard lock(mutex_);
        last_head_ = request.substr(0, body);
      }
      const auto parsed = boost::json::parse(request.substr(body)).as_object();
      const auto found = results_.find(std::string(parsed.at("method").as_string()));
      const std::string result = found == results_.end() ? "null" : found->second;
      connection.SendAnswer(200, R"({"jsonrpc":"2.0","id":)" +
                                     std::to_string(parsed.at("id").to_number<uint64_t>()) + R"(,"result":)" +
                                     result + "}");
    }
  }

  Results results_;
  mutable std::mutex mutex_;  // guards last_head_
  std::string last_head_;
  LoopbackServer server_;
};

TEST(EvmAnchorTest, OptionsThatCannotWorkAreRefused) {
  const auto code_of = [](EvmOptions options) {
    const auto made = EvmAnchor::Create(std::move(options), SomeKey());
    return made ? Code::kUnknown : made.error().code();
  };
  EXPECT_EQ(code_of({.url = "http://127.0.0.1:1", .chain_id = 1}), Code::kUnknown);
  EXPECT_EQ(code_of({.url = "http://127.0.0.1:1"}), Code::kInvalidArgument);
  EXPECT_EQ(code_of({.url = "ws://127.0.0.1:1", .chain_id = 1}), Code::kInvalidArgument);
  EXPECT_EQ(code_of({.url = "http://127.0.0.1:1", .chain_id = 1, .finality = FinalityRule::kConfirmations}),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of({.url = "http://127.0.0.1:1", .chain_id = 1, .gas_percent = 0}), Code::kInvalidArgument);
}

TEST(EvmAnchorTest, TheAuthorizationIsSentAndNeverShown) {
  ScriptedNode node(Results{{"eth_chainId", R"("0x1")"}});
  EvmOptions options;
  options.authorization = Secret("Bearer hush");
  const auto anchor = node.Anchor(std::move(options));
  const auto condition = anchor->Examine();
  ASSERT_FALSE(condition);
  EXPECT_THAT(node.last_head(), HasSubstr("Authorization: Bearer hush\r\n"));
  EXPECT_THAT(condition.error().message(), HasSubstr("is of chain 1, not of the configured chain 1337"));
  EXPECT_THAT(condition.error().message(), Not(HasSubstr("hush")));
  EXPECT_THAT(condition.error().message(), Not(HasSubstr("an-api-key")));
}

TEST(EvmAnchorTest, AnAuthorizationThatANodeQuotesIsHidden) {
  ScriptedNode node(
      Results{{"eth_chainId", R"(null,"error":{"code":1,"message":"no such credential: Bearer hush"})"}});
  EvmOptions options;
  options.authorization = Secret("Bearer hush");
  const auto condition = node.Anchor(std::move(options))->Examine();
  ASSERT_FALSE(condition);
  EXPECT_THAT(condition.error().message(), HasSubstr("(hidden)"));
  EXPECT_THAT(condition.error().message(), Not(HasSubstr("hush")));
}

TEST(EvmAnchorTest, AnAuthorizationDoesNotGoOverPlainHttpToElsewhere) {
  const auto created = [](std::string url) {
    EvmOptions options{.url = std::move(url), .chain_id = 1};
    options.authorization = Secret("Bearer hush");
    return EvmAnchor::Create(std::move(options), SomeKey());
  };
  EXPECT_TRUE(created("http://localhost:8545"));
  EXPECT_TRUE(created("https://node.example"));
  const auto refused = created("http://node.example:8545");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("node.example:8545 over plain HTTP"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("hush")));
}

TEST(EvmAnchorTest, OneConnectionServesAllQuestions) {
  ScriptedNode node(
      Results{{"eth_chainId", R"("0x539")"},
              {"eth_getBlockByNumber", R"({"number":"0x8","hash":"0x)" + std::string(64, '0') + "\"}"},
              {"eth_getBalance", R"("0x0")"},
              {"eth_call", R"("0x")"}});
  const auto condition = node.Anchor()->Examine();
  ASSERT_TRUE(condition) << condition.error().message();
  EXPECT_EQ(condition->newest_block, 8u);
  EXPECT_EQ(condition->complaints.size(), 2u) << "no money, no contract";
  EXPECT_EQ(node.connections(), 1);
}

TEST(EvmAnchorTest, ANodeWithoutBlocksIsUnavailable) {
  ScriptedNode node(Results{{"eth_chainId", R"("0x539")"}});
  EXPECT_EQ(node.Anchor()->Examine().error().code(), Code::kUnavailable);
}

TEST(EvmAnchorTest, ContractsAtMistypedAddressesAreRefused) {
  ScriptedNode node(Results{});
  EXPECT_EQ(node.Anchor()->ReadContract("0x12", AssetKind::kModel, AnchorView::kNewest).error().code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace glasscase::ledger::evm
