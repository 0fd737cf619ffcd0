// For tests: keys made of a letter, and a log that is a list.
#pragma once

#include <string>
#include <vector>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/note.h>

namespace glasscase::ledger::testing {

inline NoteSigner Signer(std::string_view name, KeyType type = KeyType::kEd25519) {
  return NoteSigner::Make(name, type, Ed25519Key::FromSeed(Secret(std::string(32, name[0]))).value()).value();
}

class SmallLog final : public SubtreeReader {
 public:
  explicit SmallLog(size_t size) {
    while (entries_.size() < size) entries_.push_back("entry " + std::to_string(entries_.size()));
  }
  uint64_t size() const { return entries_.size(); }
  const std::string& entry(size_t index) const { return entries_[index]; }
  Result<Hash> Subtree(unsigned level, uint64_t index) override {
    if (level == 0) return HashLeaf(AsBytes(entries_[index]));
    GC_TRY(const Hash left, Subtree(level - 1, index * 2));
    GC_TRY(const Hash right, Subtree(level - 1, index * 2 + 1));
    return HashNode(left, right);
  }
  std::string CheckpointText(std::string origin) {
    return Checkpoint{.origin = std::move(origin), .size = size(), .root = RootOf(size(), *this).value()}
        .ToString();
  }

 private:
  std::vector<std::string> entries_;
};

}  // namespace glasscase::ledger::testing
