#include <glasscase/ledger/witness.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include <glasscase/crypto/sha256.h>

namespace glasscase::ledger {
namespace {

constexpr std::string_view kOld = "old ";

Error Bad(const std::string& what) { return Error::InvalidArgument("not a request to a witness: " + what); }

// nullopt in an unfinished line too.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<uint64_t> ParseOldSize(std::optional<std::string_view> line) {
  if (!line || !line->starts_with(kOld)) return Fail(Bad("the first line is not \"old SIZE\""));
  const std::string_view digits = line->substr(kOld.size());
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (error != std::errc() || end != digits.data() + digits.size() || std::to_string(size) != digits)
    return Fail(Bad("\"" + Printable(digits, 40) + "\" is no size"));
  return size;
}

WitnessAnswer Refuse(WitnessVerdict verdict, const std::string& why) {
  return {.verdict = verdict, .body = why + "\n"};
}

WitnessAnswer KnownSize(uint64_t size) {
  return {.verdict = WitnessVerdict::kConflict, .body = std::to_string(size) + "\n", .body_is_a_size = true};
}

// The sender is not told more than that: the rest is the operator's affair.
WitnessAnswer Failed(const std::string& report) {
  return {.verdict = WitnessVerdict::kFailed,
          .body = "the witness could not keep its state; nothing was signed\n",
          .report = report};
}

}  // namespace

std::string OriginDigest(std::string_view origin) { return ToHex(Sha256(AsBytes(origin))); }

Result<AddCheckpoint> AddCheckpoint::Parse(std::string_view body) {
  if (body.size() > kBytesMax) return Fail(Bad("longer than " + std::to_string(kBytesMax) + " bytes"));
  AddCheckpoint request;
  GC_TRY(request.old_size, ParseOldSize(TakeLine(body)));
  auto line = TakeLine(body);
  for (; line && !line->empty(); line = TakeLine(body)) {
    if (request.proof.size() == kProofHashesMax) return Fail(Bad("the proof is too long"));
    const auto bytes = FromBase64(*line);
    Hash hash{};
    if (!bytes || bytes->size() != hash.size())
      return Fail(Bad("a line of the proof is not base64 of 32 bytes"));
    std::copy(bytes->begin(), bytes->end(), hash.begin());
    request.proof.push_back(hash);
  }
  if (!line) return Fail(Bad("no blank line before the checkpoint"));
  request.checkpoint = body;
  return request;
}

std::string AddCheckpoint::ToString() const {
  std::string body = std::string(kOld) + std::to_string(old_size) + "\n";
  for (const Hash& hash : proof) body += ToBase64(hash) + "\n";
  return body + "\n" + checkpoint;
}

// A request of which it is known that the log signed its checkpoint.
struct Witness::Submission {
  AddCheckpoint request;
  Checkpoint checkpoint;
  Note note;  // with the signatures of the log's known keys only
};

Result<Witness> Witness::Make(Parts parts) {
  if (parts.signer.verifier().type() != KeyType::kEd25519Cosignature)
    return Fail(Error::InvalidArgument("a witness signs with a key of type 4"));
  if (parts.logs.empty()) return Fail(Error::InvalidArgument("a witness needs at least one log to watch"));
  for (const NoteVerifier& log : parts.logs) {
    if (log.type() != KeyType::kEd25519)
      return Fail(Error::InvalidArgument("the key of the log " + log.name() + " is not of type 1"));
  }
  return Witness(std::move(parts));
}

WitnessAnswer Witness::Add(std::string_view body) {
  WitnessAnswer refusal;
  const auto submission = Read(body, refusal);
  return submission ? Decide(*submission) : refusal;
}

