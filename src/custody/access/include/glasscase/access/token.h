// Opaque tokens: what a caller presents instead of a name.
//
//   gct_<30 characters of base62><6 characters: CRC-32 of the 30, base62>      (gci_ for invitations)
//
// 30 random base62 characters carry 178 bits. The checksum lets anyone tell a mistyped or cut token from an
// unknown one without asking a server, and lets secret scanners find leaked ones (as GitHub's do). Only
// digests are stored.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>

namespace glasscase::access {

enum class TokenKind : uint8_t { kAccess, kInvitation };

Secret NewToken(TokenKind kind, RandomSource& random);

// Checks prefix, alphabet, length and checksum: no look-up. InvalidArgument says which.
Status CheckTokenFormat(std::string_view token);

// Three different values are derived from one token, so that what one process stores or receives opens
// nothing at another: the edge keeps SHA-256(token); it sends the host HostCredential(token), of which the
// host keeps the SHA-256; and the custodian CustodianCredential(token), of which the catalog keeps the
// SHA-256.
Digest EdgeDigest(std::string_view token);
Digest HostCredential(std::string_view token);       // SHA-256("glasscase-host" || token)
Digest CustodianCredential(std::string_view token);  // SHA-256("glasscase-custodian" || token)
Digest CredentialDigest(const Digest& credential);   // SHA-256(credential)

}  // namespace glasscase::access
