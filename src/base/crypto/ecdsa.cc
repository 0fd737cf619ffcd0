#include <glasscase/crypto/ecdsa.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

#include <glasscase/crypto/owned.h>

namespace glasscase {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using Number = Owned<BIGNUM, BN_clear_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using SharedKey = std::shared_ptr<EVP_PKEY>;

constexpr size_t kPemBytesMax = 16 * 1024;

struct CurveFacts {
  Curve curve;
  const char* name;     // what people call it
  const char* openssl;  // what OpenSSL calls it
  int nid;
  size_t scalar_bytes;
  uint8_t top_mask;  // bits of the first byte that a scalar can have
};
constexpr std::array<CurveFacts, 3> kCurves{{
    {Curve::kP256, "P-256", "prime256v1", NID_X9_62_prime256v1, 32, 0xFF},
    {Curve::kP384, "P-384", "secp384r1", NID_secp384r1, 48, 0xFF},
    {Curve::kP521, "P-521", "secp521r1", NID_secp521r1, 66, 0x01},
}};

const CurveFacts& FactsOf(Curve curve) { return kCurves[static_cast<size_t>(curve)]; }

const EVP_MD* HashOf(Curve curve) {
  switch (curve) {
    case Curve::kP256: return EVP_sha256();
    case Curve::kP384: return EVP_sha384();
    case Curve::kP521: return EVP_sha512();
  }
  return nullptr;
}

// OpenSSL keeps a list of what went wrong per thread; left there, it would come up in an innocent later call.
struct ClearErrors {
  ClearErrors() { ERR_clear_error(); }
  ClearErrors(const ClearErrors&) = delete;
  ClearErrors& operator=(const ClearErrors&) = delete;
  ~ClearErrors() { ERR_clear_error(); }
};

SharedKey Share(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

std::string TextParameter(const EVP_PKEY& key, const char* name) {
  std::array<char, 80> buffer{};
  size_t length = 0;
  if (EVP_PKEY_get_utf8_string_param(&key, name, buffer.data(), buffer.size(), &length) != 1) return {};
  return {buffer.data(), length};
}

// Says which of our curves the key is on, and makes it be written in one form.
Result<Curve> Examine(EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "EC") != 1)
    return Fail(Error::InvalidArgument("not an elliptic curve key; P-256, P-384 or P-521 is needed"));
  if (TextParameter(key, OSSL_PKEY_PARAM_EC_ENCODING) != OSSL_PKEY_EC_ENCODING_GROUP)
    return Fail(
        Error::InvalidArgument("the key writes out its curve's parameters instead of naming the curve"));
  const std::string group = TextParameter(key, OSSL_PKEY_PARAM_GROUP_NAME);
  for (const CurveFacts& facts : kCurves) {
    if (group != facts.openssl) continue;
    GC_CHECK(EVP_PKEY_set_utf8_string_param(&key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                            OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1);
    return facts.curve;
  }
  return Fail(Error::InvalidArgument("the key is on the curve " + Printable(group, 40) +
                                     "; P-256, P-384 or P-521 is needed"));
}

Status CheckKey(EVP_PKEY& key, bool has_private_part) {
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_from_pkey(nullptr, &key, nullptr));
  GC_CHECK(context);
  const int good = has_private_part ? EVP_PKEY_check(context.get()) : EVP_PKEY_public_check(context.get());
  if (good == 1) return Ok();
  return Fail(Error::InvalidArgument(has_private_part ? "the private key does not belong to its public part"
                                                      : "the key's point is not on its curve"));
}

// A scalar from 1 to the order less one, each as likely: what is out of range is thrown away and drawn again.
Number DrawScalar(const CurveFacts& facts, const BIGNUM& order, RandomSource& random) {
  std::array<uint8_t, 66> bytes{};
  Number scalar(BN_secure_new());
  GC_CHECK(scalar);
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  do {
    random.Fill({bytes.data(), facts.scalar_bytes});
    bytes[0] &= facts.top_mask;
    GC_CHECK(BN_bin2bn(bytes.data(), static_cast<int>(facts.scalar_bytes), scalar.get()) != nullptr);
  } while (BN_is_zero(scalar.get()) || BN_cmp(scalar.get(), &order) >= 0);
  WipeMemory(bytes.data(), bytes.size());
  return scalar;
}

SharedKey MakeKey(const CurveFacts& facts, const BIGNUM& scalar, ByteSpan point) {
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  GC_CHECK(builder);
  GC_CHECK(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, facts.openssl, 0) == 1);
  GC_CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1);
  GC_CHECK(OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                            point.size()) == 1);
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  GC_CHECK(parameters && context);
  GC_CHECK(EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  GC_CHECK(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) == 1);
  return Share(key);
}

Bio OpenForReading(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  GC_CHECK(bio);
  return bio;
}

std::string Contents(BIO& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return {data, static_cast<size_t>(size)};
}

// Asked for a password, OpenSSL would otherwise turn to the terminal.
int RefusePassword(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Status CheckPemSize(size_t bytes) {
  if (bytes <= kPemBytesMax) return Ok();
  return Fail(Error::InvalidArgument("a PEM file of " + std::to_string(bytes) +
                                     " bytes is not one key; at most " + std::to_string(kPemBytesMax) +
                                     " are read"));
}

}  // namespace

