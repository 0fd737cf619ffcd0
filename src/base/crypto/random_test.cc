#include <glasscase/crypto/random.h>

#include <array>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

TEST(SystemRandomTest, FillsEveryByteAndNeverRepeats) {
  SystemRandom random;
  std::set<std::array<uint8_t, 16>> seen;
  std::array<bool, 16> changed{};
  for (int i = 0; i < 1000; ++i) {
    std::array<uint8_t, 16> bytes{};
    random.Fill(bytes);
    for (size_t k = 0; k < bytes.size(); ++k) changed[k] = changed[k] || bytes[k] != 0;
    EXPECT_TRUE(seen.insert(bytes).second);
  }
  for (const bool c : changed) EXPECT_TRUE(c);
}

TEST(SystemRandomTest, FillsMoreThanOneSystemCallGives) {
  SystemRandom random;
  std::vector<uint8_t> bytes(1 << 20);
  random.Fill(bytes);
  EXPECT_NE(std::vector<uint8_t>(256), std::vector<uint8_t>(bytes.end() - 256, bytes.end()));
}

TEST(SystemRandomTest, NothingToFillIsFine) { SystemRandom().Fill({}); }

}  // namespace
}  // namespace glasscase
