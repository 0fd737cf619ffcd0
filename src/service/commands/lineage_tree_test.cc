#include "lineage_tree.h"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

boost::json::value Graph(std::string_view text) {
  return boost::json::parse(boost::json::string_view(text.data(), text.size()));
}

constexpr char kGraph[] = R"({"version": "t", "nodes": [
  {"version": "t", "name": "ada/tuned@1", "state": "published", "more_parents": 0, "more_children": 8},
  {"version": "b", "name": "ada/base@1", "state": "retired", "more_parents": 0, "more_children": 0},
  {"version": "d", "name": "ada/data@1", "state": "published", "more_parents": 0, "more_children": 0},
  {"version": "s", "name": "", "state": "", "more_parents": 0, "more_children": 0},
  {"version": "r", "name": "ada/release@1", "state": "published", "more_parents": 0, "more_children": 0}],
 "links": [
  {"child": "t", "parent": "b", "relation": "derived_from", "by": "claimed"},
  {"child": "t", "parent": "d", "relation": "tested_on", "by": "witnessed"},
  {"child": "b", "parent": "d", "relation": "trained_on", "by": "claimed"},
  {"child": "d", "parent": "s", "relation": "derived_from", "by": "claimed"},
  {"child": "r", "parent": "t", "relation": "released_as", "by": "claimed"}]})";

TEST(LineageTreeTest, SharedVersionsAreDrawnOnceAndTheRestIsCounted) {
  EXPECT_EQ(DrawLineage(Graph(kGraph), Lines::kBox),
            "made from\n"
            "├─ derived from ada/base@1 [retired] (claimed)\n"
            "│  └─ trained on ada/data@1 (claimed)\n"
            "│     └─ derived from s (claimed)\n"
            "└─ tested on ada/data@1 (witnessed), see above\n"
            "made from it\n"
            "├─ ada/release@1, release of it (claimed)\n"
            "└─ … 8 more\n");
}

TEST(LineageTreeTest, AsciiWhereTheLocaleHasNothingElse) {
  const std::string drawn = DrawLineage(Graph(kGraph), Lines::kAscii);
  EXPECT_NE(drawn.find("|  `- trained on ada/data@1 (claimed)\n"), drawn.npos) << drawn;
  EXPECT_NE(drawn.find("`- ... 8 more\n"), drawn.npos) << drawn;
  EXPECT_TRUE(
      std::all_of(drawn.begin(), drawn.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

TEST(LineageTreeTest, WhatAServerSendsDoesNotDriveTheTerminal) {
  const std::string drawn = DrawLineage(
      Graph(
          R"({"version": "t", "nodes": [], "links": [{"child": "t", "parent": "\u001b[2J", "relation": "\u001b", "by": "x"}]})"),
      Lines::kBox);
  EXPECT_EQ(drawn.find('\x1b'), drawn.npos);
  EXPECT_EQ(DrawLineage(Graph("{}"), Lines::kBox), "");
}

// A server that sends a cycle does not keep the command drawing for ever.
TEST(LineageTreeTest, CyclesEnd) {
  const std::string drawn = DrawLineage(
      Graph(
          R"({"version": "a", "nodes": [], "links": [{"child": "a", "parent": "b", "relation": "derived_from", "by": "claimed"},
                {"child": "b", "parent": "a", "relation": "derived_from", "by": "claimed"}]})"),
      Lines::kAscii);
  EXPECT_LT(drawn.size(), 500u);
}

}  // namespace
}  // namespace glasscase::commands
