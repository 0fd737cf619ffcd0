// Any bytes as a request to a witness: what is read has one spelling, and nothing is signed that the log has
// not signed. And as the answer of one to a log.
#include <glasscase/ledger/cosigning.h>
#include <glasscase/ledger/testing/memory_witness_state.h>
#include <glasscase/ledger/witness.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  static const NoteVerifier log =
      NoteVerifier::Parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").value();
  static const NoteSigner signer =
      NoteSigner::Make("witness.example", KeyType::kEd25519Cosignature,
                       Ed25519Key::FromSeed(Secret(std::string(32, 'w'))).value())
          .value();
  static const SystemClock clock;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = AddCheckpoint::Parse(bytes)) GC_CHECK(request->ToString() == bytes);

  testing::MemoryWitnessState state;
  Witness witness = Witness::Make({.signer = signer, .logs = {log}, .state = state, .clock = clock}).value();
  GC_CHECK(witness.Add(bytes).verdict != WitnessVerdict::kCosigned && state.logs.empty());

  static const Policy policy = Policy::Parse("log " + log.ToString() + "\nwitness w " +
                                             signer.verifier().ToString() + " https://w.example\nquorum w\n")
                                   .value();
  static const std::string checkpoint =
      "example.com/foo\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" + signer.Sign("text\n").ToLine();
  for (const int status : {200, 409}) {
    auto cosigning =
        Cosigning::Begin(policy, checkpoint, {}, [](uint64_t) -> Result<Proof> { return Proof{}; });
    if (!cosigning->Take("w",
                         {.status = status, .content_type = "text/x.tlog.size", .body = std::string(bytes)}))
      continue;
    GC_CHECK(status == 409 && !cosigning->IsEnough());
  }
  return 0;
}
