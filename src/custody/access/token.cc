#include <glasscase/access/token.h>

#include <array>

#include <glasscase/crypto/sha256.h>

namespace glasscase::access {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kPrefixChars = 4;
constexpr size_t kRandomChars = 30;
constexpr size_t kChecksumChars = 6;
constexpr size_t kTokenChars = kPrefixChars + kRandomChars + kChecksumChars;

std::string_view PrefixOf(TokenKind kind) { return kind == TokenKind::kAccess ? "gct_" : "gci_"; }

// CRC-32 of ISO 3309 (zlib's, gzip's), one byte at a time: 30 characters do not deserve a library.
constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t Crc32(std::string_view text) {
  uint32_t value = 0xFFFFFFFFU;
  for (const char c : text) value = (value >> 8) ^ kCrcTable[(value ^ static_cast<uint8_t>(c)) & 0xFFU];
  return value ^ 0xFFFFFFFFU;
}

std::array<char, kChecksumChars> ChecksumOf(std::string_view random_part) {
  std::array<char, kChecksumChars> text{};
  uint32_t crc = Crc32(random_part);
  for (size_t i = kChecksumChars; i-- > 0; crc /= 62) text[i] = kAlphabet[crc % 62];
  return text;
}

bool IsBase62(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

Secret NewToken(TokenKind kind, RandomSource& random) {
  std::string token;
  token.reserve(kTokenChars);
  token = PrefixOf(kind);
  std::array<uint8_t, 64> bytes{};
  size_t next = bytes.size();
  while (token.size() < kPrefixChars + kRandomChars) {
    if (next == bytes.size()) {
      random.Fill(bytes);
      next = 0;
    }
    const uint8_t byte = bytes[next++];
    if (byte < 248) token += kAlphabet[byte % 62];  // 248 = 4 * 62: no character is likelier than another
  }
  const auto checksum = ChecksumOf(std::string_view(token).substr(kPrefixChars));
  token.append(checksum.data(), checksum.size());
  WipeMemory(bytes.data(), bytes.size());
  return Secret(std::move(token));
}

// No comparison here has to hide its time: whoever sends a token can compute the checksum of it alone.
Status CheckTokenFormat(std::string_view token) {
  const std::string_view prefix = token.substr(0, kPrefixChars);
  if (prefix != PrefixOf(TokenKind::kAccess) && prefix != PrefixOf(TokenKind::kInvitation)) {
    return Fail(Error::InvalidArgument("not a Glasscase token: it begins with neither gct_ nor gci_"));
  }
  if (token.size() != kTokenChars) {
    return Fail(Error::InvalidArgument("token has " + std::to_string(token.size()) +
                                       " characters instead of " + std::to_string(kTokenChars) +
                                       ": was it cut when copied?"));
  }
  for (const char c : token.substr(kPrefixChars)) {
    if (!IsBase62(c)) return Fail(Error::InvalidArgument("token contains a character outside 0-9, A-Z, a-z"));
  }
  const auto checksum = ChecksumOf(token.substr(kPrefixChars, kRandomChars));
  if (token.substr(kPrefixChars + kRandomChars) != std::string_view(checksum.data(), checksum.size())) {
    return Fail(Error::InvalidArgument("token has a wrong checksum: was it mistyped?"));
  }
  return Ok();
}

Digest EdgeDigest(std::string_view token) { return Sha256(AsBytes(token)); }
Digest HostCredential(std::string_view token) { return Sha256(AsBytes("glasscase-host"), AsBytes(token)); }
Digest CustodianCredential(std::string_view token) {
  return Sha256(AsBytes("glasscase-custodian"), AsBytes(token));
}
Digest CredentialDigest(const Digest& credential) { return Sha256(credential); }

}  // namespace glasscase::access
