// The key of the account that pays for and publishes what is written to a chain.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>

namespace glasscase::ledger::evm {

using Address = std::array<uint8_t, 20>;

// "0x…" with the capitals of EIP-55, which show a mistyped one.
std::string AddressText(const Address& address);
// 0x and 40 digits; with digits in both cases, the capitals must be those of EIP-55. InvalidArgument.
Result<Address> ParseAddress(std::string_view text);

struct Signature {
  Digest r{};
  Digest s{};  // the low one of the two that fit (EIP-2)
  uint8_t y_parity = 0;
  bool operator==(const Signature&) const = default;
};

// A secp256k1 key. const functions are safe together.
class SigningKey {
 public:
  // 64 hexadecimal digits, with or without 0x; white space around them is passed over. InvalidArgument, which
  // never shows them.
  static Result<SigningKey> FromHex(const Secret& text);
  static SigningKey Generate(RandomSource& random);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  const Address& address() const { return address_; }
  Secret ToHex(RevealToken reveal) const;
  // The same signature each time (RFC 6979).
  Signature Sign(const Digest& digest) const;

 private:
  struct Context;
  SigningKey();
  Status Take(Secret thirty_two_bytes);

  std::unique_ptr<Context> context_;
  Secret key_;
  Address address_{};
};

}  // namespace glasscase::ledger::evm
