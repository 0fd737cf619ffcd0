#include <glasscase/ledger/note.h>

#include <algorithm>
#include <array>

#include <glasscase/crypto/sha256.h>

namespace glasscase::ledger {
namespace {

constexpr std::string_view kDash = "\u2014 ";  // em dash and a space
constexpr std::string_view kPrivate = "PRIVATE+KEY+";
constexpr size_t kTimeBytes = 8;

std::string BigEndian(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
  return out;
}

uint64_t FromBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = (value << 8U) | static_cast<uint8_t>(byte);
  return value;
}

// SHA-256(name || 0x0A || type || public key), the first four bytes.
uint32_t KeyId(std::string_view name, KeyType type, const Ed25519PublicKey& key) {
  std::string input(name);
  input.push_back('\n');
  input.push_back(static_cast<char>(type));
  const Digest digest = Sha256(AsBytes(input), key.bytes());
  return static_cast<uint32_t>(FromBigEndian(AsText(ByteSpan(digest).first(4))));
}

std::string HexOfId(uint32_t id) { return ToHex(AsBytes(BigEndian(id, 4))); }

// What a cosignature signs: the time, then the text.
std::string CosignedMessage(std::string_view text, uint64_t time) {
  return "cosignature/v1\ntime " + std::to_string(time) + "\n" + std::string(text);
}

Error BadNote(const std::string& what) { return Error::InvalidArgument("not a signed note: " + what); }

Result<NoteSignature> ParseLine(std::string_view line) {
  if (!line.starts_with(kDash)) return Fail(BadNote("a signature line does not begin with \"\u2014 \""));
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  NoteSignature signature;
  signature.name = line.substr(0, space);
  if (space == std::string_view::npos || !IsKeyName(signature.name)) {
    return Fail(BadNote("a signature line has no name of a key"));
  }
  const auto bytes = FromBase64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5)
    return Fail(BadNote("a signature is not base64 of a key id and a signature"));
  signature.key_id = static_cast<uint32_t>(FromBigEndian(AsText(ByteSpan(*bytes).first(4))));
  signature.signature = AsText(ByteSpan(*bytes).subspan(4));
  return signature;
}

// White space of Unicode beyond ASCII: verifiers of others refuse names with it.
bool HasWideSpace(std::string_view name) {
  static constexpr std::array<std::string_view, 19> kSpaces = {
      "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
      "\u2007",   "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  return std::any_of(kSpaces.begin(), kSpaces.end(),
                     [&](std::string_view space) { return name.find(space) != std::string_view::npos; });
}

bool HasControlCharacters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x20 && c != '\n'; });
}

}  // namespace

bool IsKeyName(std::string_view name) {
  if (name.empty() || name.size() > 255 || !IsUtf8(name) || HasWideSpace(name)) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<uint8_t>(c) <= 0x20 || c == '+' || c == 0x7f; });
}

// ---- verifier ----

NoteVerifier::NoteVerifier(std::string name, KeyType type, Ed25519PublicKey key)
    : name_(std::move(name)), id_(KeyId(name_, type, key)), type_(type), key_(std::move(key)) {}

Result<NoteVerifier> NoteVerifier::Make(std::string_view name, KeyType type, const Ed25519PublicKey& key) {
  if (!IsKeyName(name)) {
    return Fail(Error::InvalidArgument("\"" + Printable(name) +
                                       "\" cannot name a key: white space and '+' are not allowed"));
  }
  return NoteVerifier(std::string(name), type, key);
}

Result<NoteVerifier> NoteVerifier::Parse(std::string_view vkey) {
  const auto bad = [&](const std::string& why) {
    return Fail(Error::InvalidArgument("\"" + Printable(vkey) + "\" is no verifier key NAME+ID+KEY: " + why));
  };
  const size_t first = vkey.find('+');
  const size_t second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return bad("two '+' are missing");
  const auto id = FromHex(vkey.substr(first + 1, second - first - 1));
  if (!id || id->size() != 4) return bad("the id is not eight hexadecimal digits");
  const auto key = FromBase64(vkey.substr(second + 1));
  if (!key || key->size() != 33) return bad("the key is not base64 of a type and 32 bytes");
  const auto type = static_cast<KeyType>((*key)[0]);
  if (type != KeyType::kEd25519 && type != KeyType::kEd25519Cosignature) {
    return bad("keys of type " + std::to_string((*key)[0]) +
               " are not known here (1: Ed25519, 4: cosignature)");
  }
  GC_TRY(const Ed25519PublicKey point, Ed25519PublicKey::FromBytes(ByteSpan(*key).subspan(1)));
  GC_TRY(NoteVerifier verifier, Make(vkey.substr(0, first), type, point));
  if (verifier.id() != FromBigEndian(AsText(*id))) return bad("the id is not that of the key");
  return verifier;
}

std::string NoteVerifier::ToString() const {
  std::string key(1, static_cast<char>(type_));
  key += AsText(key_.bytes());
  return name_ + "+" + HexOfId(id_) + "+" + ToBase64(AsBytes(key));
}

