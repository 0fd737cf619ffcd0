#include "publishing.h"

#include <algorithm>
#include <charconv>

#include <glasscase/core/log.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>

#include "chain_desk.h"
#include "describe.h"
#include "details.h"
#include "ledger_entries.h"
#include "lineage.h"
#include "models.h"
#include "names.h"

namespace glasscase::operations {
namespace {

using catalog::VersionState;

constexpr size_t kMediaTypeBytesMax = 200;
constexpr size_t kSignatureBytesMax = size_t{512} << 10;
constexpr size_t kSignerBytesMax = 4'096;

std::vector<catalog::VersionFile> FilesOf(const Claim& claim) {
  std::vector<catalog::VersionFile> files;
  files.reserve(claim.files().size());
  for (const UploadedFile& file : claim.files())
    files.push_back(
        {.path = file.path, .bytes = file.bytes, .sha256 = file.sha256, .is_graph = file.is_graph});
  return files;
}

// What shall be published, checked against the catalog as it is now.
struct Plan {
  std::string name;
  std::optional<catalog::Model> model;     // when there is one already
  std::vector<catalog::Version> versions;  // of it
  std::string label;
  std::vector<catalog::VersionFile> files;
  Digest manifest{};
  std::optional<catalog::Version> published;  // the same bytes are there already
  catalog::AssetKind kind = catalog::AssetKind::kModel;
  bool kept = false;  // not hosted
  std::vector<Parent> parents;
  std::vector<std::string> tags;
  std::vector<catalog::Field> fields;  // of the version
};

Error LabelTaken(const std::string& name, const std::string& label, const std::string& why) {
  return Error::AlreadyExists("version " + label + " of " + name + " is taken (" + why +
                              "); choose another --version");
}

// Under the label, or, when none was given, under any label that can be called.
Status FindPublished(Plan& plan, const std::string& label) {
  for (const catalog::Version& version : plan.versions) {
    const bool same_bytes = version.manifest_digest == plan.manifest;
    const bool callable =
        version.state == VersionState::kPublished || version.state == VersionState::kDisabled;
    if (label.empty()) {
      if (same_bytes && callable) plan.published = version;
      continue;
    }
    if (version.label != label) continue;
    if (same_bytes && callable) {
      plan.published = version;
      return Ok();
    }
    return Fail(LabelTaken(plan.name, label, callable ? "has other bytes" : version.note));
  }
  return Ok();
}

Status CheckSignatureParts(const rpc::PublishRequest& request) {
  if (request.signature().empty() != request.signer().empty())
    return Fail(Error::InvalidArgument(
        "signature and signer go together: the signature, and the public key that it should be of"));
  if (request.signature().size() <= kSignatureBytesMax && request.signer().size() <= kSignerBytesMax)
    return Ok();
  return Fail(Error::InvalidArgument("signature and signer: at most " + std::to_string(kSignatureBytesMax) +
                                     " and " + std::to_string(kSignerBytesMax) + " bytes"));
}

// Publishing the same bytes again changes nothing, so it cannot say anything new either.
Status CheckSaysTheSame(Desk& desk, const Plan& plan) {
  const std::string what = plan.name + "@" + plan.published->label;
  GC_TRY(const auto known, desk.catalog.ParentsOf(plan.published->id));
  for (const Parent& parent : plan.parents) {
    if (parent.version == plan.published->id)
      return Fail(Error::InvalidArgument(what + " has these bytes, and no version is made from itself"));
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const catalog::Lineage& edge) {
      return edge.parent == parent.version && edge.relation == parent.relation;
    });
    if (!is_known)
      return Fail(Error::AlreadyExists(what + " has these bytes, and was published with another lineage: " +
                                       std::string(RelationName(parent.relation)) + " " +
                                       parent.version.ToString() + " is not in it"));
  }
  if (!plan.fields.empty() && plan.fields != plan.published->fields)
    return Fail(
        Error::AlreadyExists(what +
                             " has these bytes, and was published with other fields; say what is new of "
                             "the asset, or publish under another --version"));
  return Ok();
}

