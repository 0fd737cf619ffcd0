#include <glasscase/ledger/cosigning.h>

#include <algorithm>
#include <charconv>

#include <glasscase/ledger/witness.h>

namespace glasscase::ledger {
namespace {

constexpr std::string_view kSizeType = "text/x.tlog.size";

std::string AddCheckpointUrl(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url + "/add-checkpoint";
}

// A line of what a server says, for a message.
std::string FirstLine(std::string_view body) { return Printable(body.substr(0, body.find('\n')), 120); }

}  // namespace

Result<Cosigning> Cosigning::Begin(const Policy& policy, std::string_view signed_checkpoint,
                                   std::map<std::string, uint64_t> known_sizes, Prove prove) {
  Cosigning cosigning;
  GC_TRY(cosigning.note_, Note::Parse(signed_checkpoint));
  GC_TRY(cosigning.checkpoint_, Checkpoint::Parse(cosigning.note_.text));
  cosigning.policy_ = &policy;
  cosigning.prove_ = std::move(prove);
  cosigning.known_sizes_ = std::move(known_sizes);
  for (const Policy::Witness& witness : policy.witnesses()) {
    const auto is_signed = cosigning.note_.IsSignedBy(witness.verifier);
    if (is_signed && *is_signed) cosigning.cosigned_.insert(witness.name);
  }
  return cosigning;
}

Result<std::vector<WitnessRequest>> Cosigning::Requests() {
  std::vector<WitnessRequest> requests;
  for (const Policy::Witness& witness : policy_->witnesses()) {
    if (witness.url.empty() || cosigned_.contains(witness.name)) continue;
    if (tries_[witness.name]++ >= kTriesMax) continue;
    const uint64_t old_size = known_sizes_[witness.name];
    AddCheckpoint request{.old_size = old_size, .proof = {}, .checkpoint = note_.ToString()};
    // A size of which nothing can be proved is corrected by the witness's answer.
    if (old_size > checkpoint_.size) request.old_size = known_sizes_[witness.name] = 0;
    if (request.old_size != 0) {
      GC_TRY(request.proof, prove_(request.old_size));
    }
    requests.push_back(
        {.witness = witness.name, .url = AddCheckpointUrl(witness.url), .body = request.ToString()});
  }
  return requests;
}

Status Cosigning::Take(const std::string& name, const WitnessReply& reply) {
  const auto& witnesses = policy_->witnesses();
  const auto witness = std::find_if(witnesses.begin(), witnesses.end(),
                                    [&](const Policy::Witness& w) { return w.name == name; });
  if (witness == witnesses.end())
    return Fail(Error::InvalidArgument("the policy has no witness " + Printable(name)));
  Status taken;
  if (reply.status == static_cast<int>(WitnessVerdict::kCosigned)) {
    taken = TakeSignatures(*witness, reply.body);
  } else if (reply.status == static_cast<int>(WitnessVerdict::kConflict)) {
    taken = reply.content_type == kSizeType
                ? TakeSize(*witness, reply.body)
                : Fail(Error::FailedPrecondition(
                      "it has signed another root for " + std::to_string(checkpoint_.size) +
                      " entries: the log has shown two histories, or somebody else signs with its key"));
  } else {
    taken = Fail(
        Error::Unavailable("it answered " + std::to_string(reply.status) + ": " + FirstLine(reply.body)));
  }
  if (taken) return Ok();
  tries_[name] = kTriesMax;
  return Fail(taken.error().WithContext("witness " + name));
}

Status Cosigning::TakeSize(const Policy::Witness& witness, std::string_view body) {
  const std::string_view digits = body.substr(0, body.find('\n'));
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (error != std::errc() || end != digits.data() + digits.size())
    return Fail(Error::Unavailable("it answered with a size that is no number: " + FirstLine(body)));
  if (size > checkpoint_.size) {
    return Fail(
        Error::FailedPrecondition("it has seen " + std::to_string(size) + " entries of this log, which has " +
                                  std::to_string(checkpoint_.size) +
                                  ": an old state was put back, or somebody else signs with its key"));
  }
  known_sizes_[witness.name] = size;
  return Ok();
}

// Of what it answers only its own signature is taken.
Status Cosigning::TakeSignatures(const Policy::Witness& witness, std::string_view body) {
  if (body.size() > Note::kBytesMax) return Fail(Error::Unavailable("its answer is too long"));
  GC_TRY(std::vector<NoteSignature> signatures, ParseSignatureLines(body));
  Note answered{.text = note_.text, .signatures = std::move(signatures)};
  GC_TRY(const bool is_signed, answered.IsSignedBy(witness.verifier));
  if (!is_signed) return Fail(Error::PermissionDenied("its answer has no signature of its key"));
  const auto own =
      std::find_if(answered.signatures.begin(), answered.signatures.end(), [&](const auto& line) {
        return line.name == witness.verifier.name() && line.key_id == witness.verifier.id();
      });
  note_.signatures.push_back(*own);
  known_sizes_[witness.name] = checkpoint_.size;
  cosigned_.insert(witness.name);
  return Ok();
}

}  // namespace glasscase::ledger