bool NoteVerifier::Verify(std::string_view text, std::string_view signature, uint64_t* time) const {
  if (type_ == KeyType::kEd25519) return key_.Verify(AsBytes(text), AsBytes(signature));
  if (signature.size() != kTimeBytes + std::tuple_size_v<Ed25519Signature>) return false;
  const uint64_t signed_time = FromBigEndian(signature.substr(0, kTimeBytes));
  if (!key_.Verify(AsBytes(CosignedMessage(text, signed_time)), AsBytes(signature.substr(kTimeBytes))))
    return false;
  if (time != nullptr) *time = signed_time;
  return true;
}

// ---- signer ----

Result<NoteSigner> NoteSigner::Make(std::string_view name, KeyType type, Ed25519Key key) {
  GC_TRY(NoteVerifier verifier, NoteVerifier::Make(name, type, key.public_key()));
  return NoteSigner(std::move(verifier), std::move(key));
}

Result<NoteSigner> NoteSigner::Parse(const Secret& text) {
  const auto bad = [] {
    return Fail(Error::InvalidArgument("this is no private key PRIVATE+KEY+NAME+ID+KEY"));
  };
  std::string_view rest = text.Reveal(RevealToken{});
  if (!rest.starts_with(kPrivate)) return bad();
  rest.remove_prefix(kPrivate.size());
  const size_t first = rest.find('+');
  const size_t second = first == std::string_view::npos ? first : rest.find('+', first + 1);
  if (second == std::string_view::npos) return bad();
  auto bytes = FromBase64(rest.substr(second + 1));
  if (!bytes || bytes->size() != 33) return bad();
  const auto type = static_cast<KeyType>(bytes->front());
  const bool known = type == KeyType::kEd25519 || type == KeyType::kEd25519Cosignature;
  const Secret seed(std::string(AsText(ByteSpan(*bytes).subspan(1))));
  WipeMemory(bytes->data(), bytes->size());
  if (!known) return bad();
  GC_TRY(Ed25519Key key, Ed25519Key::FromSeed(seed));
  GC_TRY(NoteSigner signer, Make(rest.substr(0, first), type, std::move(key)));
  if (HexOfId(signer.verifier().id()) != rest.substr(first + 1, second - first - 1)) return bad();
  return signer;
}

Secret NoteSigner::ToSecret() const {
  std::string key(1, static_cast<char>(verifier_.type()));
  key += key_.Seed().Reveal(RevealToken{});
  Secret text(std::string(kPrivate) + verifier_.name() + "+" + HexOfId(verifier_.id()) + "+" +
              ToBase64(AsBytes(key)));
  WipeMemory(key.data(), key.size());
  return text;
}

NoteSignature NoteSigner::Sign(std::string_view text, uint64_t time_seconds) const {
  NoteSignature made{.name = verifier_.name(), .key_id = verifier_.id(), .signature = {}};
  std::string message(text);
  if (verifier_.type() == KeyType::kEd25519Cosignature) {
    made.signature = BigEndian(time_seconds, kTimeBytes);
    message = CosignedMessage(text, time_seconds);
  }
  made.signature += AsText(key_.Sign(AsBytes(message)));
  return made;
}

// ---- note ----

std::string NoteSignature::ToLine() const {
  return std::string(kDash) + name + " " + ToBase64(AsBytes(BigEndian(key_id, 4) + signature)) + "\n";
}

Result<std::vector<NoteSignature>> ParseSignatureLines(std::string_view lines) {
  std::vector<NoteSignature> signatures;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    if (end == std::string_view::npos) return Fail(BadNote("the last line does not end"));
    if (signatures.size() == Note::kSignaturesMax) {
      return Fail(BadNote("more than " + std::to_string(Note::kSignaturesMax) + " signatures"));
    }
    GC_TRY(signatures.emplace_back(), ParseLine(lines.substr(0, end)));
    lines.remove_prefix(end + 1);
  }
  return signatures;
}

Result<Note> Note::Parse(std::string_view bytes) {
  if (bytes.size() > kBytesMax) return Fail(BadNote("longer than " + std::to_string(kBytesMax) + " bytes"));
  if (!IsUtf8(bytes) || HasControlCharacters(bytes)) return Fail(BadNote("it is not text"));
  const size_t blank = bytes.rfind("\n\n");
  if (blank == std::string_view::npos) return Fail(BadNote("no blank line before the signatures"));
  Note note;
  note.text = bytes.substr(0, blank + 1);
  GC_TRY(note.signatures, ParseSignatureLines(bytes.substr(blank + 2)));
  if (note.signatures.empty()) return Fail(BadNote("there are no signatures"));
  return note;
}

std::string Note::ToString() const {
  std::string bytes = text + "\n";
  for (const NoteSignature& signature : signatures) bytes += signature.ToLine();
  return bytes;
}

Result<bool> Note::IsSignedBy(const NoteVerifier& verifier, uint64_t* time) const {
  for (const NoteSignature& signature : signatures) {
    if (signature.name != verifier.name() || signature.key_id != verifier.id()) continue;
    if (verifier.Verify(text, signature.signature, time)) return true;
    return Fail(Error::PermissionDenied("the signature of " + Printable(verifier.name()) + " is wrong"));
  }
  return false;
}

}  // namespace glasscase::ledger
