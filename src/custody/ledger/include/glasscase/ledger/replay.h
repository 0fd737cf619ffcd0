// Checks a whole log from its files, with nothing else: what makes the map's proofs binding. A map root is
// only a claim of the log's operator until somebody has computed it anew from the entries.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/crypto/random.h>
#include <glasscase/ledger/policy.h>
#include <glasscase/ledger/receipt.h>

namespace glasscase::ledger {

// The bytes of a file of the log (its path as under /log/); nullopt when there is none.
using ReadLogFile = std::function<Result<std::optional<std::string>>(std::string_view path)>;

struct ReplayOptions {
  // Only so many map entries, drawn at random; nullopt: all of them. The tree is always computed whole.
  std::optional<uint64_t> sample{};
};

struct Replayed {
  CheckedCheckpoint checkpoint;
  uint64_t map_entries = 0;          // in the log
  uint64_t map_entries_checked = 0;  // of them, computed anew and found right
  uint64_t assets = 0;               // seen up to the last map entry that was checked

  // The probability that the sample has none of `lies` wrong map entries.
  double ProbabilityOfMissing(uint64_t lies) const;
};

// As CheckCheckpoint; DataLoss names a file that is missing or unreadable; FailedPrecondition says which
// entry or root is not what it should be.
Result<Replayed> Replay(const ReadLogFile& read, const Policy& policy, RandomSource& random,
                        const ReplayOptions& options);

}  // namespace glasscase::ledger
