#include "desk.h"

#include <algorithm>

#include <glasscase/access/token.h>
#include <glasscase/core/log.h>

#include "routes.h"
#include "table_rows.h"
#include "visibility.h"

namespace glasscase::operations {
namespace {

constexpr uint32_t kNamesakesNamed = 10;
constexpr size_t kNamesKept = 4096;
constexpr size_t kTokenUsesKept = 65'536;

// Whether a model or a dataset was meant, nobody says.
Error NoSuchAsset(std::string_view text) {
  return Error::NotFound(
      "no asset \"" + Printable(text) +
      "\" that you may see; `glasscase list models` and `glasscase list datasets` show those");
}

}  // namespace

// ---- audit ----

AuditLine Desk::LineFor(const Act& act, bool allowed) {
  AuditLine line;
  line.time_micros = now();
  line.route = RouteName(act.route);
  if (act.caller) {
    line.subject = act.caller->id;
    line.subject_name = act.caller->name;
  }
  if (act.token) line.token = act.token->id;
  line.object = act.object;
  line.allowed = allowed;
  line.reason = act.reason;
  return line;
}

Status Desk::Permit(Act& act) {
  act.permitted = true;
  if (!act.audited) return Ok();
  audit.Add(LineFor(act, true));
  return audit.Flush();
}

void Desk::NoteRefusal(const Act& act) {
  audit.Add(LineFor(act, false));
  const Status flushed = audit.Flush();
  if (!flushed) LogWarning(flushed.error().message());
}

std::string Desk::SubjectName(const Uuid& id) {
  if (id.IsNil()) return {};
  const auto known = subject_names_.find(id);
  if (known != subject_names_.end()) return known->second;
  const auto subject = catalog.FindSubject(id);
  if (!subject || !*subject) return {};
  if (subject_names_.size() >= kNamesKept) subject_names_.clear();
  return subject_names_[id] = (*subject)->name;
}

// ---- tokens ----

void Desk::NoteTokenUse(const Uuid& token, int64_t when_micros) {
  if (token_uses_.size() >= kTokenUsesKept && !token_uses_.contains(token)) return;
  int64_t& last = token_uses_[token];
  last = std::max(last, when_micros);
}

int64_t Desk::LastUse(const catalog::Token& token) const {
  const auto noted = token_uses_.find(token.id);
  return noted == token_uses_.end() ? token.last_used_micros
                                    : std::max(noted->second, token.last_used_micros);
}

void Desk::WriteTokenUses() {
  if (token_uses_.empty()) return;
  const Status written = Change([&](catalog::Transaction& transaction) -> Status {
    for (const auto& [token, when] : token_uses_) GC_TRY_VOID(transaction.NoteTokenUse(token, when));
    return Ok();
  });
  if (written) {
    token_uses_.clear();
  } else {
    LogWarning("last uses of tokens are not written yet: " + written.error().message());
  }
}

std::optional<PeerId> Desk::NeedHost(uint32_t slot) {
  supervisor.NeedHost(slot);
  if (!hosts_asked_for_.insert(slot).second) return std::nullopt;
  return PeerId{process::ProcessKind::kHost, slot};
}

Status Desk::CheckSeat() const {
  if (!holds_seat || holds_seat()) return Ok();
  return Fail(
      Error::Unavailable("the catalog's database does not say that this custodian is still the one that "
                         "writes; see whether the act took place, then repeat it"));
}

Status Desk::Change(const std::function<Status(catalog::Transaction&)>& change) {
  GC_TRY(const auto transaction, catalog.Begin());
  GC_TRY_VOID(change(*transaction));
  GC_TRY_VOID(transaction->Commit());
  ++changes_;
  ledger.Poke();
  return Ok();
}

MadeToken MakeToken(const Clock& clock, RandomSource& random, const Uuid& subject, int64_t expires_micros) {
  MadeToken made{.row = {}, .token = access::NewToken(access::TokenKind::kAccess, random)};
  const std::string_view text = made.token.Reveal(RevealToken());
  made.row.id = Uuid::Random();
  made.row.subject = subject;
  made.row.edge_digest = access::EdgeDigest(text);
  made.row.host_digest = access::CredentialDigest(access::HostCredential(text));
  made.row.custodian_digest = access::CredentialDigest(access::CustodianCredential(text));
  made.row.hint = text.substr(text.size() - 4);
  made.row.created_micros = clock.WallMicros();
  made.row.expires_micros = expires_micros;
  return made;
}

// ---- look-ups ----

Result<catalog::Subject> FindSubject(Desk& desk, std::string_view name_or_uuid) {
  const auto id = Uuid::Parse(name_or_uuid);
  GC_TRY(auto subject, id ? desk.catalog.FindSubject(*id) : desk.catalog.FindSubjectCalled(name_or_uuid));
  if (subject) return *subject;
  return Fail(Error::NotFound("no subject \"" + Printable(name_or_uuid) +
                              "\"; `glasscase list subjects` shows them, `glasscase subject add` makes one"));
}

Result<Uuid> ParseId(std::string_view text, std::string_view what) {
  const auto id = Uuid::Parse(text);
  if (id) return *id;
  return Fail(Error::InvalidArgument("not the id of a " + std::string(what) + ": \"" + Printable(text) +
                                     "\"; `glasscase list " + std::string(what) + "s` shows the ids"));
}

// Otherwise one owner could act as the learner of another, with the grants that other gave.
bool MayAdminister(const Act& act, const catalog::Subject& subject) {
  if (act.Is(access::kOperator)) return true;
  return act.Is(access::kOwner) && subject.roles == access::kLearner && subject.added_by == act.caller->id;
}

bool MaySee(Desk& desk, const Act& act, const catalog::Model& model) {
  if (act.Is(access::kOperator) || model.owner == act.caller->id) return true;
  bool granted = false;
  const int64_t now = desk.now();
  const Status visited =
      desk.catalog.EachGrant({.subject = act.caller->id, .model = model.id, .with_revoked = false},
                             [&](const catalog::Grant& grant) {
                               granted = granted || grant.expires_micros == 0 || grant.expires_micros > now;
                               return Ok();
                             });
  return visited && granted;
}

Result<std::optional<catalog::Version>> FindVersionOf(Desk& desk, const Uuid& model,
                                                      std::string_view label_or_uuid) {
  const auto id = Uuid::Parse(label_or_uuid);
  GC_TRY(const auto versions, desk.catalog.VersionsOf(model));
  for (const catalog::Version& version : versions)
    if (version.label == label_or_uuid || (id && version.id == *id)) return std::optional(version);
  return std::optional<catalog::Version>();
}

namespace {

Result<NamedModel> WithOwner(Desk& desk, catalog::Model model) {
  GC_TRY(const auto owner, desk.catalog.FindSubject(model.owner));
  if (!owner) return Fail(Error::DataLoss("model without an owner: " + model.id.ToString()));
  return NamedModel{.model = std::move(model), .owner = *owner, .version = {}};
}

Result<std::optional<NamedModel>> FindById(Desk& desk, const Uuid& id) {
  GC_TRY(auto model, desk.catalog.FindModel(id));
  if (model) {
    GC_TRY(NamedModel named, WithOwner(desk, *model));
    return std::optional(std::move(named));
  }
  GC_TRY(auto version, desk.catalog.FindVersion(id));
  if (!version) return std::optional<NamedModel>();
  GC_TRY(model, desk.catalog.FindModel(version->model));
  if (!model) return Fail(Error::DataLoss("version without a model: " + id.ToString()));
  GC_TRY(NamedModel named, WithOwner(desk, *model));
  named.version = std::move(*version);
  return std::optional(std::move(named));
}

Result<std::optional<NamedModel>> FindByFullName(Desk& desk, std::string_view owner_name,
                                                 std::string_view name) {
  GC_TRY(const auto owner, desk.catalog.FindSubjectCalled(owner_name));
  if (!owner) return std::optional<NamedModel>();
  GC_TRY(auto model, desk.catalog.FindModelCalled(owner->id, name));
  if (!model) return std::optional<NamedModel>();
  return std::optional(NamedModel{.model = std::move(*model), .owner = *owner, .version = {}});
}

// A short name works where the caller sees exactly one model of that name.
Result<std::optional<NamedModel>> FindByShortName(Desk& desk, Act& act, std::string_view name) {
  if (name.empty()) return std::optional<NamedModel>();
  catalog::AssetQuery query{.name = std::string(name), .now_micros = desk.now(), .limit = kNamesakesNamed};
  if (!act.Is(access::kOperator)) query.seen_by = act.caller->id;
  GC_TRY(const catalog::AssetPage page, desk.catalog.Search(query));
  std::vector<NamedModel> seen;
  for (const catalog::Model& model : page.assets) {
    GC_TRY(seen.emplace_back(), WithOwner(desk, model));
  }
  if (seen.empty()) return std::optional<NamedModel>();
  if (seen.size() == 1) return std::optional(std::move(seen[0]));
  std::string names;
  for (const NamedModel& named : seen) names += (names.empty() ? "" : ", ") + named.FullName();
  return act.Refuse(
      access::Reason::kAmbiguousName,
      Error::InvalidArgument("\"" + std::string(name) + "\" is the name of several models that you see; " +
                             "write one of " + Printable(names, 400)));
}

}  // namespace

Result<NamedModel> FindModel(Desk& desk, Act& act, std::string_view text) {
  if (act.object.empty()) act.object = text;
  const size_t at = text.rfind('@');
  const std::string_view name = text.substr(0, at);
  const size_t slash = name.find('/');
  const auto id = Uuid::Parse(name);
  GC_TRY(auto found, id ? FindById(desk, *id)
                     : slash != name.npos
                         ? FindByFullName(desk, name.substr(0, slash), name.substr(slash + 1))
                         : FindByShortName(desk, act, name));
  if (!found || !MaySee(desk, act, found->model))
    return act.Refuse(found ? access::Reason::kNoGrant : access::Reason::kNoSuchModel, NoSuchAsset(text));
  if (at == text.npos) return std::move(*found);
  GC_TRY(found->version, FindVersionOf(desk, found->model.id, text.substr(at + 1)));
  if (found->version) return std::move(*found);
  return act.Refuse(
      access::Reason::kNoSuchVersion,
      Error::NotFound(found->FullName() + " has no version \"" + Printable(text.substr(at + 1)) +
                      "\"; `glasscase show " + found->FullName() + "` lists them"));
}

Result<catalog::Version> FindVisibleVersion(Desk& desk, Act& act, const NamedModel& named) {
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  const catalog::Version* by_default = DefaultVersion(named.model, versions);
  const Uuid wanted = named.version ? named.version->id : by_default != nullptr ? by_default->id : Uuid{};
  GC_TRY(const auto visible, VisibleVersions(desk, act, named.model, versions));
  const auto found = std::find_if(visible.begin(), visible.end(),
                                  [&](const catalog::Version& version) { return version.id == wanted; });
  if (found != visible.end()) return *found;
  if (named.version)
    return act.Refuse(access::Reason::kVersionNotGranted,
                      Error::NotFound(named.FullName() +
                                      " has no such version that you may see; "
                                      "`glasscase show " +
                                      named.FullName() + "` lists those"));
  return act.Refuse(access::Reason::kNoSuchVersion,
                    Error::NotFound(named.FullName() +
                                    " has no version in use that you may see; name one, as in NAME@VERSION"));
}

Result<NamedModel> FindOwnModel(Desk& desk, Act& act, std::string_view text) {
  GC_TRY(NamedModel named, FindModel(desk, act, text));
  if (named.model.owner == act.caller->id) return named;
  return act.Refuse(access::Reason::kRoleMissing,
                    Error::PermissionDenied("only the owner of " + named.FullName() + " may do this"));
}

// ---- texts ----

std::string TimeText(int64_t micros) { return micros == 0 ? std::string() : FormatTime(micros); }

std::string StateText(int64_t revoked_micros, int64_t expires_micros, int64_t now_micros) {
  if (revoked_micros != 0) return "revoked";
  return expires_micros != 0 && expires_micros <= now_micros ? "expired" : "active";
}

}  // namespace glasscase::operations
