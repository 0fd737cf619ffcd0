// What the log has in the catalog: entries that wait, the head, and the entries whose files are not durable
// yet.
//
// An act writes its rows and its entry in one transaction of the catalog, which implements this. The head
// moves only by compare-and-set, so of two custodians, or of one that was paused and woken, one goes on and
// the other is told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/ids.h>
#include <glasscase/ledger/merkle.h>

namespace glasscase::ledger {

struct Head {
  uint64_t size = 0;
  Hash root = EmptyRoot();
  uint64_t fence = 0;  // of the one who moves it
  bool operator==(const Head&) const = default;
};

struct WaitingEntry {
  int64_t sequence = 0;  // in the order in which acts were committed
  std::string entry;
  std::vector<Uuid> assets;  // whose entry it is
};

// One thread. Every function fails as the catalog does.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual Result<Head> ReadHead() const = 0;
  // A new fence, larger than every one before: whoever had the last one can move the head no more.
  virtual Result<uint64_t> Claim() = 0;

  // The oldest entries that wait: at most `count`, and not many more than `bytes` bytes.
  virtual Result<std::vector<WaitingEntry>> Waiting(size_t count, size_t bytes) const = 0;

  // In one durable transaction: the head becomes `to` if it is `from`, waiting entries up to `sequence` are
  // gone, and `framed` (the entries from from.size on, each after its length as in an entry bundle) is kept.
  // Aborted when the head is not `from`: then nothing has changed.
  virtual Status Advance(const Head& from, const Head& to, int64_t sequence, const std::string& framed) = 0;

  struct Kept {
    uint64_t first = 0;  // index of its first entry
    uint64_t count = 0;
    std::string framed;
  };
  // What Advance kept and Forget did not drop, in the order of the log.
  virtual Result<std::vector<Kept>> ReadKept() const = 0;
  // Their files are durable. Drops what lies wholly below `size`.
  virtual Status Forget(uint64_t size) = 0;

  // Takes over a log that was kept elsewhere, whose files are durable: in one durable transaction the head
  // becomes `head`. `next` gives all its entries in order, nullopt at the end, for a journal that archives;
  // others do not ask. Whatever stood here before is gone: for a journal that no log has used.
  virtual Status Adopt(const Head& head, const std::function<Result<std::optional<Kept>>()>& next) = 0;

  // What Advance was ever given, from the part with entry `from` on: at most `parts` of them. A journal that
  // several custodians share keeps it, so that the one who takes over can write the log's files; others keep
  // nothing and give nothing.
  virtual Result<std::vector<Kept>> ReadArchive(uint64_t from, size_t parts) const {
    (void)from, (void)parts;
    return std::vector<Kept>{};
  }
};

}  // namespace glasscase::ledger
