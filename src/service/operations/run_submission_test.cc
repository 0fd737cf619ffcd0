// Many runs at once.
#include <gmock/gmock.h>

#include "run_bench_test.h"
#include "run_desk.h"

namespace glasscase::operations::testing {
namespace {

using QueuedRun = catalog::Run;
using catalog::RunState;
using ::testing::HasSubstr;

class RunSubmissionTest : public RunBench {
 protected:
  static rpc::RunSubmission Submission(const std::string& recipe, uint32_t seeds = 0,
                                       const std::string& version = "") {
    rpc::RunSubmission one;
    one.set_model("model");
    one.set_recipe(recipe);
    one.set_version(version);
    for (uint32_t seed = 1; seed <= seeds; ++seed) one.add_seeds(seed);
    return one;
  }
  rpc::Response Submit(const std::vector<rpc::RunSubmission>& submissions) {
    rpc::Request request;
    request.mutable_submit_runs();
    for (const rpc::RunSubmission& one : submissions) *request.mutable_submit_runs()->add_runs() = one;
    return Ask(root, request);
  }
  size_t Queued() { return catalog->ListRuns({.limit = 20'000}).value().size(); }
};

TEST_F(RunSubmissionTest, EachSeedIsARunAndAVersionOfItsLabel) {
  StartWorker();
  worker->succeeds_at_once = true;
  const auto answer =
      Submit({Submission(RecipeFor("code"), 3, "seed-{seed}"), Submission(RecipeFor("code"))});
  ASSERT_EQ(answer.code(), 0u) << answer.message();
  ASSERT_EQ(answer.submitted_runs().runs_size(), 4);
  const rpc::QueuedRun& third = answer.submitted_runs().runs(2);
  EXPECT_EQ(third.version(), "seed-3");
  EXPECT_EQ(third.seed(), 3u);
  EXPECT_EQ(third.model(), "teacher/model");
  const QueuedRun run = catalog->FindRun(Uuid::Parse(third.id()).value()).value().value();
  EXPECT_THAT(run.recipe, HasSubstr("\"seed\":3"));
  EXPECT_EQ(ToHex(run.recipe_sha256), third.recipe_sha256());
  for (const rpc::QueuedRun& one : answer.submitted_runs().runs())
    ASSERT_TRUE(Becomes(std::string(Uuid::Parse(one.id()).value().AsBytes()), RunState::kSucceeded));
  std::vector<std::string> labels;
  const auto shown = Do(root, ShowModel("model"));
  for (const auto& version : shown.model().versions()) labels.push_back(version.version());
  EXPECT_THAT(labels, ::testing::UnorderedElementsAre("seed-1", "seed-2", "seed-3", "1"));
}

TEST_F(RunSubmissionTest, AllAreQueuedOrNone) {
  StartWorker(0);
  const auto refused = [&](const std::vector<rpc::RunSubmission>& runs, const std::string& words) {
    const auto answer = Submit(runs);
    EXPECT_THAT(answer.message(), HasSubstr(words));
    EXPECT_NE(answer.code(), 0u);
    EXPECT_EQ(Queued(), 0u);
    EXPECT_EQ(CodeOf(Ask(root, ShowModel("model"))), Code::kNotFound);
  };
  const std::string good = RecipeFor("code");
  refused({}, "at least one");
  refused({Submission(good, 5), Submission(RecipeFor("nowhere"))}, "runs[1]: recipe.code");
  refused({Submission(good, 5, "best")}, "version best of model is taken");
  refused({Submission(good, 0, "best"), Submission(good, 0, "best")}, "runs[1]: version best");
  refused({Submission(good, 1'001)}, "at most 1000 runs");
  refused({Submission(good, 999), Submission(good), Submission(good)}, "runs[2]: at most 1000 runs");
  auto twice = Submission(good, 2);
  twice.add_seeds(1);
  refused({twice}, "seeds has 1 twice");
  auto urgent = Submission(good);
  urgent.set_priority(INT64_MIN);
  refused({urgent}, "priority");
}

TEST_F(RunSubmissionTest, OneOwnersOpenRunsAreLimited) {
  StartWorker(0);
  for (uint32_t i = 0; i < RunDesk::kOpenRunsMax / 1'000; ++i)
    ASSERT_EQ(Submit({Submission(RecipeFor("code"), i == 0 ? 999 : 1'000)}).code(), 0u);
  EXPECT_EQ(CodeOf(Submit({Submission(RecipeFor("code"), 2)})), Code::kResourceExhausted);
  EXPECT_EQ(Submit({Submission(RecipeFor("code"))}).code(), 0u);
  EXPECT_EQ(CodeOf(Ask(root, SubmitRequest("model", RecipeFor("code")))), Code::kResourceExhausted);
  EXPECT_EQ(Queued(), RunDesk::kOpenRunsMax);
}

}  // namespace
}  // namespace glasscase::operations::testing
