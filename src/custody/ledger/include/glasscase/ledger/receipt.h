// A receipt: proof that an entry is in a log, checked without the log (C2SP tlog-proof).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/note.h>
#include <glasscase/ledger/policy.h>

namespace glasscase::ledger {

struct Receipt {
  static constexpr size_t kBytesMax = 2'000'000;

  std::string extra{};  // what the format's users put there: here the entry and what is disclosed of it
  uint64_t index = 0;
  Proof proof{};
  std::string checkpoint{};  // a signed note, as it came

  // InvalidArgument for any other spelling.
  static Result<Receipt> Parse(std::string_view text);
  std::string ToString() const;
};

// What a signed checkpoint is worth under a policy.
struct CheckedCheckpoint {
  Checkpoint checkpoint;
  std::string log;                     // the verifier's name
  std::vector<std::string> witnesses;  // names of those that cosigned, as the policy calls them
  uint64_t newest_cosignature = 0;     // seconds since 1970; 0 without witnesses
};

// InvalidArgument when it cannot be read, PermissionDenied when a log of the policy did not sign it or the
// quorum of witnesses is not reached; the message says who is missing.
Result<CheckedCheckpoint> CheckCheckpoint(std::string_view signed_note, const Policy& policy);

// That `entry` is in the log: FailedPrecondition when the proof leads elsewhere, else as CheckCheckpoint.
Result<CheckedCheckpoint> CheckReceipt(const Receipt& receipt, std::string_view entry, const Policy& policy);

}  // namespace glasscase::ledger
