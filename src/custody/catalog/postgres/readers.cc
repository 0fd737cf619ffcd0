#include "readers.h"

#include <glasscase/catalog/row_text.h>

namespace glasscase::catalog::postgres {
namespace {

Error DamagedRow(std::string_view table) {
  return Error::DataLoss("the catalog holds a damaged row in " + std::string(table) +
                         "; restore a backup of the database");
}

}  // namespace

Result<Subject> ReadSubject(ResultRow& row) {
  Subject subject{.id = row.Id(0), .name = row.Text(1)};
  subject.roles = static_cast<access::Roles>(row.Integer(2));
  if (const auto slot = row.IntegerOrNull(3)) subject.host_slot = static_cast<uint32_t>(*slot);
  subject.added_by = row.IdOrNil(4);
  subject.created_micros = row.Integer(5);
  constexpr access::Roles kAll = access::kLearner | access::kOwner | access::kOperator;
  if (row.damaged() || subject.roles == 0 || (subject.roles & ~kAll) != 0)
    return Fail(DamagedRow("subjects"));
  return subject;
}

Result<Token> ReadToken(ResultRow& row) {
  Token token{.id = row.Id(0), .subject = row.Id(1)};
  token.edge_digest = row.DigestAt(2);
  token.host_digest = row.DigestAt(3);
  token.custodian_digest = row.DigestAt(4);
  token.hint = row.Text(5);
  token.created_micros = row.Integer(6);
  token.expires_micros = row.Integer(7);
  token.last_used_micros = row.Integer(8);
  token.revoked_micros = row.Integer(9);
  if (row.damaged()) return Fail(DamagedRow("tokens"));
  return token;
}

Result<Invitation> ReadInvitation(ResultRow& row) {
  Invitation invitation{.id = row.Id(0), .subject = row.Id(1), .custodian_digest = row.DigestAt(2)};
  invitation.token_lifetime_micros = row.Integer(3);
  invitation.created_micros = row.Integer(4);
  invitation.expires_micros = row.Integer(5);
  invitation.redeemed_micros = row.Integer(6);
  invitation.revoked_micros = row.Integer(7);
  if (row.damaged()) return Fail(DamagedRow("invitations"));
  return invitation;
}

Result<Grant> ReadGrant(ResultRow& row) {
  Grant grant{.id = row.Id(0), .subject = row.Id(1), .model = row.Id(2), .version = row.IdOrNil(3)};
  grant.action = row.Text(4);
  const auto calls = row.IntegerOrNull(5);
  const auto period = row.IntegerOrNull(6);
  if (calls && period)
    grant.quota =
        access::Quota{.calls = static_cast<uint32_t>(*calls), .period_ns = static_cast<uint64_t>(*period)};
  grant.created_micros = row.Integer(7);
  grant.expires_micros = row.Integer(8);
  grant.revoked_micros = row.Integer(9);
  if (row.damaged() || calls.has_value() != period.has_value() ||
      (grant.action != "predict" && grant.action != "take"))
    return Fail(DamagedRow("grants"));
  return grant;
}

Result<Model> ReadModel(ResultRow& row) {
  Model model{.id = row.Id(0), .owner = row.Id(1), .name = row.Text(2), .default_version = row.IdOrNil(3)};
  model.created_micros = row.Integer(4);
  model.kind = static_cast<AssetKind>(row.Integer(5));
  model.secret = row.DigestOrNull(6);
  model.licence = row.Text(7);
  model.tags = LinesFromText(row.Text(8));
  if (row.damaged()) return Fail(DamagedRow("models"));
  return model;
}

Result<Version> ReadVersion(ResultRow& row) {
  Version version{.id = row.Id(0), .model = row.Id(1), .label = row.Text(2)};
  version.state = static_cast<VersionState>(row.Integer(3));
  version.note = row.Text(4);
  version.faults = static_cast<uint32_t>(row.Integer(5));
  version.sha256 = row.DigestAt(6);
  version.manifest_digest = row.DigestAt(7);
  version.bytes = static_cast<uint64_t>(row.Integer(8));
  GC_TRY(version.inputs, TensorsFromText(row.Text(9)));
  GC_TRY(version.outputs, TensorsFromText(row.Text(10)));
  version.rows_independent = row.Flag(11);
  version.rows_reason = row.Text(12);
  version.producer = row.Text(13);
  version.runtime_version = row.Text(14);
  version.parameters = row.Integer(15);
  version.card = row.Text(16);
  version.published_by = row.Id(17);
  version.created_micros = row.Integer(18);
  version.hostable = row.Flag(19);
  version.media_type = row.Text(20);
  if (row.damaged() || version.state < VersionState::kPublished || version.state > VersionState::kDisabled)
    return Fail(DamagedRow("versions"));
  return version;
}

Result<VersionFile> ReadFile(ResultRow& row) {
  VersionFile file{.path = row.Text(0),
                   .bytes = static_cast<uint64_t>(row.Integer(1)),
                   .sha256 = row.DigestAt(2),
                   .is_graph = row.Flag(3)};
  if (row.damaged()) return Fail(DamagedRow("version_files"));
  return file;
}

Result<Lineage> ReadLineage(ResultRow& row) {
  Lineage edge{.child = row.Id(0), .parent = row.Id(1), .relation = static_cast<Relation>(row.Integer(2))};
  edge.witnessed = row.Flag(3);
  edge.created_micros = row.Integer(4);
  if (row.damaged()) return Fail(DamagedRow("lineage"));
  return edge;
}

}  // namespace glasscase::catalog::postgres
