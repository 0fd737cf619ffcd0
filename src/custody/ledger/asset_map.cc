#include <glasscase/ledger/asset_map.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include <glasscase/crypto/sha256.h>

namespace glasscase::ledger {
namespace {

constexpr size_t kKeyBits = 256;

bool BitOf(const Hash& key, size_t depth) { return ((key[depth / 8] >> (7 - depth % 8)) & 1U) != 0; }

Hash HashTagged(uint8_t tag, const Hash& first, const Hash& second) {
  std::array<uint8_t, 65> bytes{};
  bytes[0] = tag;
  std::memcpy(&bytes[1], first.data(), 32);
  std::memcpy(&bytes[33], second.data(), 32);
  return Sha256(bytes);
}

Hash HashMapLeaf(const Hash& key, const Hash& chain) { return HashTagged(4, key, chain); }
Hash HashMapNode(const Hash& left, const Hash& right) { return HashTagged(5, left, right); }

using Chains = std::map<Hash, Hash>::const_iterator;

// Of the keys in [begin, end), which agree in their first `depth` bits.
Hash RootOfRange(Chains begin, Chains end, size_t depth) {
  if (begin == end) return {};
  if (std::next(begin) == end) return HashMapLeaf(begin->first, begin->second);
  const Chains middle =
      std::find_if(begin, end, [depth](const auto& chain) { return BitOf(chain.first, depth); });
  return HashMapNode(RootOfRange(begin, middle, depth + 1), RootOfRange(middle, end, depth + 1));
}

}  // namespace

Hash ExtendChain(const Hash& chain, uint64_t index, const Hash& leaf) {
  std::array<uint8_t, 73> bytes{};
  bytes[0] = 3;
  std::memcpy(&bytes[1], chain.data(), 32);
  for (size_t i = 0; i < 8; ++i) bytes[33 + i] = static_cast<uint8_t>(index >> (8 * (7 - i)));
  std::memcpy(&bytes[41], leaf.data(), 32);
  return Sha256(bytes);
}

Hash MapRootOf(const std::map<Hash, Hash>& chains) { return RootOfRange(chains.begin(), chains.end(), 0); }

Hash MapKey(const Uuid& asset) { return Sha256(asset.bytes); }

Hash ChainOf(const std::vector<AssetEntry>& entries) {
  Hash chain{};
  for (const AssetEntry& entry : entries) chain = ExtendChain(chain, entry.index, entry.leaf);
  return chain;
}

Status CheckMapProof(const Uuid& asset, const std::vector<AssetEntry>& entries, const MapProof& proof,
                     const Hash& root) {
  if (proof.siblings.size() > kKeyBits)
    return Fail(Error::InvalidArgument("the proof of the map is too long"));
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].index <= entries[i - 1].index)
      return Fail(Error::InvalidArgument("the entries are not in the order of the log"));
  }
  const Hash key = MapKey(asset);
  Hash hash{};
  if (!entries.empty()) {
    if (proof.other)
      return Fail(Error::InvalidArgument("the proof of the map is for an asset without entries"));
    hash = HashMapLeaf(key, ChainOf(entries));
  } else if (proof.other) {
    // Another leaf stands for this key's place only if it agrees with the key all the way down.
    for (size_t depth = 0; depth < proof.siblings.size(); ++depth) {
      if (BitOf(proof.other->key, depth) != BitOf(key, depth))
        return Fail(Error::FailedPrecondition("the proof of the map is for another place"));
    }
    if (proof.other->key == key) return Fail(Error::FailedPrecondition("the map has entries of this asset"));
    hash = HashMapLeaf(proof.other->key, proof.other->chain);
  }
  for (size_t i = 0; i < proof.siblings.size(); ++i) {
    const size_t depth = proof.siblings.size() - 1 - i;
    hash = BitOf(key, depth) ? HashMapNode(proof.siblings[i], hash) : HashMapNode(hash, proof.siblings[i]);
  }
  if (hash == root) return Ok();
  return Fail(
      Error::FailedPrecondition("these are not all entries of the asset that the map of the log has"));
}

// A leaf (no children) or an inner node.
struct AssetMap::Node {
  mutable Hash hash{};
  mutable bool stale = true;  // what lies below has changed since it was hashed
  Hash key{};                 // of a leaf
  Hash chain{};               // of a leaf
  std::array<std::unique_ptr<Node>, 2> children{};
  bool IsLeaf() const { return children[0] == nullptr && children[1] == nullptr; }
};

AssetMap::AssetMap() = default;
AssetMap::AssetMap(AssetMap&&) noexcept = default;
AssetMap& AssetMap::operator=(AssetMap&&) noexcept = default;
AssetMap::~AssetMap() = default;

// Hashed when somebody asks: many entries share the nodes near the root.
Hash AssetMap::HashOf(const std::unique_ptr<Node>& node) {
  if (node == nullptr) return Hash{};
  if (node->stale) {
    node->hash = node->IsLeaf() ? HashMapLeaf(node->key, node->chain)
                                : HashMapNode(HashOf(node->children[0]), HashOf(node->children[1]));
    node->stale = false;
  }
  return node->hash;
}

Hash AssetMap::Root() const { return HashOf(root_); }

void AssetMap::Add(const Uuid& asset, uint64_t index, const Hash& leaf) {
  const Hash key = MapKey(asset);
  std::vector<Node*> path;
  std::unique_ptr<Node>* place = &root_;
  while (*place != nullptr && !(*place)->IsLeaf()) {
    path.push_back(place->get());
    place = &(*place)->children[BitOf(key, path.size() - 1) ? 1 : 0];
  }
  // Another's leaf moves down until the keys part.
  while (*place != nullptr && (*place)->key != key) {
    auto inner = std::make_unique<Node>();
    std::unique_ptr<Node> other = std::move(*place);
    inner->children[BitOf(other->key, path.size()) ? 1 : 0] = std::move(other);
    *place = std::move(inner);
    path.push_back(place->get());
    place = &(*place)->children[BitOf(key, path.size() - 1) ? 1 : 0];
  }
  if (*place == nullptr) {
    *place = std::make_unique<Node>();
    (*place)->key = key;
    ++size_;
  }
  Node& found = **place;
  found.chain = ExtendChain(found.chain, index, leaf);
  found.stale = true;
  for (Node* node : path) node->stale = true;
}

MapProof AssetMap::Prove(const Uuid& asset) const {
  const Hash key = MapKey(asset);
  MapProof proof;
  const Node* node = root_.get();
  for (size_t depth = 0; node != nullptr && !node->IsLeaf(); ++depth) {
    const bool right = BitOf(key, depth);
    proof.siblings.push_back(HashOf(node->children[right ? 0 : 1]));
    node = node->children[right ? 1 : 0].get();
  }
  if (node != nullptr && node->key != key)
    proof.other = MapProof::OtherLeaf{.key = node->key, .chain = node->chain};
  return {.siblings = {proof.siblings.rbegin(), proof.siblings.rend()}, .other = proof.other};
}

}  // namespace glasscase::ledger
