#include "command_line.h"

#include <functional>

#include <gtest/gtest.h>

#include "completion.h"

namespace glasscase::commands {
namespace {

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() : context_(surroundings_), tree_(root_) { DeclareCommands(tree_, context_); }

  std::string Unknown(std::vector<std::string> arguments) {
    return ExplainUnknownCommand(root_, arguments).value_or("");
  }
  int RunWith(std::vector<std::string> arguments) {
    Surroundings surroundings;
    surroundings.arguments = std::move(arguments);
    surroundings.version = "1.2.3";
    surroundings.environment["HOME"] = "/nonexistent";
    surroundings.program_directory = "/nonexistent";
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exit_code = commands::Run(surroundings);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return exit_code;
  }

  Surroundings surroundings_;
  Context context_;
  CLI::App root_;
  CommandTree tree_;
  std::string out_;
  std::string err_;
};

void ForEachCommand(const CLI::App& app, std::vector<std::string> words,
                    const std::function<void(const std::vector<std::string>&)>& visit) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    auto longer = words;
    longer.push_back(command->get_name());
    visit(longer);
    ForEachCommand(*command, longer, visit);
  }
}

TEST_F(CommandLineTest, EveryCommandExplainsItselfWithExamples) {
  int commands = 0;
  ForEachCommand(root_, {}, [&](std::vector<std::string> words) {
    words.emplace_back("--help");
    EXPECT_EQ(RunWith(words), 0) << words.front();
    EXPECT_NE(out_.find("Examples:"), std::string::npos) << words.front();
    ++commands;
  });
  EXPECT_GT(commands, 25);
}

TEST_F(CommandLineTest, TypesAreShownWholeAndChecksAreNot) {
  RunWith({"serve", "--help"});
  for (const char* shown : {"--registries HOST[:PORT],...", "--http ADDRESS:PORT ", "--workers N "})
    EXPECT_NE(out_.find(shown), std::string::npos) << shown << " in " << out_;
  RunWith({"list", "models", "--help"});
  EXPECT_NE(out_.find("--limit N "), std::string::npos) << out_;
  EXPECT_EQ(out_.find("POSITIVE"), std::string::npos) << out_;
}

TEST_F(CommandLineTest, AnUnknownCommandSuggestsTheNearest) {
  EXPECT_EQ(Unknown({"publsh", "x"}),
            "there is no command glasscase publsh. Did you mean: glasscase publish?");
  EXPECT_EQ(Unknown({"list", "model"}),
            "there is no command glasscase list model. Did you mean: glasscase list models?");
  EXPECT_EQ(Unknown({"--profile", "x", "--json", "whoami"}), "");
  EXPECT_NE(Unknown({}).find("needs a command"), std::string::npos);
  EXPECT_NE(Unknown({"token"}).find("create, rotate"), std::string::npos);
}

TEST_F(CommandLineTest, WrongUseIsExitCodeTwo) {
  EXPECT_EQ(RunWith({"publsh"}), 2);
  EXPECT_EQ(RunWith({"publish", "a.onnx"}), 2);
  EXPECT_NE(err_.find("--name"), std::string::npos) << err_;
  EXPECT_NE(err_.find("glasscase publish --help"), std::string::npos) << err_;
  EXPECT_EQ(RunWith({"publish", "a.onnx", "--nam", "x"}), 2);
  EXPECT_NE(err_.find("Did you mean --name?"), std::string::npos) << err_;
  EXPECT_EQ(RunWith({"grant", "ada", "predict", "m", "--quota", "often"}), 2);
  EXPECT_EQ(RunWith({"grant", "ada", "train", "m"}), 2);
  EXPECT_EQ(RunWith({"token", "create", "ada", "--expires", "tomorrow"}), 2);
  EXPECT_EQ(RunWith({"erase", "m@1"}), 2);
  EXPECT_EQ(RunWith({"erase", "m", "--yes"}), 2);
}

TEST_F(CommandLineTest, JsonMayStandAnywhere) {
  for (const auto& words : {std::vector<std::string>{"--json", "version"}, {"version", "--json"}}) {
    EXPECT_EQ(RunWith(words), 0);
    EXPECT_EQ(out_, "{\"version\":\"1.2.3\"}\n");
  }
  EXPECT_EQ(RunWith({"nothing", "--json"}), 2);
  EXPECT_TRUE(err_.starts_with("{\"error\":")) << err_;
}

TEST_F(CommandLineTest, WithoutATokenItSaysHowToGetOne) {
  EXPECT_EQ(RunWith({"whoami"}), 1);
  EXPECT_NE(err_.find("glasscase init"), std::string::npos) << err_;
}

TEST_F(CommandLineTest, DurationsAndQuotasHaveTheirForm) {
  std::string text;
  for (const char* good : {"30d", "12h", "45min", "90s"}) EXPECT_EQ(DurationForm()(text = good), "") << good;
  for (const char* bad : {"", "d", "0d", "-1d", "1.5h", "30 d", "1y", "99999999999d"})
    EXPECT_NE(DurationForm()(text = bad), "") << bad;
  for (const char* good : {"1/s", "100/min", "5/10min", "7/day"})
    EXPECT_EQ(QuotaForm()(text = good), "") << good;
  for (const char* bad : {"", "100", "/min", "0/min", "100/0min", "100/fortnight", "-1/s"})
    EXPECT_NE(QuotaForm()(text = bad), "") << bad;
}

TEST_F(CommandLineTest, CompletionsKnowEveryCommand) {
  for (const auto& script : {BashCompletion(root_), ZshCompletion(root_), FishCompletion(root_)}) {
    for (const char* word : {"publish", "models", "--quota", "completion"}) {
      const std::string bare = word;
      EXPECT_NE(script.find(bare.starts_with("--") ? bare.substr(2) : bare), std::string::npos) << word;
    }
  }
}

}  // namespace
}  // namespace glasscase::commands