Status CheckDetails(const rpc::PublishRequest& request) {
  GC_TRY_VOID(CheckCard(request.card()));
  GC_TRY_VOID(CheckLicence(request.licence()));
  return CheckWords("media_type", request.media_type(), kMediaTypeBytesMax);
}

Result<catalog::AssetKind> KindFrom(const std::string& text) {
  if (text.empty() || text == "model") return catalog::AssetKind::kModel;
  if (text == "dataset") return catalog::AssetKind::kDataset;
  return Fail(Error::InvalidArgument("kind must be model or dataset: \"" + Printable(text) + "\""));
}

bool IsKept(const rpc::PublishRequest& request) { return request.kept() || request.kind() == "dataset"; }

Result<Plan> MakePlan(Desk& desk, Act& act, const Claim& claim) {
  const rpc::PublishRequest& request = act.request.publish();
  Plan plan;
  GC_TRY(plan.kind, KindFrom(request.kind()));
  plan.kept = IsKept(request);
  plan.name = request.name();
  const size_t slash = plan.name.find('/');
  if (slash != plan.name.npos) {
    if (plan.name.substr(0, slash) != act.caller->name)
      return Fail(
          Error::PermissionDenied("you publish under your own name only: " + act.caller->name + "/NAME"));
    plan.name.erase(0, slash + 1);
  }
  GC_TRY_VOID(CheckModelName(plan.name));
  if (!request.version().empty()) GC_TRY_VOID(CheckVersionLabel(request.version()));
  GC_TRY_VOID(CheckDetails(request));
  GC_TRY_VOID(CheckSignatureParts(request));
  GC_TRY(plan.tags, TagsFrom(request.tags()));
  GC_TRY(plan.fields, FieldsFrom(request.fields()));
  GC_TRY(plan.parents, FindParents(desk, act, request.lineage()));
  plan.files = FilesOf(claim);
  plan.manifest = manifest::DigestOf(plan.files);
  GC_TRY(plan.model, desk.catalog.FindModelCalled(act.caller->id, plan.name));
  if (plan.model) {
    if (plan.model->kind != plan.kind)
      return Fail(Error::AlreadyExists(plan.name + " is the name of a " +
                                       std::string(KindName(plan.model->kind)) +
                                       " of yours; choose another"));
    GC_TRY(plan.versions, desk.catalog.VersionsOf(plan.model->id));
  }
  GC_TRY_VOID(FindPublished(plan, request.version()));
  if (plan.published) GC_TRY_VOID(CheckSaysTheSame(desk, plan));
  plan.label = request.version().empty() ? NextVersionNumber(plan.versions) : request.version();
  return plan;
}

Result<catalog::Version> MakeVersion(Desk& desk, const Act& act, const Plan& plan, const Uuid& model,
                                     const rpc::InspectReport& report) {
  catalog::Version version;
  version.id = Uuid::Random();
  version.model = model;
  version.label = plan.label;
  version.manifest_digest = plan.manifest;
  version.sha256 = plan.files.size() == 1 ? plan.files[0].sha256 : plan.manifest;
  for (const catalog::VersionFile& file : plan.files) version.bytes += file.bytes;
  GC_TRY_VOID(TakeOver(report, version));
  version.card = act.request.publish().card();
  version.hostable = !plan.kept;
  if (plan.kept) {
    const std::string& media_type = act.request.publish().media_type();
    version.media_type = media_type.empty() ? "application/octet-stream" : media_type;
  }
  version.fields = plan.fields;
  version.published_by = act.caller->id;
  version.created_micros = desk.now();
  return version;
}

