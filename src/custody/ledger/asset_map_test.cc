#include <glasscase/ledger/asset_map.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace glasscase::ledger {
namespace {

Uuid AssetOf(uint8_t number) {
  Uuid id;
  id.bytes[15] = number;
  return id;
}

class AssetMapTest : public ::testing::Test {
 protected:
  void Add(uint8_t asset) {
    const Hash leaf = HashLeaf(AsBytes("entry " + std::to_string(next_)));
    map_.Add(AssetOf(asset), next_, leaf);
    entries_[asset].push_back({next_++, leaf});
  }
  bool Holds(uint8_t asset, const std::vector<AssetEntry>& entries) {
    return CheckMapProof(AssetOf(asset), entries, map_.Prove(AssetOf(asset)), map_.Root()).has_value();
  }

  AssetMap map_;
  std::map<uint8_t, std::vector<AssetEntry>> entries_;
  uint64_t next_ = 0;
};

TEST_F(AssetMapTest, AnEmptyMapProvesThatThereIsNothing) {
  EXPECT_EQ(map_.Root(), Hash{});
  EXPECT_TRUE(Holds(1, {}));
  EXPECT_FALSE(Holds(1, {{0, Hash{}}}));
}

TEST_F(AssetMapTest, AllEntriesAndNothingElseIsProved) {
  for (int i = 0; i < 600; ++i) Add(static_cast<uint8_t>(i * i % 151));
  EXPECT_EQ(map_.size(), entries_.size());
  for (const auto& [asset, entries] : entries_) {
    EXPECT_TRUE(Holds(asset, entries));
    EXPECT_FALSE(Holds(asset, {}));
    for (size_t i = 0; i < entries.size(); ++i) {
      std::vector<AssetEntry> changed = entries;
      changed.erase(changed.begin() + static_cast<ptrdiff_t>(i));
      EXPECT_FALSE(Holds(asset, changed)) << "one left out";
      changed = entries;
      changed[i].leaf[0] ^= 1;
      EXPECT_FALSE(Holds(asset, changed)) << "one altered";
    }
    std::vector<AssetEntry> more = entries;
    more.push_back({next_, HashLeaf({})});
    EXPECT_FALSE(Holds(asset, more));
    std::reverse(more.begin(), more.end());
    EXPECT_FALSE(Holds(asset, more)) << "in another order";
  }
  for (uint8_t asset = 151; asset < 250; ++asset) {
    EXPECT_TRUE(Holds(asset, {})) << "has none";
    EXPECT_FALSE(Holds(asset, entries_.begin()->second));
  }
}

TEST_F(AssetMapTest, AnAlteredProofIsRefused) {
  for (uint8_t asset = 0; asset < 50; ++asset) Add(asset);
  const MapProof proof = map_.Prove(AssetOf(7));
  EXPECT_TRUE(CheckMapProof(AssetOf(7), entries_[7], proof, map_.Root()));
  for (size_t i = 0; i < proof.siblings.size(); ++i) {
    MapProof changed = proof;
    changed.siblings[i][3] ^= 1;
    EXPECT_FALSE(CheckMapProof(AssetOf(7), entries_[7], changed, map_.Root()));
    changed = proof;
    changed.siblings.erase(changed.siblings.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(CheckMapProof(AssetOf(7), entries_[7], changed, map_.Root()));
  }
  // The asset's own leaf is no proof of its absence.
  MapProof absence = proof;
  absence.other = MapProof::OtherLeaf{.key = MapKey(AssetOf(7)), .chain = ChainOf(entries_[7])};
  EXPECT_FALSE(CheckMapProof(AssetOf(7), {}, absence, map_.Root()));
  absence.siblings.resize(300);
  EXPECT_FALSE(CheckMapProof(AssetOf(7), {}, absence, map_.Root()));
}

TEST_F(AssetMapTest, TheRootDependsOnTheEntriesAlone) {
  for (const uint8_t asset : {3, 1, 2, 1, 9, 9, 3}) Add(asset);
  AssetMap other;
  for (const auto& [asset, entries] : entries_)
    for (const AssetEntry& entry : entries) other.Add(AssetOf(asset), entry.index, entry.leaf);
  EXPECT_EQ(other.Root(), map_.Root());
}

}  // namespace
}  // namespace glasscase::ledger
