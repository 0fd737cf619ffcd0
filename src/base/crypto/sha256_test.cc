#include <glasscase/crypto/sha256.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

// FIPS 180-4 examples (NIST CSRC, "SHA256.pdf") and the empty message.
struct Vector {
  std::string message;
  const char* digest;
};

const Vector kVectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrs"
     "tnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

TEST(Sha256Test, AgreesWithThePublishedVectors) {
  for (const Vector& v : kVectors) EXPECT_EQ(ToHex(Sha256(AsBytes(v.message))), v.digest);
}

TEST(Sha256Test, TwoPartsHashAsOneWhereverTheCutIs) {
  const std::string& message = kVectors[3].message;
  for (size_t cut = 0; cut <= message.size(); ++cut) {
    EXPECT_EQ(ToHex(Sha256(AsBytes(message).first(cut), AsBytes(message).subspan(cut))), kVectors[3].digest);
  }
}

TEST(Sha256Test, StreamedInPiecesGivesTheSameAndStartsAnew) {
  Sha256Stream stream;
  for (int round = 0; round < 2; ++round) {
    const std::string piece(997, 'a');
    for (size_t sent = 0; sent < 1'000'000;) {
      const size_t now = std::min<size_t>(piece.size(), 1'000'000 - sent);
      stream.Update(AsBytes(piece).first(now));
      sent += now;
    }
    EXPECT_EQ(ToHex(stream.Finish()), kVectors[4].digest);
  }
}

TEST(Sha256Test, SaysWhichInstructionsItRanOn) {
  std::printf("SHA instructions: %s\n", CpuHasShaInstructions() ? "yes" : "no");
}

}  // namespace
}  // namespace glasscase
