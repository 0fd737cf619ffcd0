#include <glasscase/json/object_reader.h>
#include <glasscase/provenance/dsse.h>

namespace glasscase::provenance {

using json::Element;
using json::ObjectReader;

namespace {

constexpr size_t kSignaturesMax = 8;

Result<Bytes> Base64Member(const ObjectReader& object, std::string_view name) {
  GC_TRY(const std::string text, object.String(name));
  auto bytes = FromBase64(text);
  if (!bytes) return Fail(object.Wrong(name, "is not base64: " + bytes.error().message()));
  return bytes;
}

}  // namespace

std::string PreAuthenticationEncoding(std::string_view payload_type, std::string_view payload) {
  std::string out = "DSSEv1 " + std::to_string(payload_type.size()) + " ";
  out.append(payload_type).append(" ").append(std::to_string(payload.size())).append(" ").append(payload);
  return out;
}

Result<Envelope> SignEnvelope(std::string_view payload_type, std::string_view payload,
                              const EcdsaPrivateKey& key) {
  GC_TRY(Bytes signature, key.Sign(AsBytes(PreAuthenticationEncoding(payload_type, payload))));
  return Envelope{std::string(payload_type), std::string(payload), {std::move(signature)}};
}

boost::json::value EnvelopeToJson(const Envelope& envelope) {
  boost::json::array signatures;
  // An empty keyid is what model-signing writes; some readers want the member.
  for (const Bytes& signature : envelope.signatures)
    signatures.push_back(boost::json::object{{"sig", ToBase64(signature)}, {"keyid", ""}});
  return boost::json::object{{"payload", ToBase64(AsBytes(envelope.payload))},
                             {"payloadType", envelope.payload_type},
                             {"signatures", std::move(signatures)}};
}

Result<Envelope> EnvelopeFromJson(const boost::json::value& json) {
  GC_TRY(const ObjectReader object, ObjectReader::Open(json, "dsseEnvelope"));
  Envelope envelope;
  GC_TRY(envelope.payload_type, object.String("payloadType"));
  GC_TRY(const Bytes payload, Base64Member(object, "payload"));
  envelope.payload = AsText(payload);
  GC_TRY(const auto* signatures, object.Array("signatures"));
  if (signatures->empty() || signatures->size() > kSignaturesMax)
    return Fail(
        object.Wrong("signatures", "must hold one to " + std::to_string(kSignaturesMax) + " signatures"));
  for (size_t i = 0; i < signatures->size(); ++i) {
    GC_TRY(const ObjectReader signature,
           ObjectReader::Open((*signatures)[i], Element("dsseEnvelope.signatures", i)));
    GC_TRY(envelope.signatures.emplace_back(), Base64Member(signature, "sig"));
  }
  return envelope;
}

}  // namespace glasscase::provenance
