#include <glasscase/rpc/convert.h>

#include <cstring>
#include <string>

#include <glasscase/core/bytes.h>

namespace glasscase::rpc {
namespace {

constexpr access::Roles kAllRoles = access::kLearner | access::kOwner | access::kOperator;
constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kPeriodNsMax = 366 * 86400 * kSecondNs;
constexpr uint32_t kQuotaCallsMax = 1'000'000'000;

std::string BytesOf(const Uuid& id) { return std::string(id.AsBytes()); }
std::string BytesOrEmpty(const Uuid& id) { return id.IsNil() ? std::string() : BytesOf(id); }
std::string BytesOf(const Digest& digest) { return std::string(AsText(digest)); }

// Nil for empty bytes, where the field may be left out.
Result<Uuid> OptionalUuid(const std::string& bytes) {
  if (bytes.empty()) return Uuid{};
  return Uuid::FromBytes(bytes);
}

Result<Digest> DigestFromBytes(const std::string& bytes) {
  Digest digest;
  if (bytes.size() != digest.size()) {
    return Fail(Error::InvalidArgument("a digest has 32 bytes, not " + std::to_string(bytes.size())));
  }
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

template <typename Repeated>
Status ReadUuids(const Repeated& from, std::vector<Uuid>& to) {
  to.reserve(static_cast<size_t>(from.size()));
  for (const std::string& bytes : from) {
    GC_TRY(const Uuid id, Uuid::FromBytes(bytes));
    to.push_back(id);
  }
  return Ok();
}

// Converts every message of `from` with `convert`, a function to Result<Row>.
template <typename Repeated, typename Row, typename Convert>
Status ReadRows(const Repeated& from, std::vector<Row>& to, Convert convert) {
  to.reserve(static_cast<size_t>(from.size()));
  for (const auto& message : from) {
    GC_TRY(auto row, convert(message));
    to.push_back(std::move(row));
  }
  return Ok();
}

void Write(const access::SubjectRow& row, SubjectRow* message) {
  message->set_id(BytesOf(row.id));
  message->set_name(row.name);
  message->set_roles(row.roles);
}

Result<access::SubjectRow> Read(const SubjectRow& message) {
  access::SubjectRow row;
  GC_TRY(row.id, Uuid::FromBytes(message.id()));
  if (message.roles() == 0 || (message.roles() & ~uint32_t{kAllRoles}) != 0) {
    return Fail(Error::InvalidArgument("a subject has unknown roles: " + std::to_string(message.roles())));
  }
  row.name = message.name();
  row.roles = static_cast<access::Roles>(message.roles());
  return row;
}

void Write(const access::TokenRow& row, TokenRow* message) {
  message->set_id(BytesOf(row.id));
  message->set_subject(BytesOf(row.subject));
  message->set_digest(BytesOf(row.digest));
  message->set_expires_micros(row.expires_micros);
}

Result<access::TokenRow> Read(const TokenRow& message) {
  access::TokenRow row;
  GC_TRY(row.id, Uuid::FromBytes(message.id()));
  GC_TRY(row.subject, Uuid::FromBytes(message.subject()));
  GC_TRY(row.digest, DigestFromBytes(message.digest()));
  row.expires_micros = message.expires_micros();
  return row;
}

void Write(const access::VersionRow& row, VersionRow* message) {
  message->set_id(BytesOf(row.id));
  message->set_label(row.label);
  message->set_manifest_digest(BytesOf(row.manifest_digest));
  message->set_sha256(BytesOf(row.sha256));
  for (const TensorSpec& spec : row.inputs) *message->add_inputs() = ToMessage(spec);
  for (const TensorSpec& spec : row.outputs) *message->add_outputs() = ToMessage(spec);
  message->set_rows_independent(row.rows_independent);
  message->set_retired(row.retired);
  message->set_disabled_reason(row.disabled_reason);
  message->set_weights_bytes(row.weights_bytes);
}

Result<access::VersionRow> Read(const VersionRow& message) {
  access::VersionRow row;
  GC_TRY(row.id, Uuid::FromBytes(message.id()));
  GC_TRY(row.manifest_digest, DigestFromBytes(message.manifest_digest()));
  GC_TRY(row.sha256, DigestFromBytes(message.sha256()));
  const auto read_spec = [](const TensorRow& spec) { return FromMessage(spec); };
  GC_TRY_VOID(ReadRows(message.inputs(), row.inputs, read_spec));
  GC_TRY_VOID(ReadRows(message.outputs(), row.outputs, read_spec));
  row.label = message.label();
  row.rows_independent = message.rows_independent();
  row.retired = message.retired();
  row.disabled_reason = message.disabled_reason();
  row.weights_bytes = message.weights_bytes();
  return row;
}

void Write(const access::ModelRow& row, ModelRow* message) {
  message->set_id(BytesOf(row.id));
  message->set_owner(BytesOf(row.owner));
  message->set_owner_name(row.owner_name);
  message->set_name(row.name);
  message->set_host_slot(row.host_slot);
  message->set_default_version(BytesOrEmpty(row.default_version));
  for (const access::VersionRow& version : row.versions) Write(version, message->add_versions());
}

Result<access::ModelRow> Read(const ModelRow& message) {
  access::ModelRow row;
  GC_TRY(row.id, Uuid::FromBytes(message.id()));
  GC_TRY(row.owner, Uuid::FromBytes(message.owner()));
  GC_TRY(row.default_version, OptionalUuid(message.default_version()));
  GC_TRY_VOID(
      ReadRows(message.versions(), row.versions, [](const VersionRow& version) { return Read(version); }));
  row.owner_name = message.owner_name();
  row.name = message.name();
  row.host_slot = message.host_slot();
  return row;
}

void Write(const access::GrantRow& row, GrantRow* message) {
  message->set_id(BytesOf(row.id));
  message->set_subject(BytesOf(row.subject));
  message->set_model(BytesOf(row.model));
  message->set_version(BytesOrEmpty(row.version));
  message->set_expires_micros(row.expires_micros);
  if (row.quota) {
    message->set_quota_calls(row.quota->calls);
    message->set_quota_period_ns(row.quota->period_ns);
  }
}

Result<access::GrantRow> Read(const GrantRow& message) {
  access::GrantRow row;
  GC_TRY(row.id, Uuid::FromBytes(message.id()));
  GC_TRY(row.subject, Uuid::FromBytes(message.subject()));
  GC_TRY(row.model, Uuid::FromBytes(message.model()));
  GC_TRY(row.version, OptionalUuid(message.version()));
  row.expires_micros = message.expires_micros();
  const bool has_quota = message.quota_calls() != 0 || message.quota_period_ns() != 0;
  if (!has_quota) return row;
  if (message.quota_calls() == 0 || message.quota_calls() > kQuotaCallsMax ||
      message.quota_period_ns() < kSecondNs || message.quota_period_ns() > kPeriodNsMax) {
    return Fail(Error::InvalidArgument("a grant's quota is out of range"));
  }
  row.quota = access::Quota{.calls = message.quota_calls(), .period_ns = message.quota_period_ns()};
  return row;
}

}  // namespace

TableUpdate ToMessage(const access::TableUpdate& update) {
  TableUpdate message;
  message.set_reset(update.reset);
  for (const Uuid& id : update.removed_subjects) message.add_removed_subjects(BytesOf(id));
  for (const Uuid& id : update.removed_tokens) message.add_removed_tokens(BytesOf(id));
  for (const Uuid& id : update.removed_models) message.add_removed_models(BytesOf(id));
  for (const Uuid& id : update.removed_grants) message.add_removed_grants(BytesOf(id));
  for (const access::SubjectRow& row : update.subjects) Write(row, message.add_subjects());
  for (const access::TokenRow& row : update.tokens) Write(row, message.add_tokens());
  for (const access::ModelRow& row : update.models) Write(row, message.add_models());
  for (const access::GrantRow& row : update.grants) Write(row, message.add_grants());
  return message;
}

Result<access::TableUpdate> FromMessage(const TableUpdate& message) {
  access::TableUpdate update;
  update.reset = message.reset();
  GC_TRY_VOID(ReadUuids(message.removed_subjects(), update.removed_subjects));
  GC_TRY_VOID(ReadUuids(message.removed_tokens(), update.removed_tokens));
  GC_TRY_VOID(ReadUuids(message.removed_models(), update.removed_models));
  GC_TRY_VOID(ReadUuids(message.removed_grants(), update.removed_grants));
  const auto read = [](const auto& row) { return Read(row); };
  GC_TRY_VOID(ReadRows(message.subjects(), update.subjects, read));
  GC_TRY_VOID(ReadRows(message.tokens(), update.tokens, read));
  GC_TRY_VOID(ReadRows(message.models(), update.models, read));
  GC_TRY_VOID(ReadRows(message.grants(), update.grants, read));
  return update;
}

AuditBatch ToMessage(std::span<const access::AuditRecord> records) {
  AuditBatch message;
  message.set_records(records.data(), records.size_bytes());
  return message;
}

Result<std::vector<access::AuditRecord>> FromMessage(const AuditBatch& message) {
  const std::string& bytes = message.records();
  if (bytes.size() % sizeof(access::AuditRecord) != 0) {
    return Fail(Error::InvalidArgument("an audit batch has " + std::to_string(bytes.size()) + " bytes"));
  }
  std::vector<access::AuditRecord> records(bytes.size() / sizeof(access::AuditRecord));
  if (!records.empty()) std::memcpy(records.data(), bytes.data(), bytes.size());
  for (const access::AuditRecord& record : records) {
    const auto stage = static_cast<uint8_t>(record.stage);
    if (record.object_bytes > sizeof record.object || access::ReasonName(record.reason) == "unknown" ||
        stage < 1 || stage > static_cast<uint8_t>(access::Stage::kCustodian)) {
      return Fail(Error::InvalidArgument("an audit record is out of range"));
    }
  }
  return records;
}

TensorRow ToMessage(const TensorSpec& spec) {
  TensorRow message;
  message.set_name(spec.name);
  message.set_datatype(static_cast<uint32_t>(spec.datatype));
  for (const int64_t dimension : spec.shape) message.add_shape(dimension);
  return message;
}

Result<TensorSpec> FromMessage(const TensorRow& row) {
  TensorSpec spec;
  if (row.datatype() > 0xFF || !IsDataType(static_cast<uint8_t>(row.datatype()))) {
    return Fail(Error::InvalidArgument("unknown datatype: " + std::to_string(row.datatype())));
  }
  if (row.name().size() > kTensorNameBytesMax || static_cast<size_t>(row.shape_size()) > kRankMax) {
    return Fail(Error::InvalidArgument("a tensor's name or shape is too long"));
  }
  spec.name = row.name();
  spec.datatype = static_cast<DataType>(row.datatype());
  for (const int64_t dimension : row.shape()) {
    if (dimension < -1)
      return Fail(Error::InvalidArgument("a dimension is negative: " + std::to_string(dimension)));
    spec.shape.push_back(dimension);
  }
  return spec;
}

}  // namespace glasscase::rpc