// While the file was inspected the caller may have lost what it was permitted with.
Status CheckStillPermitted(Desk& desk, const Act& act) {
  GC_TRY(const auto token, desk.catalog.FindToken(act.token->id));
  if (!token || token->revoked_micros != 0)
    return Fail(Error::Unauthenticated("the token was withdrawn while the file was inspected"));
  return Ok();
}

rpc::PublishAnswer AnswerFor(Desk& desk, const catalog::Model& model, const catalog::Subject& owner,
                             const std::vector<catalog::Version>& versions, const catalog::Version& version) {
  rpc::PublishAnswer answer;
  *answer.mutable_model() = Describe(model, owner.name, versions);
  *answer.mutable_model()->add_versions() = Describe(version);
  DescribeLedgerState(desk, model.id, *answer.mutable_model());
  answer.set_sample_input(SampleInput(version.inputs));
  const catalog::Version* by_default = DefaultVersion(model, versions);
  const bool is_default = by_default != nullptr && by_default->id == version.id;
  answer.set_infer_path("/v2/models/" + owner.name + "%2F" + model.name +
                        (is_default ? "" : "/versions/" + version.label) + "/infer");
  return answer;
}

Result<Outcome> AnswerPublished(Desk& desk, Plan& plan, const Act& act, Claim& claim) {
  claim.UseUp();
  Outcome outcome;
  *outcome.answer.mutable_published() =
      AnswerFor(desk, *plan.model, *act.caller, plan.versions, *plan.published);
  outcome.answer.mutable_published()->set_already_published(true);
  outcome.change.models.push_back(plan.model->id);  // an earlier publish may still wait for acknowledgements
  return outcome;
}

Status InsertAsset(catalog::Transaction& t, const Plan& plan, const catalog::Model& model,
                   const std::string& name, int64_t now_micros) {
  const catalog::ModelDetails before = plan.model ? DetailsOf(*plan.model) : catalog::ModelDetails();
  const catalog::ModelDetails details = DetailsOf(model);
  if (!plan.model) {
    GC_TRY_VOID(t.InsertModel(model));
    GC_TRY_VOID(RegisteredEntry(model, name, now_micros).Queue(t));
  }
  if (details == before) return Ok();
  if (plan.model) GC_TRY_VOID(t.SetModelDetails(model.id, details));
  return CardEntry(model, details, now_micros).Queue(t);
}

Status InsertRows(Desk& desk, catalog::Transaction& t, const Plan& plan, const catalog::Model& model,
                  const catalog::Version& version) {
  const std::string name = desk.SubjectName(model.owner) + "/" + model.name;
  GC_TRY_VOID(InsertAsset(t, plan, model, name, version.created_micros));
  GC_TRY_VOID(t.InsertVersion(version, plan.files));
  if (desk.anchor != nullptr) GC_TRY_VOID(ChainDesk::QueueRegistration(t, version, !plan.model.has_value()));
  EntryDraft entry = VersionEntry(model, name, version, version.created_micros);
  for (const Parent& parent : plan.parents) {
    const catalog::Lineage edge{.child = version.id,
                                .parent = parent.version,
                                .relation = parent.relation,
                                .witnessed = false,
                                .created_micros = version.created_micros};
    GC_TRY_VOID(t.InsertLineage(edge));
    entry.From(edge, parent.asset);
  }
  return entry.Queue(t);
}

catalog::Model MakeModel(Desk& desk, const Act& act, const Plan& plan) {
  catalog::Model model;
  if (plan.model) {
    model = *plan.model;
  } else {
    model.id = Uuid::Random();
    model.owner = act.caller->id;
    model.name = plan.name;
    model.created_micros = desk.now();
    model.kind = plan.kind;
    desk.random.Fill(model.secret.emplace());
  }
  const rpc::PublishRequest& request = act.request.publish();
  if (!request.licence().empty()) model.licence = request.licence();
  if (!plan.tags.empty()) model.tags = plan.tags;
  return model;
}

