#include "table_rows.h"

#include <algorithm>
#include <set>

namespace glasscase::operations {
namespace {

using catalog::Catalog;
using catalog::VersionState;

constexpr size_t kIdBytes = 18;

// Collects rows and hands them on whenever a part is full.
class PartWriter {
 public:
  PartWriter(const PartSink& sink, bool reset) : sink_(sink) { part_.reset = reset; }

  void Add(access::SubjectRow row) {
    const size_t bytes = 2 * kIdBytes + row.name.size();
    Add(part_.subjects, std::move(row), bytes);
  }
  void Add(const access::TokenRow& row) { Add(part_.tokens, row, 90); }
  void Add(const access::GrantRow& row) { Add(part_.grants, row, 100); }
  void Add(access::ModelRow row) {
    const size_t bytes = RowBytes(row);
    Add(part_.models, std::move(row), bytes);
  }
  void RemoveSubject(const Uuid& id) { Add(part_.removed_subjects, id, kIdBytes); }
  void RemoveToken(const Uuid& id) { Add(part_.removed_tokens, id, kIdBytes); }
  void RemoveModel(const Uuid& id) { Add(part_.removed_models, id, kIdBytes); }
  void RemoveGrant(const Uuid& id) { Add(part_.removed_grants, id, kIdBytes); }

  void Finish() {
    if (rows_ > 0 || part_.reset) sink_(part_, false);
  }

 private:
  template <typename Rows, typename Row>
  void Add(Rows& rows, Row row, size_t bytes) {
    if (rows_ > 0 && bytes_ + bytes > kPartBytes) HandOn();
    rows.push_back(std::move(row));
    bytes_ += bytes;
    ++rows_;
  }
  void HandOn() {
    sink_(part_, true);
    part_ = {};
    bytes_ = 0;
    rows_ = 0;
  }

