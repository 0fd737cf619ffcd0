#include "submission.h"

#include <algorithm>

#include "rlp.h"

namespace glasscase::ledger::evm {
namespace {

constexpr uint64_t kFormatVersion = 1;
constexpr size_t kKeptBytesMax = 1 << 20;
constexpr size_t kAttemptsMax = 100;

Result<Address> ReadAddress(ByteSpan bytes) {
  Address address;
  if (bytes.size() != address.size()) return Fail(Error::InvalidArgument("an address has 20 bytes"));
  std::ranges::copy(bytes, address.begin());
  return address;
}

Result<Attempt> ReadAttempt(RlpReader reader) {
  Attempt attempt;
  GC_TRY(attempt.fees.priority, reader.ReadNumber());
  GC_TRY(attempt.fees.max, reader.ReadNumber());
  GC_TRY(const ByteSpan raw, reader.ReadString());
  if (raw.empty() || !reader.AtEnd()) return Fail(Error::InvalidArgument("an attempt has three members"));
  attempt.raw.assign(raw.begin(), raw.end());
  return attempt;
}

Result<Submission> Read(ByteSpan kept) {
  if (kept.size() > kKeptBytesMax) return Fail(Error::InvalidArgument("too long"));
  RlpReader outer(kept);
  GC_TRY(RlpReader reader, outer.ReadList());
  if (!outer.AtEnd()) return Fail(Error::InvalidArgument("bytes behind the list"));
  GC_TRY(const uint64_t version, reader.ReadNumber());
  if (version != kFormatVersion)
    return Fail(Error::InvalidArgument("of format version " + std::to_string(version)));
  Submission submission;
  GC_TRY(submission.chain_id, reader.ReadNumber());
  GC_TRY(const ByteSpan sender, reader.ReadString());
  GC_TRY(submission.sender, ReadAddress(sender));
  GC_TRY(submission.nonce, reader.ReadNumber());
  GC_TRY(const ByteSpan to, reader.ReadString());
  if (!to.empty()) {
    GC_TRY(submission.to, ReadAddress(to));
  }
  GC_TRY(submission.gas, reader.ReadNumber());
  GC_TRY(const ByteSpan data, reader.ReadString());
  submission.data.assign(data.begin(), data.end());
  GC_TRY(RlpReader attempts, reader.ReadList());
  while (!attempts.AtEnd()) {
    if (submission.attempts.size() == kAttemptsMax) return Fail(Error::InvalidArgument("too many attempts"));
    GC_TRY(const RlpReader item, attempts.ReadList());
    GC_TRY(Attempt attempt, ReadAttempt(item));
    submission.attempts.push_back(std::move(attempt));
  }
  if (submission.attempts.empty()) return Fail(Error::InvalidArgument("no attempt"));
  if (!reader.AtEnd()) return Fail(Error::InvalidArgument("more members than known"));
  return submission;
}

}  // namespace

Transaction TransactionOf(const Submission& submission, const Fees& fees) {
  return {.chain_id = submission.chain_id,
          .nonce = submission.nonce,
          .fees = fees,
          .gas = submission.gas,
          .to = submission.to,
          .data = submission.data};
}

Bytes KeptForm(const Submission& submission) {
  std::vector<Bytes> attempts;
  attempts.reserve(submission.attempts.size());
  for (const Attempt& attempt : submission.attempts)
    attempts.push_back(
        RlpList({RlpNumber(attempt.fees.priority), RlpNumber(attempt.fees.max), RlpString(attempt.raw)}));
  return RlpList({
      RlpNumber(kFormatVersion),
      RlpNumber(submission.chain_id),
      RlpString(submission.sender),
      RlpNumber(submission.nonce),
      submission.to ? RlpString(*submission.to) : RlpString({}),
      RlpNumber(submission.gas),
      RlpString(submission.data),
      RlpList(attempts),
  });
}

Result<Submission> FromKeptForm(ByteSpan kept) {
  auto submission = Read(kept);
  if (!submission) return Fail(submission.error().WithContext("not a kept chain submission"));
  return submission;
}

}  // namespace glasscase::ledger::evm
