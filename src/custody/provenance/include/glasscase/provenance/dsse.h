// DSSE v1: bytes of a named type, and signatures of both. What is signed is the pre-authentication encoding,
// in which the type and the payload cannot run into each other. api/formats/provenance.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>

namespace glasscase::provenance {

inline constexpr std::string_view kInTotoPayloadType = "application/vnd.in-toto+json";

struct Envelope {
  std::string payload_type;
  std::string payload;  // as signed, byte for byte
  std::vector<Bytes> signatures;
};

// "DSSEv1 <length of type> <type> <length of payload> <payload>".
std::string PreAuthenticationEncoding(std::string_view payload_type, std::string_view payload);

// An envelope with one signature.
Result<Envelope> SignEnvelope(std::string_view payload_type, std::string_view payload,
                              const EcdsaPrivateKey& key);

// The JSON form: payload and signatures in base64.
boost::json::value EnvelopeToJson(const Envelope& envelope);
// Needs `payload`, `payloadType` and one to eight `signatures`; base64 strictly. Other members, `keyid` among
// them, are not signed and are passed over.
Result<Envelope> EnvelopeFromJson(const boost::json::value& json);

}  // namespace glasscase::provenance
