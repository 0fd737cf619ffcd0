// Lists and search: what is found, by whom, page by page.
#include <gmock/gmock.h>

#include <glasscase/crypto/sha256.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SearchingTest : public OperationsTest {
 protected:
  using Adjust = std::function<void(rpc::ListModelsRequest&)>;
  static rpc::Request List(const Adjust& adjust = {}) {
    rpc::Request request;
    request.mutable_list_models();
    if (adjust) adjust(*request.mutable_list_models());
    return request;
  }
  std::vector<std::string> Names(std::string_view token, const Adjust& adjust = {}) {
    std::vector<std::string> names;
    const rpc::Response answer = Do(token, List(adjust));
    for (const rpc::Model& model : answer.models().models()) names.push_back(model.name());
    return names;
  }
  static std::string Sha(std::string_view text) { return ToHex(Sha256(AsBytes(text))); }
};

TEST_F(SearchingTest, EveryConditionFindsItsAssets) {
  Keep(root, "digits-data", {{"d.csv", "rows"}}, [](rpc::PublishRequest& request) {
    request.set_media_type("text/csv");
    request.set_licence("CC0-1.0");
    request.add_tags("Images");
    rpc::Field& field = *request.add_fields();
    field.set_key("rows");
    field.set_value("1797");
  });
  const rpc::Response model =
      Keep(root, "digits-torch", {{"m.pt", "weights"}}, [](rpc::PublishRequest& request) {
        request.set_kind("model");
        MadeFrom(request, "digits-data", "trained_on");
      });
  ASSERT_EQ(model.code(), 0u) << model.message();
  EXPECT_THAT(Names(root), ElementsAre("teacher/digits-data", "teacher/digits-torch"));
  EXPECT_THAT(Names(root, [](auto& q) { q.set_kind("dataset"); }), ElementsAre("teacher/digits-data"));
  EXPECT_THAT(Names(root, [](auto& q) { q.set_name("TORCH"); }), ElementsAre("teacher/digits-torch"));
  EXPECT_THAT(Names(root, [](auto& q) { q.add_tag("images"); }), ElementsAre("teacher/digits-data"));
  EXPECT_THAT(Names(root, [](auto& q) { q.set_licence("cc0-1.0"); }), ElementsAre("teacher/digits-data"));
  EXPECT_THAT(Names(root, [](auto& q) { q.set_media_type("text/CSV"); }), ElementsAre("teacher/digits-data"));
  EXPECT_THAT(Names(root, [](auto& q) { q.add_field("Rows=1797"); }), ElementsAre("teacher/digits-data"));
  EXPECT_THAT(Names(root, [](auto& q) { q.set_digest(Sha("weights")); }),
              ElementsAre("teacher/digits-torch"));
  for (const std::string ancestor : {"digits-data", "digits-data@1", "teacher/digits-data"})
    EXPECT_THAT(Names(root, [&](auto& q) { q.set_ancestor(ancestor); }), ElementsAre("teacher/digits-torch"));
}

TEST_F(SearchingTest, WrongConditionsAreNamed) {
  const std::pair<Adjust, const char*> wrong[] = {
      {[](auto& q) { q.set_kind("song"); }, "kind must be"},
      {[](auto& q) { q.set_digest("12"); }, "digest"},
      {[](auto& q) { q.set_after("first"); }, "after"},
      {[](auto& q) { q.set_limit("0"); }, "limit must be"},
      {[](auto& q) { q.set_limit("501"); }, "limit must be"},
      {[](auto& q) { q.set_limit("many"); }, "limit must be"},
      {[](auto& q) { q.add_field("rows"); }, "key=value"},
      {[](auto& q) { q.set_after(Uuid::Random().ToString()); }, "after: no page ended"},
  };
  for (const auto& [adjust, word] : wrong) {
    const rpc::Response answer = Ask(root, List(adjust));
    EXPECT_EQ(CodeOf(answer), Code::kInvalidArgument);
    EXPECT_THAT(answer.message(), HasSubstr(word));
  }
  EXPECT_EQ(CodeOf(Ask(root, List([](auto& q) { q.set_ancestor("nothing"); }))), Code::kNotFound);
}

