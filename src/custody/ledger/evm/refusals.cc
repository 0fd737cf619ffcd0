#include "refusals.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

namespace glasscase::ledger::evm {
namespace {

constexpr size_t kReasonBytesMax = 1000;

bool BeginsWith(ByteSpan data, std::string_view signature) {
  const auto selector = SelectorOf(signature);
  return data.size() >= selector.size() && std::ranges::equal(data.first(selector.size()), selector);
}

std::string AddressIn(AbiReader reader) {
  const auto address = reader.ReadAddress();
  return address ? AddressText(*address) : "?";
}

std::string NumberIn(AbiReader reader) {
  const auto number = reader.ReadNumber();
  return number ? std::to_string(*number) : "?";
}

Error ErrorOfRevert(ByteSpan data) {
  if (data.size() < 4) return Error::FailedPrecondition("the contract refuses without a reason");
  const AbiReader arguments(data.subspan(4));
  if (BeginsWith(data, "NotPublisher(address)"))
    return Error::PermissionDenied("only the contract's publisher may write: " + AddressIn(arguments));
  if (BeginsWith(data, "NotLarger(uint64)"))
    return Error::AlreadyExists("the checkpoint that stands there is as large: size=" + NumberIn(arguments));
  if (BeginsWith(data, "AlreadyRegistered(bytes16)"))
    return Error::AlreadyExists("the asset has its record already; a record is written once");
  if (BeginsWith(data, "NotRegistered(bytes16)"))
    return Error::NotFound("the asset has no record in the registry");
  if (BeginsWith(data, "NoSuchKind(uint8)"))
    return Error::InvalidArgument("the registry knows no such kind of asset: " + NumberIn(arguments));
  if (BeginsWith(data, "Error(string)")) {
    const auto text = AbiReader(data.subspan(4)).ReadOnlyString(kReasonBytesMax);
    return Error::FailedPrecondition("the contract refuses: " + (text ? Printable(*text) : std::string("?")));
  }
  if (BeginsWith(data, "Panic(uint256)"))
    return Error::FailedPrecondition("the contract fails with panic " + NumberIn(arguments));
  return Error::FailedPrecondition("the contract refuses with an error that is not ours (" +
                                   ToHex(data.first(std::min<size_t>(data.size(), 36))) +
                                   "): is this its address?");
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

std::optional<Error> RevertOf(const RpcError& error) {
  const std::string message = LowerCase(error.message);
  // geth and Besu use code 3 for a revert with data; all say the word.
  if (error.code != 3 && message.find("revert") == std::string::npos) return std::nullopt;
  return ErrorOfRevert(error.data);
}

Error ErrorOf(const RpcError& error, const std::string& host) {
  return Error::FailedPrecondition("the chain node at " + host + " refuses: " + Printable(error.message) +
                                   " (" + std::to_string(error.code) + ")");
}

// There are no codes for these; the words are those of geth, Besu, Nethermind, Erigon, reth and anvil.
SendRefusal WhySendWasRefused(const RpcError& error) {
  constexpr std::array<std::pair<std::string_view, SendRefusal>, 17> kWords{{
      {"already known", SendRefusal::kAlreadyKnown},
      {"alreadyknown", SendRefusal::kAlreadyKnown},
      {"known transaction", SendRefusal::kAlreadyKnown},
      {"already imported", SendRefusal::kAlreadyKnown},
      {"already exists", SendRefusal::kAlreadyKnown},
      {"nonce too low", SendRefusal::kNonceUsed},
      {"nonce is too low", SendRefusal::kNonceUsed},
      {"oldnonce", SendRefusal::kNonceUsed},
      {"nonce below", SendRefusal::kNonceUsed},
      {"insufficient funds", SendRefusal::kNoFunds},
      {"insufficientfunds", SendRefusal::kNoFunds},
      {"exceeds account balance", SendRefusal::kNoFunds},
      {"enough funds", SendRefusal::kNoFunds},
      {"underpriced", SendRefusal::kFeeTooLow},
      {"feetoolow", SendRefusal::kFeeTooLow},
      {"less than block base fee", SendRefusal::kFeeTooLow},
      {"gas price", SendRefusal::kFeeTooLow},
  }};
  const std::string message = LowerCase(error.message);
  for (const auto& [words, refusal] : kWords)
    if (message.find(words) != std::string::npos) return refusal;
  return SendRefusal::kOther;
}

}  // namespace glasscase::ledger::evm
