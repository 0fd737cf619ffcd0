// Any bytes as a signed note: one that is read is written again byte for byte, so that what a witness signs
// is what the log signed; and as lines of signatures, as a witness answers.
#include <glasscase/ledger/note.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto note = Note::Parse(bytes)) {
    GC_CHECK(note->ToString() == bytes);
    GC_CHECK(!note->signatures.empty() && note->text.ends_with('\n'));
  }
  if (const auto lines = ParseSignatureLines(bytes)) {
    std::string again;
    for (const NoteSignature& line : *lines) again += line.ToLine();
    GC_CHECK(again == bytes);
  }
  if (const auto verifier = NoteVerifier::Parse(bytes)) {
    GC_CHECK(NoteVerifier::Parse(verifier->ToString())->ToString() == verifier->ToString());
    GC_CHECK(!verifier->Verify("text\n", bytes));
  }
  return 0;
}
