#include <glasscase/ledger/merkle.h>

#include <array>
#include <bit>
#include <cstring>

#include <glasscase/crypto/sha256.h>

namespace glasscase::ledger {
namespace {

// The proofs of the RFC are recursive over [begin, end). Here `begin` is always a multiple of the largest
// power of two not above the length, so a complete part is one subtree.
struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t size() const { return end - begin; }
  bool IsComplete() const { return std::has_single_bit(size()); }
  // The largest power of two that is smaller than the size.
  uint64_t split() const { return begin + std::bit_floor(size() - 1); }
};

Result<Hash> HashOf(Range range, SubtreeReader& reader) {
  if (range.IsComplete()) {
    const auto level = static_cast<unsigned>(std::countr_zero(range.size()));
    return reader.Subtree(level, range.begin >> level);
  }
  GC_TRY(const Hash left, HashOf({range.begin, range.split()}, reader));
  GC_TRY(const Hash right, HashOf({range.split(), range.end}, reader));
  return HashNode(left, right);
}

// A verifier's view of one walk: how many bits of the path are left and right turns.
uint64_t InnerLength(uint64_t index, uint64_t size) {
  return static_cast<uint64_t>(64 - std::countl_zero(index ^ (size - 1)));
}

Error BadLength(uint64_t wanted, size_t got) {
  return Error::InvalidArgument("the proof has " + std::to_string(got) + " hashes instead of " +
                                std::to_string(wanted));
}

Hash ChainInner(Hash hash, const Hash* proof, uint64_t count, uint64_t index) {
  for (uint64_t i = 0; i < count; ++i) {
    hash = ((index >> i) & 1U) == 0 ? HashNode(hash, proof[i]) : HashNode(proof[i], hash);
  }
  return hash;
}

Hash ChainInnerRight(Hash hash, const Hash* proof, uint64_t count, uint64_t index) {
  for (uint64_t i = 0; i < count; ++i) {
    if (((index >> i) & 1U) != 0) hash = HashNode(proof[i], hash);
  }
  return hash;
}

Hash ChainBorder(Hash hash, const Hash* proof, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) hash = HashNode(proof[i], hash);
  return hash;
}

Error NotTheBeginning() {
  return Error::FailedPrecondition("the older tree is not the beginning of the newer one");
}

}  // namespace

Hash HashLeaf(ByteSpan entry) {
  constexpr uint8_t kPrefix[] = {0};
  return Sha256(kPrefix, entry);
}

Hash HashNode(const Hash& left, const Hash& right) {
  std::array<uint8_t, 65> bytes{};
  bytes[0] = 1;
  std::memcpy(bytes.data() + 1, left.data(), left.size());
  std::memcpy(bytes.data() + 33, right.data(), right.size());
  return Sha256(bytes);
}

Hash EmptyRoot() { return Sha256({}); }

Result<Hash> RootOfInclusion(uint64_t index, uint64_t size, const Hash& leaf, const Proof& proof) {
  if (index >= size) {
    return Fail(Error::InvalidArgument("entry " + std::to_string(index) + " is not in a tree of " +
                                       std::to_string(size)));
  }
  const uint64_t inner = InnerLength(index, size);
  const auto border = static_cast<uint64_t>(std::popcount(inner < 64 ? index >> inner : 0));
  if (proof.size() != inner + border) return Fail(BadLength(inner + border, proof.size()));
  return ChainBorder(ChainInner(leaf, proof.data(), inner, index), proof.data() + inner, border);
}

// RFC 9162 section 2.1.4.2, in the form of one walk for each of the two roots.
Status CheckConsistency(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root,
                        const Proof& proof) {
  if (old_size > size) return Fail(Error::InvalidArgument("the older tree is the larger one"));
  if (old_size == 0 || old_size == size) {
    if (!proof.empty()) return Fail(BadLength(0, proof.size()));
    const bool equal = old_size == 0 ? old_root == EmptyRoot() : old_root == root;
    return equal ? Ok() : Fail(NotTheBeginning());
  }
  const auto shift = static_cast<uint64_t>(std::countr_zero(old_size));
  const uint64_t inner = InnerLength(old_size - 1, size) - shift;
  const uint64_t index = (old_size - 1) >> shift;
  const auto border = static_cast<uint64_t>(std::popcount(inner < 64 ? index >> inner : 0));
  const bool starts_at_old_root = std::has_single_bit(old_size);
  const uint64_t wanted = inner + border + (starts_at_old_root ? 0 : 1);
  if (proof.size() != wanted) return Fail(BadLength(wanted, proof.size()));

  const Hash& seed = starts_at_old_root ? old_root : proof[0];
  const Hash* rest = proof.data() + (starts_at_old_root ? 0 : 1);
  const Hash from_old = ChainBorder(ChainInnerRight(seed, rest, inner, index), rest + inner, border);
  const Hash from_new = ChainBorder(ChainInner(seed, rest, inner, index), rest + inner, border);
  return from_old == old_root && from_new == root ? Ok() : Fail(NotTheBeginning());
}

Result<Hash> RootOf(uint64_t size, SubtreeReader& reader) {
  if (size == 0) return EmptyRoot();
  return HashOf({0, size}, reader);
}

Result<Proof> ProveInclusion(uint64_t index, uint64_t size, SubtreeReader& reader) {
  if (index >= size) {
    return Fail(
        Error::OutOfRange("entry " + std::to_string(index) + " is not in a tree of " + std::to_string(size)));
  }
  Proof proof;
  for (Range range{0, size}; range.size() > 1;) {
    const Range left{range.begin, range.split()};
    const Range right{range.split(), range.end};
    const bool goes_left = index < left.end;
    GC_TRY(proof.emplace_back(), HashOf(goes_left ? right : left, reader));
    range = goes_left ? left : right;
  }
  return Proof(proof.rbegin(), proof.rend());
}

Result<Proof> ProveConsistency(uint64_t old_size, uint64_t size, SubtreeReader& reader) {
  if (old_size > size) {
    return Fail(Error::OutOfRange("a tree of " + std::to_string(size) + " has no beginning of " +
                                  std::to_string(old_size)));
  }
  Proof proof;
  if (old_size == 0 || old_size == size) return proof;
  Range range{0, size};
  bool is_beginning =
      true;  // whether the range begins where the old tree does: then the verifier knows its root
  while (range.end != old_size) {
    const Range left{range.begin, range.split()};
    const Range right{range.split(), range.end};
    if (old_size <= left.end) {
      GC_TRY(proof.emplace_back(), HashOf(right, reader));
      range = left;
    } else {
      GC_TRY(proof.emplace_back(), HashOf(left, reader));
      range = right;
      is_beginning = false;
    }
  }
  if (!is_beginning) {
    GC_TRY(proof.emplace_back(), HashOf(range, reader));
  }
  return Proof(proof.rbegin(), proof.rend());
}

Hash Frontier::Root() const {
  if (complete_.empty()) return EmptyRoot();
  Hash root = complete_.back();
  for (size_t i = complete_.size() - 1; i-- > 0;) root = HashNode(complete_[i], root);
  return root;
}

Result<Frontier> Frontier::Of(uint64_t size, SubtreeReader& reader) {
  Frontier frontier;
  frontier.size_ = size;
  uint64_t begin = 0;
  for (unsigned level = 64; level-- > 0;) {
    if (((size >> level) & 1U) == 0) continue;
    GC_TRY(frontier.complete_.emplace_back(), reader.Subtree(level, begin >> level));
    begin += uint64_t{1} << level;
  }
  return frontier;
}

}  // namespace glasscase::ledger