// What becomes a version, checked against the catalog as it is now.
struct Draft {
  Plan plan;
  catalog::Model model;
  catalog::Version version;
};

Result<Draft> MakeDraft(Desk& desk, Act& act, const Claim& claim, const rpc::InspectReport& report) {
  GC_TRY_VOID(CheckStillPermitted(desk, act));
  Draft draft;
  GC_TRY(draft.plan, MakePlan(desk, act, claim));
  if (draft.plan.published) return draft;
  draft.model = MakeModel(desk, act, draft.plan);
  GC_TRY(draft.version, MakeVersion(desk, act, draft.plan, draft.model.id, report));
  draft.plan.versions.push_back(draft.version);
  if (RowBytes(ToRow(draft.model, *act.caller, draft.plan.versions)) > kModelRowBytesMax)
    return Fail(
        Error::ResourceExhausted("the inputs and outputs of all versions of " + draft.plan.name +
                                 " take too much room; erase old versions or publish under another name"));
  return draft;
}

rpc::InspectJob JobFor(const Act& act, const Claim& claim) {
  const rpc::PublishRequest& asked = act.request.publish();
  rpc::InspectJob job;
  job.set_kept(IsKept(asked));
  job.set_signature(asked.signature());
  job.set_signer(asked.signer());
  for (const UploadedFile& file : claim.files()) {
    rpc::ModelFile* row = job.add_files();
    row->set_path(file.path);
    row->set_bytes(file.bytes);
    row->set_sha256(std::string(AsText(file.sha256)));
    row->set_is_graph(file.is_graph);
  }
  return job;
}

Result<std::vector<Fd>> OpenUploads(const Claim& claim) {
  std::vector<Fd> fds;
  for (const UploadedFile& file : claim.files()) {
    GC_TRY(fds.emplace_back(), file.upload->blob->Open());
  }
  return fds;
}

Status CommitBytes(Claim& claim) {
  for (UploadedFile& file : claim.files()) GC_TRY_VOID(file.upload->blob->Commit());
  return Ok();
}

Result<Outcome> CommitRows(Desk& desk, const Act& act, const Draft& draft) {
  const auto& [plan, model, version] = draft;
  GC_TRY_VOID(
      desk.Change([&](catalog::Transaction& t) { return InsertRows(desk, t, plan, model, version); }));
  Outcome outcome;
  if (act.caller->host_slot && version.hostable) outcome.starting = desk.NeedHost(*act.caller->host_slot);
  *outcome.answer.mutable_published() = AnswerFor(desk, model, *act.caller, plan.versions, version);
  outcome.change.models.push_back(model.id);
  return outcome;
}

void RemoveLeftOver(Desk& desk, const std::vector<catalog::VersionFile>& files) {
  RemoveUnusedBlobs(desk, DigestsOf(files), [](const Status& removed) {
    if (!removed)
      LogWarning("bytes of a failed publish stay until the next start: " + removed.error().message());
  });
}

}  // namespace

std::string NextVersionNumber(const std::vector<catalog::Version>& versions) {
  uint64_t highest = 0;
  for (const catalog::Version& version : versions) {
    uint64_t number = 0;
    const char* end = version.label.data() + version.label.size();
    const auto parsed = std::from_chars(version.label.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end && number < UINT32_MAX)
      highest = std::max(highest, number);
  }
  return std::to_string(highest + 1);
}

void Publishing::Begin(const std::shared_ptr<Act>& act, Reply reply) {
  const rpc::PublishRequest& request = act->request.publish();
  act->object = request.name();
  auto claim = uploads_.ClaimFor(*act, request, IsKept(request));
  if (!claim) return reply(Fail(claim.error()));
  std::unique_ptr<Job> job(new Job{.act = act, .reply = std::move(reply), .claim = std::move(*claim)});
  Job* const key = job.get();
  digesting_[key] = std::move(job);
  uploads_.FindDigests(key->claim, [this, key](const Status& digested) {
    auto node = digesting_.extract(key);
    BeginDigested(std::move(node.mapped()), digested);
  });
}

