#include <glasscase/provenance/dsse.h>

#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <glasscase/json/strict.h>

namespace glasscase::provenance {
namespace {

// The example of the DSSE protocol's text.
TEST(DsseTest, EncodingIsThatOfTheProtocol) {
  EXPECT_EQ(PreAuthenticationEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(PreAuthenticationEncoding("", ""), "DSSEv1 0  0 ");
}

TEST(DsseTest, LengthsAreOfBytes) {
  EXPECT_EQ(PreAuthenticationEncoding("t", "\xe2\x82\xac"), "DSSEv1 1 t 3 \xe2\x82\xac");
}

TEST(DsseTest, EnvelopesSurviveTheirJson) {
  const Envelope envelope{"a/b", std::string("\0\xff", 2), {{1, 2, 3}, {4}}};
  const auto read = EnvelopeFromJson(EnvelopeToJson(envelope));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->payload_type, envelope.payload_type);
  EXPECT_EQ(read->payload, envelope.payload);
  EXPECT_EQ(read->signatures, envelope.signatures);
}

TEST(DsseTest, WhatIsNoEnvelopeIsRefusedByTheNameOfTheMember) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "dsseEnvelope must be an object"},
      {R"({"payload":"","signatures":[{"sig":""}]})", "dsseEnvelope.payloadType must be a string"},
      {R"({"payload":"Zh==","payloadType":"t","signatures":[{"sig":""}]})",
       "dsseEnvelope.payload is not base64: base64 padding bits are not zero"},
      {R"({"payload":"","payloadType":"t","signatures":[]})",
       "dsseEnvelope.signatures must hold one to 8 signatures"},
      {R"({"payload":"","payloadType":"t","signatures":[{}]})",
       "dsseEnvelope.signatures[0].sig must be a string"},
      {R"({"payload":"","payloadType":"t","signatures":[7]})",
       "dsseEnvelope.signatures[0] must be an object"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_EQ(EnvelopeFromJson(json::Parse(text).value()).error().message(), message);
}

}  // namespace
}  // namespace glasscase::provenance
