#include <glasscase/crypto/checksum.h>

#include <openssl/sha.h>

#include <utility>
#include <variant>

// See sha256.cc: these need no look-up of an algorithm, which a confined process could not do.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace glasscase {

struct ChecksumStream::State {
  std::variant<SHA_CTX, SHA256_CTX> context;
};

std::optional<ChecksumKind> ChecksumKindFromName(std::string_view name) {
  for (const ChecksumKind kind : {ChecksumKind::kSha1, ChecksumKind::kSha256})
    if (ChecksumName(kind) == name) return kind;
  return std::nullopt;
}

std::string_view ChecksumName(ChecksumKind kind) { return kind == ChecksumKind::kSha1 ? "sha1" : "sha256"; }

size_t ChecksumBytes(ChecksumKind kind) {
  return kind == ChecksumKind::kSha1 ? size_t{SHA_DIGEST_LENGTH} : size_t{SHA256_DIGEST_LENGTH};
}

ChecksumStream::ChecksumStream(ChecksumKind kind) : state_(std::make_unique<State>()) {
  if (kind == ChecksumKind::kSha1) {
    GC_CHECK(SHA1_Init(&state_->context.emplace<SHA_CTX>()) == 1);
  } else {
    GC_CHECK(SHA256_Init(&state_->context.emplace<SHA256_CTX>()) == 1);
  }
}
ChecksumStream::ChecksumStream(ChecksumStream&&) noexcept = default;
ChecksumStream::~ChecksumStream() = default;

void ChecksumStream::Update(ByteSpan bytes) {
  if (auto* sha1 = std::get_if<SHA_CTX>(&state_->context)) {
    SHA1_Update(sha1, bytes.data(), bytes.size());
  } else {
    SHA256_Update(&std::get<SHA256_CTX>(state_->context), bytes.data(), bytes.size());
  }
}

Bytes ChecksumStream::Finish() {
  if (auto* sha1 = std::get_if<SHA_CTX>(&state_->context)) {
    Bytes digest(SHA_DIGEST_LENGTH);
    GC_CHECK(SHA1_Final(digest.data(), sha1) == 1);
    return digest;
  }
  Bytes digest(SHA256_DIGEST_LENGTH);
  GC_CHECK(SHA256_Final(digest.data(), &std::get<SHA256_CTX>(state_->context)) == 1);
  return digest;
}

}  // namespace glasscase
