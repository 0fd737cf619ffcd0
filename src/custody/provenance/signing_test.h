// What the tests here sign with, and how they change a signed text without or with a new signature.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/crypto/testing/seeded_random.h>
#include <glasscase/json/strict.h>
#include <glasscase/provenance/bundle.h>

namespace glasscase::provenance {

inline EcdsaPrivateKey MakeKey(uint64_t seed, Curve curve = Curve::kP256) {
  glasscase::testing::SeededRandom random(seed);
  return EcdsaPrivateKey::Generate(curve, random);
}

inline std::string Serialize(const boost::json::value& value) {
  const auto text = boost::json::serialize(value);
  return {text.data(), text.size()};
}

// The bundle with its JSON changed; the signature stays what it was.
inline std::string Change(std::string_view bundle, const std::function<void(boost::json::object&)>& change) {
  auto value = json::Parse(bundle, {.bytes_max = kBundleBytesMax}).value();
  change(value.as_object());
  return Serialize(value);
}

// A bundle of any payload, well signed: what a signer can do that means ill or does it otherwise.
inline std::string SignPayload(std::string_view payload, const EcdsaPrivateKey& key,
                               std::string_view payload_type = kInTotoPayloadType) {
  return WriteBundle({KeyHint(key.public_key()), SignEnvelope(payload_type, payload, key).value()});
}

inline std::string PayloadOf(std::string_view bundle) { return ParseBundle(bundle).value().envelope.payload; }

// The same, with the statement in it changed before it is signed.
inline std::string Resign(std::string_view bundle, const EcdsaPrivateKey& key,
                          const std::function<void(boost::json::object&)>& change) {
  return SignPayload(Change(PayloadOf(bundle), change), key);
}

}  // namespace glasscase::provenance
