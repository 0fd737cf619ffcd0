// Signed notes: a text and signatures under it (C2SP signed-note v1.0.0), by Ed25519 keys and by witnesses
// (C2SP tlog-cosignature v1.0.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/crypto/ed25519.h>

namespace glasscase::ledger {

enum class KeyType : uint8_t {
  kEd25519 = 0x01,
  kEd25519Cosignature = 0x04,  // signs the time too
};

// "example.com/log+530d903a+AekyeRrm...": a name, the key's id, its type and itself.
class NoteVerifier {
 public:
  // InvalidArgument for names with spaces or '+', ids that are not the key's, unknown types.
  static Result<NoteVerifier> Parse(std::string_view vkey);
  static Result<NoteVerifier> Make(std::string_view name, KeyType type, const Ed25519PublicKey& key);

  const std::string& name() const { return name_; }
  uint32_t id() const { return id_; }
  KeyType type() const { return type_; }
  std::string ToString() const;

  // `signature` is what stands in the line after the key's id. For a cosignature `time` becomes its time, in
  // seconds since 1970.
  bool Verify(std::string_view text, std::string_view signature, uint64_t* time = nullptr) const;

 private:
  NoteVerifier(std::string name, KeyType type, Ed25519PublicKey key);
  std::string name_;
  uint32_t id_ = 0;
  KeyType type_;
  Ed25519PublicKey key_;
};

// A line under a note: "— name base64(id || signature)".
struct NoteSignature {
  std::string name;
  uint32_t key_id = 0;
  std::string signature;

  std::string ToLine() const;  // with its line feed
  bool operator==(const NoteSignature&) const = default;
};

class NoteSigner {
 public:
  static Result<NoteSigner> Make(std::string_view name, KeyType type, Ed25519Key key);
  // "PRIVATE+KEY+NAME+ID+base64(type || seed)", as Go's note package writes it. InvalidArgument never repeats
  // what it was given.
  static Result<NoteSigner> Parse(const Secret& text);
  Secret ToSecret() const;

  const NoteVerifier& verifier() const { return verifier_; }
  // `time_seconds` is signed by cosignatures only.
  NoteSignature Sign(std::string_view text, uint64_t time_seconds = 0) const;

 private:
  NoteSigner(NoteVerifier verifier, Ed25519Key key) : verifier_(std::move(verifier)), key_(std::move(key)) {}
  NoteVerifier verifier_;
  Ed25519Key key_;
};

struct Note {
  static constexpr size_t kBytesMax = 1'000'000;
  static constexpr size_t kSignaturesMax = 100;

  std::string text;  // ends in a line feed
  std::vector<NoteSignature> signatures;

  // InvalidArgument: control characters, no blank line before the signatures, a line of another form, none.
  static Result<Note> Parse(std::string_view bytes);
  std::string ToString() const;

  // Whether the verifier signed it. PermissionDenied when one claims its name and id and is wrong.
  Result<bool> IsSignedBy(const NoteVerifier& verifier, uint64_t* time = nullptr) const;
};

// The lines alone, as witnesses answer.
Result<std::vector<NoteSignature>> ParseSignatureLines(std::string_view lines);

// A name of a key: not empty, UTF-8, no white space, no '+'.
bool IsKeyName(std::string_view name);

}  // namespace glasscase::ledger
