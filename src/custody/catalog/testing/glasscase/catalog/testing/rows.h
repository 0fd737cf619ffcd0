// Rows for tests, with the least that makes them sound.
#pragma once

#include <string>
#include <utility>

#include <glasscase/catalog/rows.h>

namespace glasscase::catalog::testing {

inline Digest DigestOf(uint8_t byte) {
  Digest digest;
  digest.fill(byte);
  return digest;
}

inline Subject SomeSubject(std::string name, access::Roles roles = access::kLearner) {
  Subject subject;
  subject.id = Uuid::Random();
  subject.name = std::move(name);
  subject.roles = roles;
  subject.created_micros = 1;
  return subject;
}
inline Token SomeToken(const Uuid& subject, uint8_t digest_byte) {
  Token token;
  token.id = Uuid::Random();
  token.subject = subject;
  token.edge_digest = DigestOf(digest_byte);
  token.host_digest = DigestOf(digest_byte);
  token.custodian_digest = DigestOf(digest_byte);
  token.hint = "wxyz";
  token.created_micros = 2;
  return token;
}
inline Model SomeModel(const Uuid& owner, std::string name) {
  Model model;
  model.id = Uuid::Random();
  model.owner = owner;
  model.name = std::move(name);
  return model;
}
inline Version SomeVersion(const Model& model, std::string label) {
  Version version;
  version.id = Uuid::Random();
  version.model = model.id;
  version.label = std::move(label);
  version.sha256 = DigestOf(7);
  version.manifest_digest = DigestOf(8);
  version.bytes = 12;
  version.inputs = {{.name = "x\\y\nz", .datatype = DataType::kFp32, .shape = {-1, 4}}};
  version.outputs = {{.name = "", .datatype = DataType::kBytes, .shape = {}}};
  version.card = "# Card\n";
  version.parameters = 15;
  version.published_by = model.owner;
  return version;
}
inline Grant SomeGrant(const Uuid& subject, const Uuid& model) {
  Grant grant;
  grant.id = Uuid::Random();
  grant.subject = subject;
  grant.model = model;
  return grant;
}

}  // namespace glasscase::catalog::testing