void Publishing::BeginDigested(std::unique_ptr<Job> job, const Status& digested) {
  if (!digested) return job->reply(Fail(digested.error()));
  auto plan = MakePlan(desk_, *job->act, job->claim);
  if (!plan) {
    if (plan.error().code() == Code::kPermissionDenied) job->act->reason = access::Reason::kRoleMissing;
    return job->reply(Fail(plan.error()));
  }
  const Status permitted = desk_.Permit(*job->act);
  if (!permitted) return job->reply(Fail(permitted.error()));
  // A signature is looked at whatever else is known of the bytes.
  const bool is_signed = !job->act->request.publish().signature().empty();
  if (plan->published && !is_signed) return job->reply(AnswerPublished(desk_, *plan, *job->act, job->claim));
  if (plan->kept && !is_signed) return Commit(std::move(job), {});
  Inspect(std::move(job));
}

void Publishing::Inspect(std::unique_ptr<Job> job) {
  Job* const key = job.get();
  inspecting_[key] = std::move(job);
  Inspections::Order order{.job = JobFor(*key->act, key->claim),
                           .open = [key] { return OpenUploads(key->claim); },
                           .then =
                               [this, key](const Result<rpc::InspectReport>& report) {
                                 auto node = inspecting_.extract(key);
                                 if (!report) return node.mapped()->reply(Fail(report.error()));
                                 Commit(std::move(node.mapped()), *report);
                               }};
  key->inspection = inspections_.Begin(std::move(order));
}

// Bytes first, then the row that makes them a version: what a crash leaves between the two belongs to no
// version. While the store takes the bytes, the catalog may change; then the draft is made anew.
void Publishing::Commit(std::unique_ptr<Job> job, const rpc::InspectReport& report) {
  auto draft = MakeDraft(desk_, *job->act, job->claim, report);
  if (!draft) return job->reply(Fail(draft.error()));
  if (draft->plan.published) return job->reply(AnswerPublished(desk_, draft->plan, *job->act, job->claim));
  Job* const key = job.get();
  committing_[key] = std::move(job);
  desk_.store_changes.Do({.work = [key] { return CommitBytes(key->claim); },
                          .then =
                              [this, key, report, draft = *std::move(draft)](const Status& committed) {
                                const auto node = committing_.extract(key);
                                EndCommit(*key, committed, [&]() -> Result<Outcome> {
                                  if (!desk_.store_changes.may_wait())
                                    return CommitRows(desk_, *key->act, draft);
                                  GC_TRY(Draft fresh, MakeDraft(desk_, *key->act, key->claim, report));
                                  if (fresh.plan.published)
                                    return AnswerPublished(desk_, fresh.plan, *key->act, key->claim);
                                  return CommitRows(desk_, *key->act, fresh);
                                });
                              }});
}

void Publishing::EndCommit(Job& job, const Status& bytes, const std::function<Result<Outcome>()>& rows) {
  Result<Outcome> outcome = bytes ? rows() : Fail(bytes.error());
  const std::vector<catalog::VersionFile> files = FilesOf(job.claim);
  job.claim.UseUp();
  if (!outcome) RemoveLeftOver(desk_, files);
  job.reply(std::move(outcome));
}

void Publishing::DropOf(const LinkId& edge) {
  std::vector<const Job*> dropped;
  for (const auto& [key, job] : inspecting_)
    if (job->act->from == edge) dropped.push_back(key);
  for (const Job* key : dropped) {
    inspections_.Drop(key->inspection);
    inspecting_.erase(key);
  }
}

void Publish(Workplace& place, const std::shared_ptr<Act>& act, Reply reply) {
  place.publishing.Begin(act, std::move(reply));
}

}  // namespace glasscase::operations
