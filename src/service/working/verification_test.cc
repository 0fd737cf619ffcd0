#include "verification.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <boost/json.hpp>

#include <glasscase/core/ids.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::working {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using End = rpc::JobEnded;

constexpr std::string_view kOneMachine = R"({"processor":"one","kernel":"6.1"})";
constexpr std::string_view kOtherMachine = R"({"processor":"other","kernel":"6.1"})";

std::vector<training::ResultFile> ModelWith(const std::string& text) {
  std::vector<training::ResultFile> files;
  Fd file(::memfd_create("model", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  files.push_back({.path = "model.txt", .file = std::move(file), .bytes = text.size()});
  return files;
}

bj::object RecordOn(std::string_view machine) {
  return {{"machine", bj::parse(bj::string_view(machine.data(), machine.size()))}};
}

Ended Left(const std::string& text, std::string_view machine = kOneMachine) {
  return {.ending = End::SUCCEEDED, .record = RecordOn(machine), .files = ModelWith(text)};
}

// What a run leaves is decided here, and the program that compares is a script that knows bytes alone. The
// real ones: tests/system/test_verification.py.
class VerificationTest : public ::testing::Test {
 protected:
  VerificationTest() : cancel_(::eventfd(0, EFD_CLOEXEC)) {
    fs::create_directories(folder_);
    CompareWith(R"(cmp -s /dev/fd/3 /dev/fd/4 && found=B same=true || found=N same=false
echo "{\"result\":{\"class\":\"$found\",\"same_bytes\":$same}}")");
    recipe_.threads = 2;
    recipe_.pins.numpy = "off";
  }
  ~VerificationTest() override { fs::remove_all(folder_); }

  void CompareWith(const std::string& script) {
    const fs::path path = folder_ / "comparer";
    std::ofstream(path) << "#!/bin/bash\n" << script << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  void Cancel() {
    const uint64_t one = 1;
    ASSERT_EQ(::write(cancel_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
  Ended Verify(const std::string& original, std::string_view machine,
               std::function<Ended(const training::Recipe&)> execute) {
    const Original first{.files = ModelWith(original), .record = RecordOn(machine)};
    const Comparer comparer(folder_ / "comparer", cancel_.get());
    Ended end = Verification({.recipe = recipe_,
                              .original = first,
                              .comparer = comparer,
                              .execute = std::move(execute),
                              .on_step = [&](std::string_view step) { steps_.emplace_back(step); }})
                    .Run();
    if (!end.evidence.empty()) evidence_ = bj::parse(end.evidence).as_object();
    return end;
  }
  std::vector<std::string> Words(const char* member) {
    return bj::value_to<std::vector<std::string>>(evidence_.at(member));
  }

  const fs::path folder_ = fs::temp_directory_path() / ("gc-verification-" + Uuid::Random().ToString());
  const Fd cancel_;
  training::Recipe recipe_;
  std::vector<std::string> steps_;
  bj::object evidence_;
};

TEST_F(VerificationTest, TheSameBitsNeedNoReason) {
  const Ended end = Verify("weights", kOneMachine, [](const auto&) { return Left("weights"); });
  EXPECT_EQ(end.ending, End::SUCCEEDED) << end.reason;
  EXPECT_EQ(evidence_.at("class"), "B");
  EXPECT_EQ(evidence_.at("executions"), 1);
  EXPECT_FALSE(evidence_.contains("cause"));
  EXPECT_TRUE(end.files.empty());
}

TEST_F(VerificationTest, AMachineThatRepeatsItselfNamesNoPin) {
  const Ended end =
      Verify("of there", kOtherMachine, [](const auto&) { return Left("of here", kOneMachine); });
  ASSERT_EQ(end.ending, End::SUCCEEDED) << end.reason;
  EXPECT_EQ(evidence_.at("class"), "N");
  EXPECT_EQ(evidence_.at("here").at("class"), "B");
  EXPECT_EQ(evidence_.at("cause"), "machine");
  EXPECT_THAT(Words("machine_differs"), ElementsAre("processor"));
  EXPECT_THAT(Words("candidate_pins"), ElementsAre("threads = 1", "pins.numpy = AVX2"));
  EXPECT_EQ(evidence_.at("executions"), 2);
  EXPECT_FALSE(evidence_.contains("missing_pin"));
  EXPECT_FALSE(evidence_.contains("pins_tried"));
}

TEST_F(VerificationTest, WhatOneRecordAloneHasDiffers) {
  constexpr std::string_view kWithDevice = R"({"processor":"one","kernel":"6.1","devices":{}})";
  Verify("before", kOneMachine, [=](const auto&) { return Left("now", kWithDevice); });
  EXPECT_EQ(evidence_.at("cause"), "machine");
  EXPECT_THAT(Words("machine_differs"), ElementsAre("devices"));
}

TEST_F(VerificationTest, OnTheSameMachineSomethingElseHasChanged) {
  Verify("before", kOneMachine, [](const auto&) { return Left("now", kOneMachine); });
  EXPECT_EQ(evidence_.at("here").at("class"), "B");
  EXPECT_EQ(evidence_.at("cause"), "change");
  EXPECT_THAT(Words("machine_differs"), ElementsAre());
  EXPECT_FALSE(evidence_.contains("candidate_pins"));
}

TEST_F(VerificationTest, WhatDoesNotRepeatItselfHereIsTriedWithPins) {
  int drawn = 0;
  Verify("0", kOtherMachine, [&](const training::Recipe& recipe) {
    return Left(recipe.pins.numpy == "off" ? std::to_string(++drawn) : "held");
  });
  EXPECT_EQ(evidence_.at("here").at("class"), "N");
  EXPECT_EQ(evidence_.at("cause"), "pin");
  EXPECT_EQ(evidence_.at("missing_pin"), "pins.numpy = AVX2");
  EXPECT_EQ(evidence_.at("pins_tried").as_array().size(), 2u);
  EXPECT_EQ(evidence_.at("executions"), 6);
}

TEST_F(VerificationTest, WhatNoPinHoldsIsTheProgramsOwn) {
  int drawn = 0;
  Verify("0", kOneMachine, [&](const auto&) { return Left(std::to_string(++drawn)); });
  EXPECT_EQ(evidence_.at("cause"), "program");
  EXPECT_EQ(evidence_.at("missing_pin"), "");
  EXPECT_EQ(evidence_.at("pins_tried").as_array().size(), 3u) << "each, and all";
}

TEST_F(VerificationTest, APinWithWhichTheRunFailsIsNotTheOne) {
  int drawn = 0;
  Verify("0", kOneMachine, [&](const training::Recipe& recipe) {
    if (recipe.threads == 1) return Ended{.ending = End::FAILED, .reason = "exit code 3"};
    return Left(std::to_string(++drawn));
  });
  const bj::object& tried = evidence_.at("pins_tried").at(0).as_object();
  EXPECT_EQ(tried.at("class"), "N");
  EXPECT_THAT(std::string(tried.at("different").as_string()), HasSubstr("exit code 3"));
}

TEST_F(VerificationTest, CancelledWhilePinsAreTriedIsCancelled) {
  int drawn = 0;
  const Ended end = Verify("0", kOneMachine, [&](const training::Recipe& recipe) {
    if (recipe.threads == 1) return Ended{.ending = End::CANCELLED};
    return Left(std::to_string(++drawn));
  });
  EXPECT_EQ(end.ending, End::CANCELLED) << end.reason;
  EXPECT_EQ(end.evidence, "");
}

TEST_F(VerificationTest, CancelledWhileComparingIsCancelled) {
  CompareWith("sleep 60");
  const Ended end = Verify("0", kOneMachine, [&](const auto&) {
    Cancel();
    return Left("1");
  });
  EXPECT_EQ(end.ending, End::CANCELLED) << end.reason;
}

TEST_F(VerificationTest, ATryThatCouldNotBeRunIsNoClass) {
  int drawn = 0;
  const Ended end = Verify("0", kOneMachine, [&](const training::Recipe& recipe) {
    if (recipe.threads == 1) return Ended{.ending = End::NOT_RUN, .reason = "no sandbox"};
    return Left(std::to_string(++drawn));
  });
  EXPECT_EQ(end.ending, End::NOT_RUN);
  EXPECT_THAT(end.reason, HasSubstr("no sandbox"));
  EXPECT_EQ(end.evidence, "");
}

TEST_F(VerificationTest, ARepetitionThatCouldNotBeRunIsNoReason) {
  int executed = 0;
  const Ended end = Verify("0", kOneMachine, [&](const auto&) {
    if (++executed == 2) return Ended{.ending = End::NOT_RUN, .reason = "no sandbox"};
    return Left("1");
  });
  EXPECT_EQ(end.ending, End::NOT_RUN);
}

TEST_F(VerificationTest, AComparerThatWasKilledIsOurFault) {
  CompareWith("kill -9 $$");
  const Ended end = Verify("0", kOneMachine, [](const auto&) { return Left("1"); });
  EXPECT_EQ(end.ending, End::NOT_RUN);
  EXPECT_THAT(end.reason, HasSubstr("signal 9"));
}

TEST_F(VerificationTest, AComparerThatIsNotThereIsOurFault) {
  fs::remove(folder_ / "comparer");
  const Ended end = Verify("0", kOneMachine, [](const auto&) { return Left("1"); });
  EXPECT_EQ(end.ending, End::NOT_RUN);
  EXPECT_THAT(end.reason, HasSubstr("comparer"));
}

TEST_F(VerificationTest, AComparerThatCannotBeConfinedIsOurFault) {
  CompareWith(R"(echo '{"error":"no rights"}'; exit 2)");
  EXPECT_EQ(Verify("0", kOneMachine, [](const auto&) { return Left("1"); }).ending, End::NOT_RUN);
}

TEST_F(VerificationTest, FilesThatCannotBeComparedAreTheRunsFault) {
  CompareWith(R"(echo '{"error":"the file is too large"}'; exit 1)");
  const Ended end = Verify("0", kOneMachine, [](const auto&) { return Left("1"); });
  EXPECT_EQ(end.ending, End::FAILED);
  EXPECT_THAT(end.reason, HasSubstr("too large"));
}

TEST_F(VerificationTest, PredictionsThatWeCouldNotReadBeforeAreNotComparedNow) {
  Original first{.files = ModelWith("1"), .record = RecordOn(kOneMachine)};
  first.record["predictions_unread"] = "killed";
  const Comparer comparer(folder_ / "comparer", cancel_.get());
  const Ended end = Verification({.recipe = recipe_,
                                  .original = first,
                                  .comparer = comparer,
                                  .execute =
                                      [](const auto&) {
                                        Ended left = Left("1");
                                        left.record["predictions"] = {{"count", 1}, {"numbers", {1}}};
                                        return left;
                                      },
                                  .on_step = [](std::string_view) {}})
                        .Run();
  EXPECT_THAT(end.evidence, HasSubstr(R"("class":"B")"));
  EXPECT_THAT(end.evidence, HasSubstr(R"("predictions_unread":"killed")"));
}

}  // namespace
}  // namespace glasscase::working
