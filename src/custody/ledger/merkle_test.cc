#include <glasscase/ledger/merkle.h>

#include <gtest/gtest.h>

namespace glasscase::ledger {
namespace {

// The definition in RFC 6962 section 2.1, word for word: what everything else is compared with.
Hash Defined(const std::vector<std::string>& entries, size_t begin, size_t end) {
  if (begin == end) return EmptyRoot();
  if (end - begin == 1) return HashLeaf(AsBytes(entries[begin]));
  size_t k = 1;
  while (k * 2 < end - begin) k *= 2;
  return HashNode(Defined(entries, begin, begin + k), Defined(entries, begin + k, end));
}

std::vector<std::string> Entries(size_t count) {
  std::vector<std::string> entries;
  for (size_t i = 0; i < count; ++i) entries.push_back("entry " + std::to_string(i));
  return entries;
}

class DefinedReader final : public SubtreeReader {
 public:
  explicit DefinedReader(const std::vector<std::string>& entries) : entries_(entries) {}
  Result<Hash> Subtree(unsigned level, uint64_t index) override {
    EXPECT_LE((index + 1) << level, entries_.size());
    return Defined(entries_, index << level, (index + 1) << level);
  }

 private:
  const std::vector<std::string>& entries_;
};

constexpr size_t kEntries = 70;

TEST(Merkle, KnownRoots) {
  EXPECT_EQ(ToHex(EmptyRoot()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // The tree of the eight inputs of the Certificate Transparency test vectors.
  const std::vector<std::string> inputs = {
      "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
  Frontier frontier;
  frontier.Add(HashLeaf({}), [](unsigned, uint64_t, const Hash&) {});
  EXPECT_EQ(ToHex(frontier.Root()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  for (const std::string& input : inputs)
    frontier.Add(HashLeaf(FromHex(input).value()), [](unsigned, uint64_t, const Hash&) {});
  EXPECT_EQ(ToHex(frontier.Root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

TEST(Merkle, TheFrontierHasTheDefinedRootAtEverySize) {
  const auto entries = Entries(kEntries);
  DefinedReader reader(entries);
  Frontier frontier;
  for (size_t size = 0; size <= entries.size(); ++size) {
    EXPECT_EQ(frontier.Root(), Defined(entries, 0, size));
    EXPECT_EQ(frontier.size(), size);
    EXPECT_EQ(RootOf(size, reader).value(), frontier.Root());
    EXPECT_EQ(Frontier::Of(size, reader)->Root(), frontier.Root());
    if (size == entries.size()) break;
    frontier.Add(HashLeaf(AsBytes(entries[size])), [&](unsigned level, uint64_t index, const Hash& hash) {
      EXPECT_EQ(hash, Defined(entries, index << level, (index + 1) << level));
    });
  }
}

TEST(Merkle, EveryInclusionProofLeadsToTheRootAndOnlyThere) {
  const auto entries = Entries(kEntries);
  DefinedReader reader(entries);
  for (uint64_t size = 1; size <= entries.size(); ++size) {
    const Hash root = Defined(entries, 0, size);
    for (uint64_t index = 0; index < size; ++index) {
      Proof proof = ProveInclusion(index, size, reader).value();
      const Hash leaf = HashLeaf(AsBytes(entries[index]));
      ASSERT_EQ(RootOfInclusion(index, size, leaf, proof).value(), root) << index << " of " << size;
      EXPECT_NE(RootOfInclusion(index, size, HashLeaf(AsBytes("other")), proof).value(), root);
      if (index + 1 < size) {
        const auto elsewhere = RootOfInclusion(index + 1, size, leaf, proof);
        EXPECT_TRUE(!elsewhere || *elsewhere != root);
      }
      for (Hash& hash : proof) {
        hash[7] ^= 1;
        EXPECT_NE(RootOfInclusion(index, size, leaf, proof).value(), root);
        hash[7] ^= 1;
      }
      proof.push_back(root);
      EXPECT_FALSE(RootOfInclusion(index, size, leaf, proof));
      proof.resize(proof.size() - 1);
      if (proof.empty()) continue;
      proof.pop_back();
      EXPECT_FALSE(RootOfInclusion(index, size, leaf, proof));
    }
    EXPECT_FALSE(RootOfInclusion(size, size, root, {}));
    EXPECT_FALSE(ProveInclusion(size, size, reader));
  }
}

TEST(Merkle, EveryConsistencyProofHoldsAndOnlyForItsTrees) {
  const auto entries = Entries(kEntries);
  DefinedReader reader(entries);
  for (uint64_t size = 0; size <= entries.size(); ++size) {
    const Hash root = Defined(entries, 0, size);
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      const Hash old_root = Defined(entries, 0, old_size);
      Proof proof = ProveConsistency(old_size, size, reader).value();
      ASSERT_TRUE(CheckConsistency(old_size, old_root, size, root, proof)) << old_size << " of " << size;
      EXPECT_FALSE(CheckConsistency(old_size, HashLeaf({}), size, root, proof));
      if (old_size != 0) {
        EXPECT_FALSE(CheckConsistency(old_size, old_root, size, HashLeaf({}), proof));
      }
      for (Hash& hash : proof) {
        hash[31] ^= 0x80;
        EXPECT_FALSE(CheckConsistency(old_size, old_root, size, root, proof));
        hash[31] ^= 0x80;
      }
      proof.push_back(root);
      EXPECT_FALSE(CheckConsistency(old_size, old_root, size, root, proof));
    }
    EXPECT_FALSE(ProveConsistency(size + 1, size, reader));
    EXPECT_FALSE(CheckConsistency(size + 1, root, size, root, {}));
  }
}

TEST(Merkle, HugeSizesAreArithmeticOnly) {
  const uint64_t size = uint64_t{1} << 62;
  const Proof proof(62);
  EXPECT_TRUE(RootOfInclusion(size - 1, size, EmptyRoot(), proof));
  EXPECT_FALSE(RootOfInclusion(size - 1, size, EmptyRoot(), Proof(61)));
  EXPECT_FALSE(CheckConsistency(1, EmptyRoot(), UINT64_MAX, EmptyRoot(), {}));
}

}  // namespace
}  // namespace glasscase::ledger
