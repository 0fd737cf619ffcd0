#include <glasscase/ledger/tile.h>

#include <gtest/gtest.h>

#include <map>

namespace glasscase::ledger {
namespace {

TEST(TilePath, IsThatOfTheSpecification) {
  EXPECT_EQ(TilePath({.level = 0, .index = 1234067}), "tile/0/x001/x234/067");
  EXPECT_EQ(TilePath({.level = 3, .index = 0, .width = 17}), "tile/3/000.p/17");
  EXPECT_EQ(TilePath({.entries = true, .index = 255'999, .width = 1}), "tile/entries/x255/999.p/1");
}

TEST(TilePath, IsReadBackAndNothingElseIs) {
  for (const uint64_t index : {uint64_t{0}, uint64_t{9}, uint64_t{999}, uint64_t{1000}, uint64_t{1234067},
                               uint64_t{72'057'594'037'927'935}}) {
    for (const uint32_t width : {1u, 255u, 256u}) {
      for (const bool entries : {false, true}) {
        const Tile tile{.entries = entries,
                        .level = static_cast<uint8_t>(entries ? 0 : 5),
                        .index = index,
                        .width = width};
        EXPECT_EQ(ParseTilePath(TilePath(tile)).value(), tile);
      }
    }
  }
  for (const char* bad : {"",
                          "tile",
                          "tile/",
                          "tile/0",
                          "tile/0/",
                          "tile/0/0",
                          "tile/0/0000",
                          "tile/00/000",
                          "tile/8/000",
                          "tile/-1/000",
                          "tile/0/x000/000",
                          "tile/0/001/000",
                          "tile/0/x001/x000",
                          "tile/0/000.p/0",
                          "tile/0/000.p/256",
                          "tile/0/000.p/01",
                          "tile/0/000.p/",
                          "tile/0/000/",
                          "/tile/0/000",
                          "tile/0/../000",
                          "tile/0/000.p/1/2",
                          "tile/entries/",
                          "tile/data/000",
                          "checkpoint",
                          "tile/0/x999/x999/x999/x999/x999/x999/999"}) {
    EXPECT_FALSE(ParseTilePath(bad)) << bad;
  }
}

TEST(TileWidth, FollowsTheSize) {
  EXPECT_EQ(TileWidthAt(0, 0, 0), 0u);
  EXPECT_EQ(TileWidthAt(1, 0, 0), 1u);
  EXPECT_EQ(TileWidthAt(256, 0, 0), 256u);
  EXPECT_EQ(TileWidthAt(256, 1, 0), 1u);
  EXPECT_EQ(TileWidthAt(256, 0, 1), 0u);
  EXPECT_EQ(TileWidthAt(255, 1, 0), 0u);
  EXPECT_EQ(TileWidthAt(65'536 + 300, 0, 257), 44u);
  EXPECT_EQ(TileWidthAt(UINT64_MAX, 0, UINT64_MAX), 0u);
  EXPECT_EQ(TileWidthAt(UINT64_MAX, 200, 0), 0u);
}

TEST(Bundle, IsSplitAsItWasPutTogether) {
  const std::string longest(kEntryBytesMax, 'x');
  std::string bundle;
  for (const std::string& entry : {std::string("a"), std::string(), longest}) AppendToBundle(bundle, entry);
  const auto entries = SplitBundle(bundle, 3).value();
  EXPECT_EQ(entries[0], "a");
  EXPECT_EQ(entries[1], "");
  EXPECT_EQ(entries[2], longest);
  EXPECT_FALSE(SplitBundle(bundle, 2));
  EXPECT_FALSE(SplitBundle(bundle, 4));
  EXPECT_FALSE(SplitBundle(std::string_view(bundle).substr(0, bundle.size() - 1), 3));
}

// Every subtree hash out of the tiles is that of the tree, at sizes around the borders of tiles.
TEST(TileReader, GivesTheSubtreesOfTheTree) {
  std::map<std::pair<unsigned, uint64_t>, Hash> subtrees;
  std::map<unsigned, std::string> levels;  // the hashes of every tile level, one after the other
  Frontier frontier;
  for (const uint64_t size : {1u, 2u, 255u, 256u, 257u, 65'535u, 65'536u, 65'537u, 66'000u}) {
    while (frontier.size() < size) {
      const Hash leaf = HashLeaf(AsBytes(std::to_string(frontier.size())));
      frontier.Add(leaf, [&](unsigned level, uint64_t index, const Hash& hash) {
        subtrees[{level, index}] = hash;
        if (level % kTileHeight == 0) levels[level / kTileHeight] += AsText(hash);
      });
    }
    TileReader reader(size, [&](const Tile& tile) -> Result<std::string> {
      return levels[tile.level].substr(tile.index * kTileWidth * 32, size_t{tile.width} * 32);
    });
    EXPECT_EQ(RootOf(size, reader).value(), frontier.Root()) << size;
    for (const auto& [where, hash] : subtrees) {
      if (where.second % 37 > 1 && (where.second + 2) << where.first < size) continue;  // enough of them
      ASSERT_EQ(reader.Subtree(where.first, where.second).value(), hash)
          << where.first << " " << where.second;
    }
    EXPECT_FALSE(reader.Subtree(0, size));
    EXPECT_FALSE(reader.Subtree(20, 0));
    EXPECT_FALSE(reader.Subtree(64, 0));
  }
}

TEST(TileReader, AShortTileIsDataLoss) {
  TileReader reader(300, [](const Tile&) -> Result<std::string> { return std::string(31, 'x'); });
  EXPECT_EQ(reader.Subtree(0, 299).error().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace glasscase::ledger
