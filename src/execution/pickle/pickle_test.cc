#include <glasscase/pickle/names.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace glasscase::pickle {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Found(const std::string& bytes) {
  std::vector<std::string> texts;
  for (const Name& name : ReadNames(AsBytes(bytes)).names)
    texts.push_back(name.Text() + (name.called ? "()" : ""));
  return texts;
}
std::vector<std::string> Problems(const std::string& bytes) { return ReadNames(AsBytes(bytes)).problems; }

TEST(PickleNames, AFunctionThatIsCalledIsNamed) {
  EXPECT_THAT(Found("cos\nsystem\n(S'true'\ntR."), ElementsAre("os.system()"));
  EXPECT_THAT(Found("\x80\x02"s + "cposix\nsystem\nX\x04\0\0\0true\x85R."s), ElementsAre("posix.system()"));
  EXPECT_THAT(Found("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."s), ElementsAre("os.system()"));
}

TEST(PickleNames, AnObjectAndAClassThatOnlyIsMentionedAreNamed) {
  EXPECT_THAT(Found("(S'true'\nios\nsystem\n."), ElementsAre("os.system()"));
  EXPECT_THAT(Found("(cos\nsystem\nS'true'\no."), ElementsAre("os.system()"));
  EXPECT_THAT(Found("\x80\x02"s + "cos\npath\n}b."s), ElementsAre("os.path()"));
  EXPECT_THAT(Found("\x80\x02"s + "cos\npath\n."s), ElementsAre("os.path"));
  EXPECT_THAT(Found("\x80\x02\x82\x07)R."s), ElementsAre("copyreg.extension 7()"));
}

TEST(PickleNames, TextsAreFollowedThroughTheMemo) {
  EXPECT_THAT(Found("\x80\x04\x8c\x06system\x94\x30\x8c\x02os\x94\x30h\1h\0\x93)R."s),
              ElementsAre("os.system()"));
  EXPECT_THAT(Found("\x80\x04\x8c\x06systemq\x09\x30\x8c\x02os\x94\x30h\1h\x09\x93)R."s),
              ElementsAre("os.system()"))
      << "MEMOIZE takes the number of what is kept";
}

TEST(PickleNames, EscapesInOldTextsAreReadAsPythonReadsThem) {
  EXPECT_THAT(Found("\x80\x04S'o\\x73'\nV\\u0073ystem\n\x93)R."s), ElementsAre("os.system()"));
  EXPECT_THAT(Found("\x80\x04S'\\157s'\nVa\\\\u0062\n\x93."s), ElementsAre("os.a\\\\u0062"));
}

TEST(PickleNames, ANameThatIsPutTogetherIsNotPassedOver) {
  EXPECT_THAT(Found("\x80\x04\x8c\x03"s + "abc\x8c\x02os\x85\x8c\x06system\x93)R."s),
              ElementsAre("computed.system()"));
}

TEST(PickleNames, WhatIsFoundBeforeAPickleBreaksIsKept) {
  const std::string broken = "\x80\x02"s + "cos\nsystem\n)R\xff"s;
  EXPECT_THAT(Found(broken), ElementsAre("os.system()"));
  EXPECT_THAT(Problems(broken), ElementsAre(HasSubstr("is no opcode")));
}

TEST(PickleNames, HostileLengthsAndPlacesEnd) {
  EXPECT_THAT(Problems("\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff"s), ElementsAre("it is cut off"));
  EXPECT_THAT(Problems("\x80\x04Nr\xff\xff\xff\xff."s), ElementsAre(HasSubstr("memo has too many places")));
  EXPECT_THAT(Problems("\x80\x04R."s), ElementsAre(HasSubstr("more than there is")));
  EXPECT_THAT(Problems("\x80\x04h\1."s), ElementsAre(HasSubstr("is not there")));
  EXPECT_THAT(Problems("\x80\x04("s + std::string(10'000'000, 'N')),
              ElementsAre(HasSubstr("too many values")));
  EXPECT_THAT(Problems("\x80\x04"s + std::string(10'000'000, '(')), ElementsAre(HasSubstr("nests too deep")));
  EXPECT_THAT(Problems("\x80\x04"s + "cos\nsyst"s), ElementsAre("it is cut off"));
}

TEST(PickleNames, SeveralPicklesInOneFileAreAllRead) {
  EXPECT_THAT(Found("\x80\x02N.\x80\x02"s + "cos\nsystem\n."s), ElementsAre("os.system"));
  const std::string torch = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  EXPECT_THAT(Found(torch + "K\1.}." + "cos\nsystem\n." + "]." + std::string(8, '\0')),
              ElementsAre("os.system"))
      << "what torch.save wrote before archives: later pickles need no magic bytes";
}

TEST(PickleNames, OtherFilesHoldNone) {
  for (const std::string& text : {""s, "tree\nversion=v4\n"s, "{\"learner\":{}}"s, "\x08\x09"s, "hello"s}) {
    EXPECT_FALSE(IsPickle(AsBytes(text))) << text;
    EXPECT_THAT(Found(text), IsEmpty());
  }
  EXPECT_TRUE(IsPickle(AsBytes("(dp0\n."s)));
}

TEST(PickleNames, AnArchiveIsReadByItsDirectory) {
  EXPECT_THAT(Problems("PK\3\4"s + std::string(100, '\0')), ElementsAre(HasSubstr("no directory")));
  EXPECT_THAT(Problems("PK\3\4PK\5\6"s + std::string(6, '\0') + "\xff\xff"s + std::string(10, '\xff')),
              ElementsAre(HasSubstr("no directory")));
}

TEST(PickleNames, TheListIsCutForPeople) {
  Names names;
  for (const char* attribute : {"a", "b", "c"})
    names.names.push_back({.module = "m", .attribute = attribute});
  EXPECT_EQ(names.Text(), "m.a, m.b and m.c");
  EXPECT_EQ(names.Text(1), "m.a and 2 more");
  names.names.resize(1);
  names.names[0].attribute = "x\n";
  EXPECT_EQ(names.Text().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace glasscase::pickle
