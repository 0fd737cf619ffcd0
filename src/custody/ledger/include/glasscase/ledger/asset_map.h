// A Merkle map from each asset to all its entries, so that leaving one out cannot stay unseen.
//
// The key is SHA-256 of the asset's UUID; the value is a chain over its entries in the order of the log:
//   chain(0) = 32 zero bytes, chain(n) = SHA-256(0x03 || chain(n-1) || index as 8 bytes, big endian || leaf
//   hash).
// The map is a binary tree over the bits of the keys, first bit first, in which a subtree that holds one key
// is that key's leaf (as in the Jellyfish Merkle tree, Gao et al. 2021):
//   empty = 32 zero bytes, leaf = SHA-256(0x04 || key || chain), node = SHA-256(0x05 || left || right).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <glasscase/core/ids.h>
#include <glasscase/ledger/merkle.h>

namespace glasscase::ledger {

// An entry of an asset as the map counts it.
struct AssetEntry {
  uint64_t index = 0;
  Hash leaf{};
  bool operator==(const AssetEntry&) const = default;
};

Hash ChainOf(const std::vector<AssetEntry>& entries);
// The chain with one entry more; it begins as 32 zero bytes.
Hash ExtendChain(const Hash& chain, uint64_t index, const Hash& leaf);
Hash MapKey(const Uuid& asset);
// The root of the map with these chains by their keys, all at once: cheaper than an AssetMap for one root.
Hash MapRootOf(const std::map<Hash, Hash>& chains);

// From the leaf's level up. At the end of the path stands the asset's own leaf, another leaf, or nothing.
struct MapProof {
  std::vector<Hash> siblings{};  // the deepest first
  struct OtherLeaf {
    Hash key{};
    Hash chain{};
    bool operator==(const OtherLeaf&) const = default;
  };
  std::optional<OtherLeaf> other{};  // when the asset has no entries and another's leaf stands there
  bool operator==(const MapProof&) const = default;
};

// That these are all entries of the asset (none: that it has none) in the map of that root.
// FailedPrecondition.
Status CheckMapProof(const Uuid& asset, const std::vector<AssetEntry>& entries, const MapProof& proof,
                     const Hash& root);

// In memory; what it costs is in the README. Not thread-safe.
class AssetMap {
 public:
  AssetMap();
  AssetMap(AssetMap&&) noexcept;
  AssetMap& operator=(AssetMap&&) noexcept;
  ~AssetMap();

  // Entries of one asset come in the order of the log.
  void Add(const Uuid& asset, uint64_t index, const Hash& leaf);
  Hash Root() const;
  MapProof Prove(const Uuid& asset) const;
  size_t size() const { return size_; }

 private:
  struct Node;
  static Hash HashOf(const std::unique_ptr<Node>& node);
  std::unique_ptr<Node> root_;
  size_t size_ = 0;
};

}  // namespace glasscase::ledger
