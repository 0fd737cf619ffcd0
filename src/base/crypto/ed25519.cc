#include <glasscase/crypto/ed25519.h>

#include <algorithm>

#include <openssl/evp.h>

namespace glasscase {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

}  // namespace

struct Ed25519PublicKey::Handle {
  Key key;
};
struct Ed25519Key::Handle {
  Key key;
};

Result<Ed25519PublicKey> Ed25519PublicKey::FromBytes(ByteSpan bytes) {
  Ed25519PublicKey made;
  if (bytes.size() != made.bytes_.size()) {
    return Fail(
        Error::InvalidArgument("an Ed25519 public key has 32 bytes, not " + std::to_string(bytes.size())));
  }
  std::copy(bytes.begin(), bytes.end(), made.bytes_.begin());
  Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  GC_CHECK(key != nullptr);
  made.handle_ = std::make_shared<const Handle>(Handle{std::move(key)});
  return made;
}

bool Ed25519PublicKey::Verify(ByteSpan message, ByteSpan signature) const {
  if (signature.size() != std::tuple_size_v<Ed25519Signature>) return false;
  const Context context(EVP_MD_CTX_new());
  GC_CHECK(context != nullptr);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle_->key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

Ed25519Key Ed25519Key::Generate(RandomSource& random) {
  std::string seed(32, '\0');
  random.Fill({reinterpret_cast<uint8_t*>(seed.data()), seed.size()});
  return FromSeed(Secret(std::move(seed))).value();
}

Result<Ed25519Key> Ed25519Key::FromSeed(const Secret& seed) {
  const ByteSpan bytes = AsBytes(seed.Reveal(RevealToken()));
  if (bytes.size() != 32) {
    return Fail(Error::InvalidArgument("an Ed25519 seed has 32 bytes, not " + std::to_string(bytes.size())));
  }
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  GC_CHECK(key != nullptr);
  std::array<uint8_t, 32> point{};
  size_t length = point.size();
  GC_CHECK(EVP_PKEY_get_raw_public_key(key.get(), point.data(), &length) == 1 && length == point.size());
  GC_TRY(Ed25519PublicKey public_key, Ed25519PublicKey::FromBytes(point));
  return Ed25519Key(std::make_shared<const Handle>(Handle{std::move(key)}), std::move(public_key));
}

Ed25519Signature Ed25519Key::Sign(ByteSpan message) const {
  const Context context(EVP_MD_CTX_new());
  GC_CHECK(context != nullptr);
  Ed25519Signature signature{};
  size_t length = signature.size();
  GC_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_->key.get()) == 1);
  GC_CHECK(EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size()) == 1);
  return signature;
}

Secret Ed25519Key::Seed() const {
  std::string seed(32, '\0');
  size_t length = seed.size();
  GC_CHECK(EVP_PKEY_get_raw_private_key(handle_->key.get(), reinterpret_cast<uint8_t*>(seed.data()),
                                        &length) == 1);
  return Secret(std::move(seed));
}

}  // namespace glasscase
