// A witness: signs a checkpoint of a log that it knows when, and only when, it is a continuation of the last
// one that it signed (C2SP tlog-witness v1.0.0). So whoever finds its signature knows that the log has shown
// one history to everybody.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/clock.h>
#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/note.h>

namespace glasscase::ledger {

// What a log asks of a witness: "old SIZE", the consistency proof, a blank line, the signed checkpoint.
struct AddCheckpoint {
  static constexpr size_t kBytesMax = Note::kBytesMax + 4'096;

  uint64_t old_size = 0;
  Proof proof{};
  std::string checkpoint{};  // a signed note, as it came

  // InvalidArgument for any other spelling.
  static Result<AddCheckpoint> Parse(std::string_view body);
  std::string ToString() const;
};

// What the protocol has numbers for. They are those of HTTP, where the answers travel.
enum class WitnessVerdict : uint16_t {
  kCosigned = 200,
  kMalformed = 400,  // unreadable, or the old size is larger than the new one
  kNotSigned = 403,  // by no key of the log
  kUnknownLog = 404,
  kConflict = 409,       // the old size is not the last one, or the root of that size is another
  kNotConsistent = 422,  // the proof does not show that the new tree continues the old one
  kFailed = 500,         // the state could not be read or kept: nothing was signed
};

struct WitnessAnswer {
  WitnessVerdict verdict = WitnessVerdict::kFailed;
  std::string body{};           // lines of signatures; the size after kConflict; else a sentence
  bool body_is_a_size = false;  // then it is of type text/x.tlog.size
  // For the witness's own log: what went wrong inside, or a log that was caught. Empty otherwise.
  std::string report{};
};

// What a witness has signed last of one log.
struct Witnessed {
  Checkpoint checkpoint{};  // size 0: nothing yet
  std::string note{};       // as it was signed, with the log's signatures and the witness's own
  bool operator==(const Witnessed&) const = default;
};

// Two checkpoints that the same log signed.
struct Evidence {
  enum class Kind : uint8_t {
    kSplitView,  // of one size, with different roots: the log has lied, and here is the proof
    kUnproved,   // a larger one came without a valid proof: the log has lied, or the sender was wrong
  };
  Kind kind = Kind::kSplitView;
  std::string origin;
  std::string known;  // signed notes
  std::string other;
};

// One thread, one process.
class WitnessState {
 public:
  virtual ~WitnessState() = default;

  // DataLoss when there is something that cannot be read: never "nothing yet" then.
  virtual Result<Witnessed> Read(const std::string& origin) const = 0;
  // Durable when it returns. Aborted, with nothing changed, unless `from` is what is stored.
  virtual Status Advance(const std::string& origin, const Witnessed& from, const Witnessed& to) = 0;
  // Keeps each pair once, a split view for good, of the unproved ones the newest of each log.
  virtual Status Keep(const Evidence& evidence) = 0;
};

// One thread.
class Witness {
 public:
  struct Parts {
    NoteSigner signer;               // of type kEd25519Cosignature
    std::vector<NoteVerifier> logs;  // a log's origin is its key's name; several keys of one name are one log
    WitnessState& state;
    const Clock& clock;
  };
  // InvalidArgument for a signer or logs with keys of another type, or when there is no log.
  static Result<Witness> Make(Parts parts);

  WitnessAnswer Add(std::string_view body);
  // The last checkpoint signed of the log with this hexadecimal SHA-256(origin). NotFound.
  Result<std::string> Latest(std::string_view origin_digest) const;
  const NoteVerifier& verifier() const { return parts_.signer.verifier(); }

 private:
  struct Submission;
  explicit Witness(Parts parts) : parts_(std::move(parts)) {}
  Result<Submission> Read(std::string_view body, WitnessAnswer& refusal) const;
  WitnessAnswer Decide(const Submission& submission);
  WitnessAnswer Cosign(const Submission& submission, const Witnessed& last);
  std::string KeepEvidence(Evidence::Kind kind, const Submission& submission, const Witnessed& last);

  Parts parts_;
};

// Hexadecimal SHA-256 of an origin, as it stands in paths.
std::string OriginDigest(std::string_view origin);

}  // namespace glasscase::ledger
