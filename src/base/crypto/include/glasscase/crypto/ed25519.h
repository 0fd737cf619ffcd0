// Ed25519 (RFC 8032) through OpenSSL: signatures of 64 bytes, made the same way every time.
#pragma once

#include <array>
#include <memory>

#include <glasscase/core/bytes.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>

namespace glasscase {

using Ed25519Signature = std::array<uint8_t, 64>;

// Thread-safe.
class Ed25519PublicKey {
 public:
  // InvalidArgument unless there are 32 bytes. Any 32 bytes are taken; what is no point verifies nothing.
  static Result<Ed25519PublicKey> FromBytes(ByteSpan bytes);

  bool Verify(ByteSpan message, ByteSpan signature) const;
  const std::array<uint8_t, 32>& bytes() const { return bytes_; }
  bool operator==(const Ed25519PublicKey& other) const { return bytes_ == other.bytes_; }

 private:
  struct Handle;
  Ed25519PublicKey() = default;
  std::array<uint8_t, 32> bytes_{};
  std::shared_ptr<const Handle> handle_;
};

// Thread-safe.
class Ed25519Key {
 public:
  static Ed25519Key Generate(RandomSource& random);
  // The 32-byte seed of RFC 8032, as `seed` gives it. InvalidArgument for another length.
  static Result<Ed25519Key> FromSeed(const Secret& seed);

  Ed25519Signature Sign(ByteSpan message) const;
  const Ed25519PublicKey& public_key() const { return public_key_; }
  // To be kept where only the signer reads it.
  Secret Seed() const;

 private:
  struct Handle;
  Ed25519Key(std::shared_ptr<const Handle> handle, Ed25519PublicKey public_key)
      : handle_(std::move(handle)), public_key_(std::move(public_key)) {}
  std::shared_ptr<const Handle> handle_;
  Ed25519PublicKey public_key_;
};

}  // namespace glasscase
