#include <glasscase/ledger/disclosure.h>

#include <gtest/gtest.h>

#include <glasscase/core/bytes.h>

namespace glasscase::ledger {
namespace {

constexpr char kDigest[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

class DisclosureTest : public ::testing::Test {
 protected:
  std::string Hidden(std::string_view name, std::string_view value, uint8_t salt) const {
    return "\"" + std::string(name) + "\":\"" + ToBase64(Commitment(Salt{salt}, name, value)) + "\"";
  }
  // What a version of a model that was trained on a dataset gets.
  std::string Entry() const {
    return R"({"also":["00000000-0000-0000-0000-000000000003"],"asset":"00000000-0000-0000-0000-000000000001",)"
           R"("at":1790000000000000,"hidden":{)" +
           Hidden("label", "1", 1) + "," + Hidden("name", "ada/digits", 2) + "," +
           Hidden("sha256", kDigest, 3) +
           R"(},"lineage":[{"by":"claimed","relation":"trained_on","version":"00000000-0000-0000-0000-000000000004"}],)"
           R"("type":"version","v":1,"version":"00000000-0000-0000-0000-000000000002"})";
  }
  Disclosure Made() const {
    return {
        .entry = Entry(),
        .fields = {
            {"label", {Salt{1}, "1"}}, {"name", {Salt{2}, "ada/digits"}}, {"sha256", {Salt{3}, kDigest}}}};
  }
  static void ExpectSame(const Disclosure& a, const Disclosure& b) {
    EXPECT_EQ(a.entry, b.entry);
    ASSERT_EQ(a.fields.size(), b.fields.size());
    for (const auto& [name, field] : a.fields) {
      EXPECT_EQ(b.fields.at(name).value, field.value) << name;
      EXPECT_EQ(b.fields.at(name).salt, field.salt) << name;
    }
  }
};

TEST_F(DisclosureTest, FieldsAreThoseThatTheEntryCommitsTo) {
  const Disclosure read = Disclosure::Parse(Made().ToString().value()).value();
  ExpectSame(read, Made());
  EXPECT_EQ(ReadEntryHead(read.entry)->type, "version");
  EXPECT_EQ(ReadEntryHead(read.entry)->at_micros, 1'790'000'000'000'000);
}

TEST_F(DisclosureTest, AVersionWithItsLineageIsShort) {
  EXPECT_LE(Made().ToString()->size(), 200u);  // of 468 for the entry alone
}

TEST_F(DisclosureTest, WhatIsNotDisclosedStaysHidden) {
  for (const char* name : {"label", "name", "sha256"}) {
    Disclosure some = Made();
    some.fields.erase(name);
    ExpectSame(Disclosure::Parse(some.ToString().value()).value(), some);
    EXPECT_EQ(some.ToString()->find("\"" + std::string(name) + "\":\"\3"), std::string::npos);
  }
  const Disclosure none{.entry = Entry(), .fields = {}};
  ExpectSame(Disclosure::Parse(none.ToString().value()).value(), none);
}

TEST_F(DisclosureTest, EntriesOfEveryShapeAreReadBack) {
  for (const std::string entry :
       {R"({})", R"({"a":"\"\\\u0001ß","b":[1,"00000000-0000-0000-0000-00000000000A"]})",
        R"({"type":"card","v":1})",
        R"({"\"":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"})"}) {
    const Disclosure made{.entry = entry, .fields = {}};
    ExpectSame(Disclosure::Parse(made.ToString().value()).value(), made);
  }
  const std::string strange = "\"}\n{\\ ß";
  const Disclosure made{.entry = "{\"hidden\":{" + Hidden("name", strange, 9) + "}}",
                        .fields = {{"name", {Salt{9}, strange}}}};
  ExpectSame(Disclosure::Parse(made.ToString().value()).value(), made);
}

TEST_F(DisclosureTest, NoByteOfTheShortFormCanBeAlteredUnseen) {
  const std::string written = Made().ToString().value();
  for (size_t i = 0; i < written.size(); ++i) {
    for (const int mask : {1, 4, 128}) {
      std::string changed = written;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      const auto read = Disclosure::Parse(changed);
      EXPECT_FALSE(read && read->entry == Entry()) << i;
    }
    EXPECT_FALSE(Disclosure::Parse(written.substr(0, i))) << i;
  }
  EXPECT_FALSE(Disclosure::Parse(written + "x"));
}

TEST_F(DisclosureTest, AFieldThatTheEntryDoesNotCommitToIsNotWritten) {
  Disclosure wrong = Made();
  wrong.fields["name"].value = "eve/digits";
  EXPECT_EQ(wrong.ToString().error().code(), Code::kFailedPrecondition);
}

TEST_F(DisclosureTest, AShortTextThatGrowsWithoutBoundIsRefused) {
  const std::string grows = "\2" + std::string(100'000, '\5') + '\0';
  EXPECT_EQ(Disclosure::Parse(grows).error().code(), Code::kInvalidArgument);
}

// ---- form 1, which the first receipts have ----

std::string Form1(const std::string& entry, const std::string& name, uint8_t salt, const std::string& value) {
  std::string escaped;
  for (const char c : entry) escaped += c == '"' ? "\\\"" : std::string(1, c);
  return R"({"disclosed":{")" + name + R"(":{"salt":")" + ToBase64(Salt{salt}) + R"(","value":")" + value +
         R"("}},"entry":")" + escaped + R"("})";
}

TEST_F(DisclosureTest, TheFirstFormIsStillRead) {
  const Disclosure read = Disclosure::Parse(Form1(Entry(), "name", 2, "ada/digits")).value();
  ExpectSame(read, {.entry = Entry(), .fields = {{"name", {Salt{2}, "ada/digits"}}}});
}

TEST_F(DisclosureTest, AnAlteredFieldOfTheFirstFormIsNamed) {
  for (const auto& [name, altered] :
       std::map<std::string, std::string>{{"name", Form1(Entry(), "name", 2, "eve/digits")},
                                          {"sha256", Form1(Entry(), "sha256", 1, kDigest)},
                                          {"licence", Form1(Entry(), "licence", 1, "x")}}) {
    const auto parsed = Disclosure::Parse(altered);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), Code::kFailedPrecondition);
    EXPECT_NE(parsed.error().message().find(name), std::string::npos);
  }
}

TEST_F(DisclosureTest, WhatIsNoDisclosureIsRefused) {
  for (const char* bad :
       {"", "{}", "[]", R"({"disclosed":{},"entry":"x"})", R"({"disclosed":{},"entry":"{}","x":1})",
        R"({"disclosed":{"a":1},"entry":"{}"})", R"({"disclosed":[],"entry":"{}"})",
        R"({"disclosed":{"a":{"salt":"AA==","value":"x"}},"entry":"{}"})",
        R"({"entry":"{}", "disclosed":{}})", "\2", "\2{}\n{}"}) {
    EXPECT_EQ(Disclosure::Parse(bad).error().code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(ReadEntryHead("{}"));
}

}  // namespace
}  // namespace glasscase::ledger