std::string_view CurveName(Curve curve) { return FactsOf(curve).name; }

// ---- public
// ---------------------------------------------------------------------------------------------------------

Result<EcdsaPublicKey> EcdsaPublicKey::FromPem(std::string_view pem) {
  const ClearErrors clear;
  GC_TRY_VOID(CheckPemSize(pem.size()));
  bool was_asked = false;
  SharedKey key = Share(PEM_read_bio_PUBKEY(OpenForReading(pem).get(), nullptr, RefusePassword, &was_asked));
  if (!key)
    return Fail(Error::InvalidArgument("no public key in PEM form (-----BEGIN PUBLIC KEY-----) found"));
  GC_TRY(const Curve curve, Examine(*key));
  GC_TRY_VOID(CheckKey(*key, false));
  return EcdsaPublicKey(std::move(key), curve);
}

Result<EcdsaPublicKey> EcdsaPublicKey::FromDer(ByteSpan spki) {
  const ClearErrors clear;
  const uint8_t* next = spki.data();
  GC_TRY_VOID(CheckPemSize(spki.size()));
  SharedKey key = Share(d2i_PUBKEY(nullptr, &next, static_cast<long>(spki.size())));
  if (!key || next != spki.data() + spki.size())
    return Fail(Error::InvalidArgument("not a public key in DER form (SubjectPublicKeyInfo)"));
  GC_TRY(const Curve curve, Examine(*key));
  GC_TRY_VOID(CheckKey(*key, false));
  return EcdsaPublicKey(std::move(key), curve);
}

Bytes EcdsaPublicKey::Der() const {
  const int size = i2d_PUBKEY(key_.get(), nullptr);
  GC_CHECK(size > 0);
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  GC_CHECK(i2d_PUBKEY(key_.get(), &next) == size);
  return der;
}

std::string EcdsaPublicKey::Pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  GC_CHECK(bio && PEM_write_bio_PUBKEY(bio.get(), key_.get()) == 1);
  return Contents(*bio);
}

Status EcdsaPublicKey::Verify(ByteSpan message, ByteSpan signature) const {
  const ClearErrors clear;
  const DigestContext context(EVP_MD_CTX_new());
  GC_CHECK(context);
  GC_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, HashOf(curve_), nullptr, key_.get()) == 1);
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) ==
      1)
    return Ok();
  return Fail(Error::InvalidArgument("the signature is not one of this message by this key"));
}

// ---- private
// --------------------------------------------------------------------------------------------------------

EcdsaPrivateKey EcdsaPrivateKey::Generate(Curve curve, RandomSource& random) {
  const ClearErrors clear;
  const CurveFacts& facts = FactsOf(curve);
  const Owned<EC_GROUP, EC_GROUP_free> group(EC_GROUP_new_by_curve_name(facts.nid));
  GC_CHECK(group);
  const Number scalar = DrawScalar(facts, *EC_GROUP_get0_order(group.get()), random);
  const Owned<EC_POINT, EC_POINT_free> point(EC_POINT_new(group.get()));
  GC_CHECK(point && EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, nullptr) == 1);
  std::array<uint8_t, 133> encoded{};
  const size_t size = EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                                         encoded.data(), encoded.size(), nullptr);
  GC_CHECK(size != 0);
  return EcdsaPrivateKey(EcdsaPublicKey(MakeKey(facts, *scalar, {encoded.data(), size}), curve));
}

Result<EcdsaPrivateKey> EcdsaPrivateKey::FromPem(const Secret& pem) {
  const ClearErrors clear;
  const std::string_view text = pem.Reveal(RevealToken());
  GC_TRY_VOID(CheckPemSize(text.size()));
  bool was_asked = false;
  SharedKey key =
      Share(PEM_read_bio_PrivateKey(OpenForReading(text).get(), nullptr, RefusePassword, &was_asked));
  if (was_asked)
    return Fail(Error::FailedPrecondition(
        "the private key is locked with a password; unlock it first (openssl pkey)"));
  if (!key)
    return Fail(Error::InvalidArgument("no private key in PEM form (-----BEGIN PRIVATE KEY-----) found"));
  GC_TRY(const Curve curve, Examine(*key));
  GC_TRY_VOID(CheckKey(*key, true));
  return EcdsaPrivateKey(EcdsaPublicKey(std::move(key), curve));
}

Secret EcdsaPrivateKey::Pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  GC_CHECK(bio);
  GC_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), public_.key_.get(), nullptr, nullptr, 0, nullptr,
                                         nullptr) == 1);
  return Secret(Contents(*bio));
}

Result<Bytes> EcdsaPrivateKey::Sign(ByteSpan message) const {
  const ClearErrors clear;
  const DigestContext context(EVP_MD_CTX_new());
  GC_CHECK(context);
  Bytes signature(static_cast<size_t>(EVP_PKEY_get_size(public_.key_.get())));
  size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, HashOf(curve()), nullptr, public_.key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return Fail(Error::Internal("OpenSSL could not sign"));
  signature.resize(size);
  return signature;
}

}  // namespace glasscase
