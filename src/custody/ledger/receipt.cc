#include <glasscase/ledger/receipt.h>

#include <algorithm>
#include <charconv>

namespace glasscase::ledger {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";

Error Bad(const std::string& what) { return Error::InvalidArgument("not a receipt: " + what); }

// The next line without its line feed; nullopt at the end of the text or in an unfinished line.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<Hash> ParseHash(std::string_view line) {
  const auto bytes = FromBase64(line);
  Hash hash{};
  if (!bytes || bytes->size() != hash.size())
    return Fail(Bad("a line of the proof is not base64 of 32 bytes"));
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

Result<uint64_t> ParseIndex(std::optional<std::string_view> line) {
  if (!line || !line->starts_with(kIndex)) return Fail(Bad("there is no line \"index NUMBER\""));
  const std::string_view digits = line->substr(kIndex.size());
  uint64_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size() || std::to_string(index) != digits)
    return Fail(Bad("\"" + Printable(digits, 40) + "\" is no index"));
  return index;
}

const Policy::Log* LogThatSigned(const Note& note, const Policy& policy, Status& status) {
  for (const Policy::Log& log : policy.logs()) {
    const auto is_signed = note.IsSignedBy(log.verifier);
    if (!is_signed) {
      status = Fail(is_signed.error());
      return nullptr;
    }
    if (*is_signed) return &log;
  }
  std::string names;
  for (const Policy::Log& log : policy.logs()) names += (names.empty() ? "" : ", ") + log.verifier.name();
  status =
      Fail(Error::PermissionDenied("the checkpoint is not signed by a log of the policy (" + names + ")"));
  return nullptr;
}

}  // namespace

Result<Receipt> Receipt::Parse(std::string_view text) {
  if (text.size() > kBytesMax) return Fail(Bad("longer than " + std::to_string(kBytesMax) + " bytes"));
  auto line = TakeLine(text);
  if (line != kFirstLine) return Fail(Bad("the first line is not \"" + std::string(kFirstLine) + "\""));
  Receipt receipt;
  line = TakeLine(text);
  if (line && line->starts_with(kExtra)) {
    const auto extra = FromBase64(line->substr(kExtra.size()));
    if (!extra || extra->empty()) return Fail(Bad("the extra data is not base64"));
    receipt.extra = AsText(*extra);
    line = TakeLine(text);
  }
  GC_TRY(receipt.index, ParseIndex(line));
  for (line = TakeLine(text); line && !line->empty(); line = TakeLine(text)) {
    if (receipt.proof.size() == kProofHashesMax) return Fail(Bad("the proof is too long"));
    GC_TRY(receipt.proof.emplace_back(), ParseHash(*line));
  }
  if (!line) return Fail(Bad("it ends before the checkpoint"));
  receipt.checkpoint = text;
  GC_TRY_VOID(Note::Parse(receipt.checkpoint));
  return receipt;
}

std::string Receipt::ToString() const {
  std::string text = std::string(kFirstLine) + "\n";
  if (!extra.empty()) text += std::string(kExtra) + ToBase64(AsBytes(extra)) + "\n";
  text += std::string(kIndex) + std::to_string(index) + "\n";
  for (const Hash& hash : proof) text += ToBase64(hash) + "\n";
  return text + "\n" + checkpoint;
}

Result<CheckedCheckpoint> CheckCheckpoint(std::string_view signed_note, const Policy& policy) {
  GC_TRY(const Note note, Note::Parse(signed_note));
  CheckedCheckpoint checked;
  GC_TRY(checked.checkpoint, Checkpoint::Parse(note.text));
  Status status;
  const Policy::Log* log = LogThatSigned(note, policy, status);
  if (log == nullptr) return Fail(status.error());
  checked.log = log->verifier.name();
  if (checked.log != checked.checkpoint.origin)
    return Fail(Error::PermissionDenied("the checkpoint of " + Printable(checked.checkpoint.origin) +
                                        " is signed by the log " + checked.log));
  std::set<std::string> cosigned;
  for (const Policy::Witness& witness : policy.witnesses()) {
    uint64_t time = 0;
    GC_TRY(const bool is_signed, note.IsSignedBy(witness.verifier, &time));
    if (!is_signed) continue;
    cosigned.insert(witness.name);
    checked.newest_cosignature = std::max(checked.newest_cosignature, time);
  }
  if (!policy.IsQuorum(cosigned))
    return Fail(Error::PermissionDenied("too few witnesses have seen this checkpoint: needed " +
                                        policy.QuorumText() + ", cosigned by " +
                                        std::to_string(cosigned.size())));
  checked.witnesses.assign(cosigned.begin(), cosigned.end());
  return checked;
}

Result<CheckedCheckpoint> CheckReceipt(const Receipt& receipt, std::string_view entry, const Policy& policy) {
  GC_TRY(CheckedCheckpoint checked, CheckCheckpoint(receipt.checkpoint, policy));
  GC_TRY(const Hash root,
         RootOfInclusion(receipt.index, checked.checkpoint.size, HashLeaf(AsBytes(entry)), receipt.proof));
  if (root != checked.checkpoint.root)
    return Fail(Error::FailedPrecondition("the entry is not entry " + std::to_string(receipt.index) +
                                          " of the log " + checked.log + ": entry or proof was altered"));
  return checked;
}

}  // namespace glasscase::ledger
