#include "progress.h"

#include <string>

#include <gtest/gtest.h>

namespace glasscase::working {
namespace {

std::string Told(const std::vector<std::string>& pieces) {
  std::string told;
  ProgressReader reader([&](double fraction, std::string_view text) {
    told += std::to_string(static_cast<int>(fraction * 100)) + ":" + std::string(text) + ";";
  });
  for (const std::string& piece : pieces) reader.Take(piece);
  return told;
}

TEST(ProgressReader, ReadsLinesInPieces) {
  EXPECT_EQ(Told({"epoch 1\nprog", "ress 0.25 epoch 1 of 4\nprogress 1", "\n"}), "25:epoch 1 of 4;100:;");
}

TEST(ProgressReader, WhatIsNoProgressIsPassedOver) {
  for (const char* line : {"progress\n", "progress x\n", "progress 2 y\n", "progress -1\n", "progress nan\n",
                           "progress 0.5x\n", " progress 0.5\n", "in progress 0.5\n"})
    EXPECT_EQ(Told({line}), "") << line;
  EXPECT_EQ(Told({"progress 0.5 " + std::string(1'000, 'x') + "\nprogress 1 y\n"}), "100:y;");
}

TEST(ProgressReader, WhatIsToldIsText) {
  EXPECT_EQ(Told({"progress 0.5 \xff\xfe\n"}), "50:\\xff\\xfe;");
  const std::string umlauts = std::string(199, 'x') + "\xc3\xbc";  // the last is cut off whole
  EXPECT_EQ(Told({"progress 0.5 " + umlauts + "\n"}), "50:" + std::string(199, 'x') + ";");
}

TEST(ProgressReader, OfSeveralAtOnceTheLastIsTold) {
  EXPECT_EQ(Told({"progress 0.1 a\nprogress 0.5 b\nx\n", "progress 1 c\n"}), "50:b;100:c;");
}

}  // namespace
}  // namespace glasscase::working
