#include <glasscase/ledger_evm/signing_key.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "keccak.h"

namespace glasscase::ledger::evm {
namespace {

const uint8_t* BytesOf(const Secret& key) { return AsBytes(key.Reveal(RevealToken())).data(); }

}  // namespace

struct SigningKey::Context {
  secp256k1_context* context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  Context() {
    GC_CHECK(context != nullptr);
    std::array<uint8_t, 32> seed;
    SystemRandom().Fill(seed);
    GC_CHECK(secp256k1_context_randomize(context, seed.data()) == 1);  // blinds against timing and power
    WipeMemory(seed.data(), seed.size());
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { secp256k1_context_destroy(context); }
};

std::string AddressText(const Address& address) {
  std::string digits = ToHex(address);
  const std::string hash = ToHex(Keccak256(AsBytes(digits)));
  for (size_t i = 0; i < digits.size(); ++i)
    if (hash[i] >= '8') digits[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(digits[i])));
  return "0x" + digits;
}

Result<Address> ParseAddress(std::string_view text) {
  const auto bytes = FromHex(text.starts_with("0x") ? text.substr(2) : "");
  if (!bytes || bytes->size() != Address().size())
    return Fail(Error::InvalidArgument("not an address (0x and 40 hexadecimal digits): " + Printable(text)));
  Address address;
  std::ranges::copy(*bytes, address.begin());
  const std::string_view digits = text.substr(2);
  const bool has_lower = std::ranges::any_of(digits, [](unsigned char c) { return std::islower(c) != 0; });
  const bool has_upper = std::ranges::any_of(digits, [](unsigned char c) { return std::isupper(c) != 0; });
  if (has_lower && has_upper && AddressText(address) != text)
    return Fail(Error::InvalidArgument("an address with a mistake in it (EIP-55): " + Printable(text)));
  return address;
}

SigningKey::SigningKey() : context_(std::make_unique<Context>()) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Status SigningKey::Take(Secret thirty_two_bytes) {
  key_ = std::move(thirty_two_bytes);
  secp256k1_pubkey public_key;
  if (secp256k1_ec_pubkey_create(context_->context, &public_key, BytesOf(key_)) != 1)
    return Fail(Error::InvalidArgument("the chain key is not a secp256k1 key: its number is out of range"));
  std::array<uint8_t, 65> point;
  size_t size = point.size();
  secp256k1_ec_pubkey_serialize(context_->context, point.data(), &size, &public_key,
                                SECP256K1_EC_UNCOMPRESSED);
  const Digest hash = Keccak256(ByteSpan(point).subspan(1));
  std::copy(hash.end() - 20, hash.end(), address_.begin());
  return Ok();
}

Result<SigningKey> SigningKey::FromHex(const Secret& text) {
  std::string_view digits = text.Reveal(RevealToken());
  while (!digits.empty() && std::isspace(static_cast<unsigned char>(digits.back()))) digits.remove_suffix(1);
  while (!digits.empty() && std::isspace(static_cast<unsigned char>(digits.front()))) digits.remove_prefix(1);
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  auto bytes = DigestFromHex(digits);
  if (!bytes) return Fail(Error::InvalidArgument("the chain key is not 64 hexadecimal digits"));
  SigningKey key;
  Secret raw{std::string(AsText(*bytes))};
  WipeMemory(bytes->data(), bytes->size());
  GC_TRY_VOID(key.Take(std::move(raw)));
  return key;
}

SigningKey SigningKey::Generate(RandomSource& random) {
  SigningKey key;
  while (true) {  // one in 2^128 numbers is no key
    std::string raw(32, '\0');
    random.Fill({reinterpret_cast<uint8_t*>(raw.data()), raw.size()});
    if (key.Take(Secret(std::move(raw)))) return key;
  }
}

Secret SigningKey::ToHex(RevealToken reveal) const {
  return Secret(glasscase::ToHex(AsBytes(key_.Reveal(reveal))));
}

Signature SigningKey::Sign(const Digest& digest) const {
  secp256k1_ecdsa_recoverable_signature signature;
  GC_CHECK(secp256k1_ecdsa_sign_recoverable(context_->context, &signature, digest.data(), BytesOf(key_),
                                            nullptr, nullptr) == 1);
  std::array<uint8_t, 64> both;
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context_->context, both.data(), &recovery_id,
                                                          &signature);
  Signature result{.y_parity = static_cast<uint8_t>(recovery_id & 1)};
  std::copy_n(both.begin(), 32, result.r.begin());
  std::copy_n(both.begin() + 32, 32, result.s.begin());
  return result;
}

}  // namespace glasscase::ledger::evm
