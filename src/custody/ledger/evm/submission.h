// What the caller keeps of a submission: api/formats/chain-submission.md.
#pragma once

#include <optional>
#include <vector>

#include "transaction.h"

namespace glasscase::ledger::evm {

struct Attempt {
  Fees fees{};
  Bytes raw;  // signed
  bool operator==(const Attempt&) const = default;
};

struct Submission {
  uint64_t chain_id = 0;
  Address sender{};
  uint64_t nonce = 0;
  std::optional<Address> to{};
  uint64_t gas = 0;
  Bytes data{};
  std::vector<Attempt> attempts{};  // all with this nonce; the newest is the last
  bool operator==(const Submission&) const = default;
};

Transaction TransactionOf(const Submission& submission, const Fees& fees);

Bytes KeptForm(const Submission& submission);
// InvalidArgument when these are not bytes that KeptForm gave.
Result<Submission> FromKeptForm(ByteSpan kept);

}  // namespace glasscase::ledger::evm