TEST_F(SearchingTest, PagesFollowEachOther) {
  for (const char* name : {"a-1", "a-2", "a-3"}) Keep(root, name, {{"f", name}});
  const rpc::Response first = Do(root, List([](auto& q) { q.set_limit("2"); }));
  ASSERT_EQ(first.models().models_size(), 2);
  ASSERT_FALSE(first.models().next().empty());
  Keep(root, "a-4", {{"f", "new"}});
  const auto rest = [&](auto& q) { q.set_after(first.models().next()); };
  EXPECT_THAT(Names(root, rest), ElementsAre("teacher/a-3", "teacher/a-4"));
  EXPECT_TRUE(Do(root, List(rest)).models().next().empty());
}

TEST_F(SearchingTest, OthersFindWhatTheyWereGrantedAndNothingElse) {
  Keep(root, "first", {{"f", "1"}});
  Keep(root, "second", {{"f", "2"}});
  const std::string ada = Enrol(root, "ada");
  EXPECT_THAT(Names(ada), IsEmpty());
  Do(root, GrantTake("ada", "first"));
  EXPECT_THAT(Names(ada), ElementsAre("teacher/first"));
  EXPECT_THAT(Names(ada, [](auto& q) { q.set_digest(Sha("2")); }), IsEmpty());
  const std::string bob = Enrol(root, "bob", "owner");
  EXPECT_THAT(Names(bob), IsEmpty());
  EXPECT_EQ(CodeOf(Ask(bob, List([](auto& q) { q.set_ancestor("teacher/first"); }))), Code::kNotFound);
}

// A learner with a grant on version 1 must not learn by asking what the other versions are.
TEST_F(SearchingTest, VersionsThatAreNotGrantedAreNotFoundOut) {
  Keep(root, "source", {{"f", "s"}});
  Keep(root, "asset", {{"f", "one"}},
       [](rpc::PublishRequest& request) { request.set_media_type("text/plain"); });
  Keep(root, "asset", {{"f", "two"}}, [](rpc::PublishRequest& request) {
    request.set_media_type("text/csv");
    MadeFrom(request, "source");
    rpc::Field& field = *request.add_fields();
    field.set_key("secret");
    field.set_value("yes");
  });
  const std::string ada = Enrol(root, "ada");
  Do(root, GrantTake("ada", "asset@1"));
  const std::string source = Do(root, ShowModel("source")).model().id();
  const Adjust about_two[] = {
      [](auto& q) { q.set_digest(Sha("two")); },
      [](auto& q) { q.set_media_type("text/csv"); },
      [](auto& q) { q.add_field("secret=yes"); },
      [&](auto& q) { q.set_ancestor(source); },
  };
  for (const Adjust& adjust : about_two) {
    EXPECT_THAT(Names(root, adjust), ElementsAre("teacher/asset"));
    EXPECT_THAT(Names(ada, adjust), IsEmpty());
  }
  EXPECT_THAT(Names(ada, [](auto& q) { q.set_digest(Sha("one")); }), ElementsAre("teacher/asset"));
  Do(root, GrantTake("ada", "asset@2"));
  for (const Adjust& adjust : about_two) EXPECT_THAT(Names(ada, adjust), ElementsAre("teacher/asset"));
}

TEST_F(SearchingTest, ShortNamesAreThoseThatTheCallerSees) {
  Keep(root, "data", {{"f", "1"}});
  const std::string bob = Enrol(root, "bob", "owner");
  EXPECT_EQ(CodeOf(Ask(bob, ShowModel("data"))), Code::kNotFound);
  Keep(bob, "data", {{"f", "2"}});
  EXPECT_EQ(Do(bob, ShowModel("data")).model().name(), "bob/data");
  EXPECT_THAT(Ask(root, ShowModel("data")).message(), HasSubstr("teacher/data, bob/data"));
}

}  // namespace
}  // namespace glasscase::operations::testing
