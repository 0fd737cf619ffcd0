// Any bytes as a bundle, and, since no fuzzer guesses a signature, any bytes as the payload of a well signed
// one: what is accepted is consistent and can be signed again.
#include <glasscase/crypto/testing/seeded_random.h>
#include <glasscase/provenance/bundle.h>
#include <glasscase/provenance/model_signature.h>
#include <glasscase/provenance/publish.h>

namespace {

using namespace glasscase;              // NOLINT(google-build-using-namespace)
using namespace glasscase::provenance;  // NOLINT(google-build-using-namespace)

const EcdsaPrivateKey& Key() {
  static const EcdsaPrivateKey key = [] {
    glasscase::testing::SeededRandom random(1);
    return EcdsaPrivateKey::Generate(Curve::kP256, random);
  }();
  return key;
}

void OpenAll(std::string_view text) {
  const EcdsaPublicKey keys[] = {Key().public_key()};
  if (const auto opened = OpenStatement(text, keys)) {
    const auto publication = ReadPublishStatement(opened->statement);
    if (publication) GC_CHECK(ReadPublishStatement(MakePublishStatement(*publication)) == publication);
  }
  const auto model = OpenModelSignature(text, keys);
  if (!model) return;
  GC_CHECK(ModelDigest(model->resources) == model->digest);
  GC_CHECK(model->Check(model->resources, {}));
  GC_CHECK(!model->Check({}, {}));
  GC_CHECK(SignModel(model->name, model->resources, model->serialization, Key()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  OpenAll(input);
  OpenAll(WriteBundle({KeyHint(Key().public_key()), SignEnvelope(kInTotoPayloadType, input, Key()).value()}));
  return 0;
}
