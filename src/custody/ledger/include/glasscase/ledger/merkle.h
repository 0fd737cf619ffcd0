// The hashes of RFC 6962 section 2.1 (RFC 9162 keeps them): a tree over entries, and proofs about it.
#pragma once

#include <cstdint>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::ledger {

using Hash = Digest;
using Proof = std::vector<Hash>;

// No proof in a tree of up to 2^63 entries has more hashes.
inline constexpr size_t kProofHashesMax = 63;

Hash HashLeaf(ByteSpan entry);                       // SHA-256(0x00 || entry)
Hash HashNode(const Hash& left, const Hash& right);  // SHA-256(0x01 || left || right)
Hash EmptyRoot();                                    // SHA-256("")

// The root that the proof leads to, from the leaf up. InvalidArgument when index or length do not fit the
// size.
Result<Hash> RootOfInclusion(uint64_t index, uint64_t size, const Hash& leaf, const Proof& proof);

// Ok when the tree of `old_size` entries is the beginning of the tree of `size` entries. FailedPrecondition
// when it is not, InvalidArgument when the proof has the wrong form.
Status CheckConsistency(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root,
                        const Proof& proof);

// Hashes of complete subtrees: `index` counts the subtrees of 2^level leaves each.
class SubtreeReader {
 public:
  virtual ~SubtreeReader() = default;
  virtual Result<Hash> Subtree(unsigned level, uint64_t index) = 0;
};

Result<Hash> RootOf(uint64_t size, SubtreeReader& reader);
// OutOfRange unless index < size, old_size <= size.
Result<Proof> ProveInclusion(uint64_t index, uint64_t size, SubtreeReader& reader);
Result<Proof> ProveConsistency(uint64_t old_size, uint64_t size, SubtreeReader& reader);

// The right edge of a growing tree: what is needed to go on and to know the root. `level` hashes are given to
// whoever stores them.
class Frontier {
 public:
  uint64_t size() const { return size_; }
  Hash Root() const;
  // Adds a leaf. `completed(level, index, hash)` is called for each subtree that it completes, the leaf
  // itself (level 0) first.
  template <typename Completed>
  void Add(Hash hash, const Completed& completed) {
    completed(0U, size_, hash);
    unsigned level = 0;
    for (uint64_t left = size_; (left & 1U) != 0; left >>= 1U) {
      hash = HashNode(complete_.back(), hash);
      complete_.pop_back();
      completed(++level, left >> 1U, hash);
    }
    complete_.push_back(hash);
    ++size_;
  }
  // Of a tree that is stored.
  static Result<Frontier> Of(uint64_t size, SubtreeReader& reader);

 private:
  uint64_t size_ = 0;
  std::vector<Hash> complete_;  // one for each 1 bit of size_, the largest subtree first
};

}  // namespace glasscase::ledger
