// Cards, licences, tags and free fields: changed by their owner, and written into the ledger.
#include <gmock/gmock.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DetailsTest : public OperationsTest {
 protected:
  using Adjust = std::function<void(rpc::EditModelRequest&)>;
  static rpc::Request Edit(const Adjust& adjust, std::string_view model = "data") {
    rpc::Request request;
    request.mutable_edit_model()->set_model(std::string(model));
    adjust(*request.mutable_edit_model());
    return request;
  }
  static void SetField(google::protobuf::RepeatedPtrField<rpc::Field>& fields, std::string_view key,
                       std::string_view value) {
    rpc::Field& field = *fields.Add();
    field.set_key(std::string(key));
    field.set_value(std::string(value));
  }
  static std::string FieldsOf(const google::protobuf::RepeatedPtrField<rpc::Field>& fields) {
    std::string text;
    for (const rpc::Field& field : fields) text += field.key() + "=" + field.value() + ";";
    return text;
  }
};

TEST_F(DetailsTest, WhatIsPublishedIsShownAndWhatIsEditedTakesItsPlace) {
  Keep(root, "data", {{"f", "1"}}, [](rpc::PublishRequest& request) {
    request.set_licence("MIT");
    request.add_tags("small");
    request.add_tags("small");
    SetField(*request.mutable_fields(), "rows", "5");
  });
  Do(root, Edit([](auto& edit) {
       edit.set_card("# Asset\n");
       edit.set_licence("CC0-1.0");
       edit.add_tag("images");
       edit.add_untag("small");
       SetField(*edit.mutable_field(), "site", "north");
       SetField(*edit.mutable_field(), "age", "3");
     }));
  rpc::Model shown = Do(root, ShowModel("data")).model();
  EXPECT_EQ(shown.card(), "# Asset\n");
  EXPECT_EQ(shown.licence(), "CC0-1.0");
  EXPECT_THAT(shown.tags(), ElementsAre("images"));
  EXPECT_EQ(FieldsOf(shown.fields()), "age=3;site=north;");
  EXPECT_EQ(FieldsOf(shown.versions(0).fields()), "rows=5;");
  Do(root, Edit([](auto& edit) {
       edit.set_card("");
       edit.set_licence("");
       edit.add_unfield("age");
       SetField(*edit.mutable_field(), "site", "south");
     }));
  shown = Do(root, ShowModel("data")).model();
  EXPECT_EQ(shown.card(), "# Iris") << "that of the version";
  EXPECT_EQ(shown.licence(), "");
  EXPECT_EQ(FieldsOf(shown.fields()), "site=south;");
}

TEST_F(DetailsTest, EveryChangeIsAnEntryThatHidesWhatItSays) {
  Keep(root, "data", {{"f", "1"}});
  EXPECT_THAT(EntryTypes("data"), ElementsAre("registered", "version"));
  Do(root, Edit([](auto& edit) { edit.add_tag("images"); }));
  Do(root, Edit([](auto& edit) { edit.add_tag("images"); }));  // nothing new
  std::string last;
  EXPECT_THAT(EntryTypes("data", &last), ElementsAre("registered", "version", "card"));
  EXPECT_THAT(last, HasSubstr(R"("hidden":{"tags":")"));
  EXPECT_THAT(last, Not(HasSubstr("images")));
  Keep(root, "data", {{"f", "2"}}, [](rpc::PublishRequest& request) {
    request.set_licence("MIT");
    SetField(*request.mutable_fields(), "rows", "5");
  });
  EXPECT_THAT(EntryTypes("data", &last), ElementsAre("registered", "version", "card", "card", "version"));
  EXPECT_THAT(last, HasSubstr(R"("hidden":{"fields":")"));
}

TEST_F(DetailsTest, WhatCannotBeSaidIsRefusedWithTheLimit) {
  Keep(root, "data", {{"f", "1"}});
  const std::string long_text(600, 'x');
  const std::pair<Adjust, const char*> wrong[] = {
      {[](auto& edit) { edit.set_card(std::string((size_t{256} << 10) + 1, 'x')); }, "256 KiB"},
      {[](auto& edit) { edit.set_card(std::string("a\0b", 3)); }, "UTF-8"},
      {[&](auto& edit) { edit.set_licence(long_text); }, "200 bytes"},
      {[](auto& edit) { edit.add_tag("a\x1b[31mred"); }, "control characters"},
      {[](auto& edit) { edit.add_tag("a\nb"); }, "control characters"},
      {[](auto& edit) { edit.add_tag(""); }, "empty"},
      {[](auto& edit) { edit.add_untag("none"); }, "no tag"},
      {[](auto& edit) { edit.add_unfield("none"); }, "no field"},
      {[](auto& edit) { SetField(*edit.mutable_field(), "a=b", "c"); }, "no \"=\""},
      {[](auto& edit) { SetField(*edit.mutable_field(), "", "c"); }, "at least one character"},
      {[](auto& edit) { SetField(*edit.mutable_field(), "a", "b\tc"); }, "control characters"},
      {[&](auto& edit) { SetField(*edit.mutable_field(), long_text, "b"); }, "64 bytes"},
      {[&](auto& edit) { SetField(*edit.mutable_field(), "a", long_text); }, "500 bytes"},
      {[](auto& edit) {
         for (int i = 0; i < 65; ++i) edit.add_tag(std::to_string(i));
       },
       "at most 64"},
      {[](auto& edit) {
         for (int i = 0; i < 65; ++i) SetField(*edit.mutable_field(), std::to_string(i), "x");
       },
       "at most 64"},
  };
  for (const auto& [adjust, word] : wrong) {
    const rpc::Response answer = Ask(root, Edit(adjust));
    EXPECT_NE(answer.code(), 0u) << word;
    EXPECT_THAT(answer.message(), HasSubstr(word));
  }
  EXPECT_THAT(EntryTypes("data"), ElementsAre("registered", "version"));
}

TEST_F(DetailsTest, TheOwnerAloneEditsAndNeverAVersion) {
  Keep(root, "data", {{"f", "1"}});
  const std::string bob = Enrol(root, "bob", "owner");
  Do(root, GrantTake("bob", "data"));
  const Adjust tag = [](auto& edit) { edit.add_tag("mine"); };
  EXPECT_EQ(CodeOf(Ask(bob, Edit(tag, "teacher/data"))), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(*public_edge, root, Edit(tag))), Code::kPermissionDenied);
  EXPECT_THAT(Ask(root, Edit(tag, "data@1")).message(), HasSubstr("stays as it is"));
}

}  // namespace
}  // namespace glasscase::operations::testing