  const PartSink& sink_;
  access::TableUpdate part_;
  size_t bytes_ = 0;
  size_t rows_ = 0;
};

access::SubjectRow ToRow(const catalog::Subject& subject) {
  return {.id = subject.id, .name = subject.name, .roles = subject.roles};
}
access::TokenRow ToRow(const catalog::Token& token, bool for_host) {
  return {.id = token.id,
          .subject = token.subject,
          .digest = for_host ? token.host_digest : token.edge_digest,
          .expires_micros = token.expires_micros};
}
access::GrantRow ToRow(const catalog::Grant& grant) {
  return {.id = grant.id,
          .subject = grant.subject,
          .model = grant.model,
          .version = grant.version,
          .expires_micros = grant.expires_micros,
          .quota = grant.quota};
}

// Grants of other actions than calling are decided by the custodian alone.
void AddCallGrant(const catalog::Grant& grant, PartWriter& writer) {
  if (grant.action == "predict") writer.Add(ToRow(grant));
}

Result<access::ModelRow> ReadModelRow(const Catalog& catalog, const catalog::Model& model) {
  GC_TRY(const auto owner, catalog.FindSubject(model.owner));
  if (!owner) return Fail(Error::DataLoss("model without an owner: " + model.id.ToString()));
  GC_TRY(const auto versions, catalog.VersionsOf(model.id));
  return operations::ToRow(model, *owner, versions);
}

Status WriteTokens(const Catalog& catalog, const std::optional<Uuid>& subject, bool for_host,
                   PartWriter& writer) {
  return catalog.EachToken(subject, [&](const catalog::Token& token) {
    if (token.revoked_micros == 0) writer.Add(ToRow(token, for_host));
    return Ok();
  });
}

Status WriteModels(const Catalog& catalog, const std::optional<Uuid>& owner, PartWriter& writer) {
  return catalog.EachModel(owner, [&](const catalog::Model& model) -> Status {
    if (model.kind != catalog::AssetKind::kModel) return Ok();
    GC_TRY(access::ModelRow row, ReadModelRow(catalog, model));
    writer.Add(std::move(row));
    return Ok();
  });
}

Status WriteWholeForHost(const Catalog& catalog, uint32_t host_slot, PartWriter& writer) {
  GC_TRY(const auto owner, catalog.FindOwnerOfSlot(host_slot));
  if (!owner) return Ok();
  std::set<Uuid> callers = {owner->id};
  GC_TRY_VOID(
      catalog.EachGrant({.owner = owner->id, .with_revoked = false}, [&](const catalog::Grant& grant) {
        callers.insert(grant.subject);
        AddCallGrant(grant, writer);
        return Ok();
      }));
  for (const Uuid& id : callers) {
    GC_TRY(const auto subject, catalog.FindSubject(id));
    if (!subject) return Fail(Error::DataLoss("grant to nobody: " + id.ToString()));
    writer.Add(ToRow(*subject));
    GC_TRY_VOID(WriteTokens(catalog, id, true, writer));
  }
  return WriteModels(catalog, owner->id, writer);
}

Status WriteWholeForEdge(const Catalog& catalog, PartWriter& writer) {
  GC_TRY_VOID(catalog.EachSubject([&](const catalog::Subject& subject) {
    writer.Add(ToRow(subject));
    return Ok();
  }));
  GC_TRY_VOID(WriteTokens(catalog, std::nullopt, false, writer));
  GC_TRY_VOID(WriteModels(catalog, std::nullopt, writer));
  return catalog.EachGrant({.with_revoked = false}, [&](const catalog::Grant& grant) {
    AddCallGrant(grant, writer);
    return Ok();
  });
}

Status WriteChangedModels(const Catalog& catalog, const TableChange& change, const std::optional<Uuid>& owner,
                          PartWriter& writer) {
  for (const Uuid& id : change.models) {
    GC_TRY(const auto model, catalog.FindModel(id));
    if (!model || model->kind != catalog::AssetKind::kModel || (owner && model->owner != *owner)) continue;
    GC_TRY(access::ModelRow row, ReadModelRow(catalog, *model));
    writer.Add(std::move(row));
  }
  return Ok();
}

Status WriteChangeForEdge(const Catalog& catalog, const TableChange& change, PartWriter& writer) {
  for (const Uuid& id : change.subjects) {
    GC_TRY(const auto subject, catalog.FindSubject(id));
    if (subject) writer.Add(ToRow(*subject));
  }
  for (const Uuid& id : change.tokens) {
    GC_TRY(const auto token, catalog.FindToken(id));
    if (!token) continue;
    if (token->revoked_micros != 0) {
      writer.RemoveToken(id);
    } else {
      writer.Add(ToRow(*token, false));
    }
  }
  GC_TRY_VOID(WriteChangedModels(catalog, change, std::nullopt, writer));
  for (const Uuid& id : change.grants) {
    GC_TRY(const auto grant, catalog.FindGrant(id));
    if (!grant) continue;
    if (grant->revoked_micros != 0) {
      writer.RemoveGrant(id);
    } else {
      AddCallGrant(*grant, writer);
    }
  }
  return Ok();
}

// A subject with a grant on one of the owner's models, or the owner: all its tokens. Any other: none of them.
Status WriteCallerForHost(const Catalog& catalog, const catalog::Subject& owner, const Uuid& id,
                          PartWriter& writer) {
  bool may_call = id == owner.id;
  GC_TRY_VOID(catalog.EachGrant({.subject = id, .owner = owner.id, .with_revoked = false},
                                [&](const catalog::Grant&) {
                                  may_call = true;
                                  return Ok();
                                }));
  GC_TRY(const auto subject, catalog.FindSubject(id));
  if (!subject) return Ok();
  if (may_call) {
    writer.Add(ToRow(*subject));
  } else {
    writer.RemoveSubject(id);
  }
  return catalog.EachToken(id, [&](const catalog::Token& token) {
    if (may_call && token.revoked_micros == 0) {
      writer.Add(ToRow(token, true));
    } else {
      writer.RemoveToken(token.id);
    }
    return Ok();
  });
}

Status WriteChangeForHost(const Catalog& catalog, const TableChange& change, uint32_t host_slot,
                          PartWriter& writer) {
  GC_TRY(const auto owner, catalog.FindOwnerOfSlot(host_slot));
  if (!owner) return Ok();
  std::set<Uuid> callers(change.subjects.begin(), change.subjects.end());
  for (const Uuid& id : change.tokens) {
    GC_TRY(const auto token, catalog.FindToken(id));
    if (token) callers.insert(token->subject);
  }
  for (const Uuid& id : change.grants) {
    GC_TRY(const auto grant, catalog.FindGrant(id));
    if (!grant) continue;
    GC_TRY(const auto model, catalog.FindModel(grant->model));
    if (!model || model->owner != owner->id) continue;
    callers.insert(grant->subject);
    if (grant->revoked_micros != 0) {
      writer.RemoveGrant(id);
    } else {
      AddCallGrant(*grant, writer);
    }
  }
  for (const Uuid& id : callers) GC_TRY_VOID(WriteCallerForHost(catalog, *owner, id, writer));
  return WriteChangedModels(catalog, change, owner->id, writer);
}

size_t SpecBytes(const std::vector<TensorSpec>& specs) {
  size_t bytes = 0;
  for (const TensorSpec& spec : specs) bytes += 8 + spec.name.size() + 10 * spec.shape.size();
  return bytes;
}

}  // namespace

Status WriteWholeTable(const Catalog& catalog, std::optional<uint32_t> host_slot, const PartSink& sink) {
  PartWriter writer(sink, true);
  GC_TRY_VOID(host_slot ? WriteWholeForHost(catalog, *host_slot, writer)
                        : WriteWholeForEdge(catalog, writer));
  writer.Finish();
  return Ok();
}

Status WriteChange(const Catalog& catalog, const TableChange& change, std::optional<uint32_t> host_slot,
                   const PartSink& sink) {
  PartWriter writer(sink, false);
  GC_TRY_VOID(host_slot ? WriteChangeForHost(catalog, change, *host_slot, writer)
                        : WriteChangeForEdge(catalog, change, writer));
  writer.Finish();
  return Ok();
}

const catalog::Version* DefaultVersion(const catalog::Model& model,
                                       const std::vector<catalog::Version>& versions) {
  const auto answers = [](const catalog::Version& version) {
    return version.state == VersionState::kPublished || version.state == VersionState::kDisabled;
  };
  const catalog::Version* newest = nullptr;
  for (const catalog::Version& version : versions) {
    if (!answers(version)) continue;
    if (version.id == model.default_version) return &version;
    newest = &version;
  }
  return newest;
}

access::ModelRow ToRow(const catalog::Model& model, const catalog::Subject& owner,
                       const std::vector<catalog::Version>& versions) {
  access::ModelRow row{.id = model.id,
                       .owner = owner.id,
                       .owner_name = owner.name,
                       .name = model.name,
                       .host_slot = owner.host_slot.value_or(0),
                       .default_version = {},
                       .versions = {}};
  std::vector<catalog::Version> hosted;
  std::copy_if(versions.begin(), versions.end(), std::back_inserter(hosted),
               [](const catalog::Version& version) { return version.hostable; });
  if (const catalog::Version* version = DefaultVersion(model, hosted)) row.default_version = version->id;
  for (const catalog::Version& version : hosted) {
    if (version.state == VersionState::kErased) continue;
    row.versions.push_back({.id = version.id,
                            .label = version.label,
                            .manifest_digest = version.manifest_digest,
                            .sha256 = version.sha256,
                            .inputs = version.inputs,
                            .outputs = version.outputs,
                            .rows_independent = version.rows_independent,
                            .retired = version.state == VersionState::kRetired,
                            .disabled_reason = version.state == VersionState::kDisabled ? version.note : "",
                            .weights_bytes = version.bytes});
  }
  return row;
}

size_t RowBytes(const access::ModelRow& row) {
  size_t bytes = 100 + row.name.size() + row.owner_name.size();
  for (const access::VersionRow& version : row.versions)
    bytes += 140 + version.label.size() + version.disabled_reason.size() + SpecBytes(version.inputs) +
             SpecBytes(version.outputs);
  return bytes;
}

}  // namespace glasscase::operations
