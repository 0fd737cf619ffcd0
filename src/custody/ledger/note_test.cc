#include <glasscase/ledger/note.h>

#include <gtest/gtest.h>

#include <glasscase/ledger/checkpoint.h>

namespace glasscase::ledger {
namespace {

// The example of the specification.
constexpr char kExampleKey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

Ed25519Key KeyOf(char letter) { return Ed25519Key::FromSeed(Secret(std::string(32, letter))).value(); }
NoteSigner Signer(std::string_view name, KeyType type = KeyType::kEd25519) {
  return NoteSigner::Make(name, type, KeyOf(name[0])).value();
}

TEST(NoteVerifier, TheSpecificationsKeyIsReadAndWritten) {
  const NoteVerifier verifier = NoteVerifier::Parse(kExampleKey).value();
  EXPECT_EQ(verifier.name(), "example.com/foo");
  EXPECT_EQ(verifier.id(), 0x530d903au);
  EXPECT_EQ(verifier.ToString(), kExampleKey);
}

TEST(NoteVerifier, WhatIsNoKeyIsRefused) {
  const std::string good = kExampleKey;
  for (std::string bad :
       {std::string(), std::string("example.com"), std::string("a+b"), "other.com/foo" + good.substr(15),
        good.substr(0, good.size() - 4), good + "=", "exa mple.com/foo" + good.substr(15)}) {
    EXPECT_FALSE(NoteVerifier::Parse(bad)) << bad;
  }
  EXPECT_FALSE(NoteVerifier::Make("", KeyType::kEd25519, KeyOf('a').public_key()));
  EXPECT_FALSE(NoteVerifier::Make("a+b", KeyType::kEd25519, KeyOf('a').public_key()));
  EXPECT_FALSE(NoteVerifier::Make("a\u00a0b", KeyType::kEd25519, KeyOf('a').public_key()));
  EXPECT_FALSE(NoteVerifier::Make("a\u2028b", KeyType::kEd25519, KeyOf('a').public_key()));
  EXPECT_TRUE(NoteVerifier::Make("\u00fcber.example/log", KeyType::kEd25519, KeyOf('a').public_key()));
}

TEST(NoteSigner, EveryKeyIsReadBackAsWritten) {
  SystemRandom random;
  for (int i = 0; i < 300; ++i) {  // base64 has '+' in it too
    const NoteSigner made =
        NoteSigner::Make("log.example/a", KeyType::kEd25519, Ed25519Key::Generate(random)).value();
    const NoteSigner read = NoteSigner::Parse(made.ToSecret()).value();
    ASSERT_EQ(read.verifier().ToString(), made.verifier().ToString());
    ASSERT_EQ(NoteVerifier::Parse(read.verifier().ToString())->id(), read.verifier().id());
    ASSERT_EQ(read.Sign("x\n"), made.Sign("x\n"));
  }
  for (const char* bad : {"", "PRIVATE+KEY+", "PRIVATE+KEY+a+b", "PRIVATE+KEY+a+00000000+AAAA", "a+b+c"})
    EXPECT_FALSE(NoteSigner::Parse(Secret(bad))) << bad;
}

TEST(NoteSigner, APrivateKeyIsReadBackAsWritten) {
  const std::string text(Signer("log.example").ToSecret().Reveal(RevealToken{}));
  // From golang.org/x/mod/sumdb/note's form: the id is that of the public key.
  EXPECT_TRUE(text.starts_with("PRIVATE+KEY+log.example+")) << text;
  const NoteSigner read = NoteSigner::Parse(Secret(text)).value();
  EXPECT_EQ(read.Sign("text\n"), Signer("log.example").Sign("text\n"));
  for (const std::string& bad : {std::string(), text.substr(1), text.substr(0, text.size() - 4), text + "=",
                                 "PRIVATE+KEY+other.example" + text.substr(text.find("+", 14))}) {
    const auto refused = NoteSigner::Parse(Secret(bad));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().message().find(text.substr(40)), std::string::npos);
  }
}

TEST(Note, IsReadBackAsWritten) {
  const NoteSigner log = Signer("log.example");
  Note note{.text = "log.example\n1\n\u00fcber\n", .signatures = {}};
  note.signatures.push_back(log.Sign(note.text));
  const Note read = Note::Parse(note.ToString()).value();
  EXPECT_EQ(read.text, note.text);
  EXPECT_EQ(read.signatures, note.signatures);
  EXPECT_TRUE(read.IsSignedBy(log.verifier()).value());
  EXPECT_FALSE(read.IsSignedBy(Signer("other.example").verifier()).value());
}

TEST(Note, AWrongSignatureOfAKnownKeyIsAnError) {
  const NoteSigner log = Signer("log.example");
  Note note{.text = "text\n", .signatures = {log.Sign("text\n")}};
  note.text = "other\n";
  EXPECT_EQ(note.IsSignedBy(log.verifier()).error().code(), Code::kPermissionDenied);
}

TEST(Note, TheTextMayContainBlankLines) {
  const NoteSigner log = Signer("log.example");
  const Note note{.text = "one\n\ntwo\n", .signatures = {log.Sign("one\n\ntwo\n")}};
  EXPECT_EQ(Note::Parse(note.ToString())->text, "one\n\ntwo\n");
}

TEST(Note, WhatIsNoNoteIsRefused) {
  const std::string line = Signer("log.example").Sign("text\n").ToLine();
  EXPECT_TRUE(Note::Parse("text\n\n" + line));
  for (const std::string& bad :
       {std::string(), std::string("text\n"), std::string("text\n\n"), "text\n" + line,
        "text\n\n" + line + "x", "te\x01xt\n\n" + line, "te\xffxt\n\n" + line, "text\n\n" + line.substr(3),
        "text\n\n" + line + "\u2014 a b\n", "text\n\n\u2014 " + std::string("a+b AAAAAAAA\n")}) {
    EXPECT_FALSE(Note::Parse(bad)) << bad;
  }
  std::string many = "text\n\n";
  for (size_t i = 0; i <= Note::kSignaturesMax; ++i) many += line;
  EXPECT_FALSE(Note::Parse(many));
}

TEST(Cosignature, SignsTheTime) {
  const NoteSigner witness = Signer("witness.example", KeyType::kEd25519Cosignature);
  Note note{.text = "log\n0\nx\n", .signatures = {}};
  note.signatures.push_back(witness.Sign(note.text, 1'790'000'000));
  uint64_t time = 0;
  EXPECT_TRUE(note.IsSignedBy(witness.verifier(), &time).value());
  EXPECT_EQ(time, 1'790'000'000u);
  for (size_t i = 0; i < note.signatures[0].signature.size(); i += 7) {
    Note changed = note;
    changed.signatures[0].signature[i] = static_cast<char>(changed.signatures[0].signature[i] ^ 1);
    EXPECT_FALSE(changed.IsSignedBy(witness.verifier())) << i;
  }
  // The same key under another type is another key.
  EXPECT_NE(witness.verifier().id(), Signer("witness.example").verifier().id());
}

TEST(CheckpointTest, IsReadBackAsWritten) {
  const Checkpoint checkpoint{
      .origin = "log.example", .size = 12345, .root = HashLeaf({}), .extensions = {"x y"}};
  EXPECT_EQ(Checkpoint::Parse(checkpoint.ToString()).value(), checkpoint);
  EXPECT_EQ((Checkpoint{.origin = "o", .size = 0, .root = EmptyRoot()}.ToString()),
            "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
}

TEST(CheckpointTest, OtherSpellingsAreRefused) {
  const std::string root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  EXPECT_TRUE(Checkpoint::Parse("o\n7\n" + root));
  for (const std::string& bad :
       {std::string(), "o\n7\n" + root.substr(0, 40), "\n7\n" + root, "o\n07\n" + root, "o\n+7\n" + root,
        "o\n-7\n" + root, "o\n\n" + root, "o\n9223372036854775808\n" + root, "o\n7\n" + root + "\n",
        "o\n7\n" + root.substr(4),
        std::string("o\n0\n") + "97DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"}) {
    EXPECT_FALSE(Checkpoint::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace glasscase::ledger