// An error goes with an answer in `refusal`.
Result<Witness::Submission> Witness::Read(std::string_view body, WitnessAnswer& refusal) const {
  const auto refuse = [&](WitnessVerdict verdict, const Error& error) {
    refusal = Refuse(verdict, error.message());
    return Fail(error);
  };
  Submission read;
  auto request = AddCheckpoint::Parse(body);
  if (!request) return refuse(WitnessVerdict::kMalformed, request.error());
  read.request = std::move(*request);
  auto note = Note::Parse(read.request.checkpoint);
  if (!note) return refuse(WitnessVerdict::kMalformed, note.error());
  auto checkpoint = Checkpoint::Parse(note->text);
  if (!checkpoint) return refuse(WitnessVerdict::kMalformed, checkpoint.error());
  read.checkpoint = std::move(*checkpoint);
  read.note.text = note->text;
  bool known = false;
  for (const NoteVerifier& log : parts_.logs) {
    if (log.name() != read.checkpoint.origin) continue;
    known = true;
    const auto is_signed = note->IsSignedBy(log);
    if (!is_signed) return refuse(WitnessVerdict::kNotSigned, is_signed.error());
    for (const NoteSignature& signature : note->signatures) {
      if (!*is_signed || signature.name != log.name() || signature.key_id != log.id()) continue;
      read.note.signatures.push_back(signature);
      break;
    }
  }
  const std::string origin = Printable(read.checkpoint.origin);
  if (!known)
    return refuse(WitnessVerdict::kUnknownLog,
                  Error::NotFound("this witness does not watch the log " + origin));
  if (read.note.signatures.empty()) {
    return refuse(
        WitnessVerdict::kNotSigned,
        Error::PermissionDenied("no key that this witness knows of the log " + origin + " has signed"));
  }
  return read;
}

WitnessAnswer Witness::Decide(const Submission& submission) {
  const Checkpoint& offered = submission.checkpoint;
  const uint64_t old_size = submission.request.old_size;
  if (old_size > offered.size)
    return Refuse(WitnessVerdict::kMalformed, "the old size is larger than that of the checkpoint");
  const auto last = parts_.state.Read(offered.origin);
  if (!last) return Failed(last.error().message());
  const Checkpoint& known = last->checkpoint;

  // Whatever the sender says of the old size: the log has signed both.
  std::string report;
  const bool splits = known.size != 0 && offered.size == known.size && offered.root != known.root;
  if (splits) report = KeepEvidence(Evidence::Kind::kSplitView, submission, *last);
  if (old_size != known.size) {
    WitnessAnswer answer = KnownSize(known.size);
    answer.report = report;
    return answer;
  }
  if (splits) {
    WitnessAnswer answer = Refuse(WitnessVerdict::kConflict, "the log has signed another root for this size");
    answer.report = report;
    return answer;
  }
  const Hash known_root = known.size == 0 ? EmptyRoot() : known.root;
  const Status consistent =
      CheckConsistency(known.size, known_root, offered.size, offered.root, submission.request.proof);
  if (!consistent) {
    WitnessAnswer answer = Refuse(WitnessVerdict::kNotConsistent, consistent.error().message());
    if (known.size != 0) answer.report = KeepEvidence(Evidence::Kind::kUnproved, submission, *last);
    return answer;
  }
  return Cosign(submission, *last);
}

// The signature leaves only when what it binds the witness to is durable.
WitnessAnswer Witness::Cosign(const Submission& submission, const Witnessed& last) {
  const auto seconds = static_cast<uint64_t>(parts_.clock.WallMicros() / 1'000'000);
  const NoteSignature cosignature = parts_.signer.Sign(submission.note.text, seconds);
  Note note = submission.note;
  note.signatures.push_back(cosignature);
  const Witnessed next{.checkpoint = submission.checkpoint, .note = note.ToString()};
  const Status stored = parts_.state.Advance(submission.checkpoint.origin, last, next);
  if (!stored) return Failed(stored.error().message());
  return {.verdict = WitnessVerdict::kCosigned, .body = cosignature.ToLine()};
}

std::string Witness::KeepEvidence(Evidence::Kind kind, const Submission& submission, const Witnessed& last) {
  const Status kept = parts_.state.Keep({.kind = kind,
                                         .origin = submission.checkpoint.origin,
                                         .known = last.note,
                                         .other = submission.note.ToString()});
  const std::string sizes = std::to_string(last.checkpoint.size) + " and " +
                            std::to_string(submission.checkpoint.size) + " entries";
  std::string report =
      "the log " + Printable(submission.checkpoint.origin) +
      (kind == Evidence::Kind::kSplitView ? " has shown two histories: it signed two roots for " +
                                                std::to_string(last.checkpoint.size) + " entries"
                                          : " was offered without a valid proof between " + sizes) +
      "; both checkpoints are kept as evidence";
  if (!kept) report += ", but that failed: " + kept.error().message();
  return report;
}

Result<std::string> Witness::Latest(std::string_view origin_digest) const {
  for (const NoteVerifier& log : parts_.logs) {
    if (OriginDigest(log.name()) != origin_digest) continue;
    GC_TRY(Witnessed last, parts_.state.Read(log.name()));
    if (last.checkpoint.size == 0 && last.note.empty()) break;
    return std::move(last.note);
  }
  return Fail(Error::NotFound("this witness has signed no checkpoint of such a log"));
}

}  // namespace glasscase::ledger
