#include <glasscase/access/decide.h>

namespace glasscase::access {
namespace {

bool Expired(int64_t expires_micros, int64_t now_micros) {
  return expires_micros != 0 && now_micros >= expires_micros;
}

bool Covers(const GrantRow& grant, const ModelRow& model, const VersionRow& version) {
  return version.id == (grant.version.IsNil() ? model.default_version : grant.version);
}

// Of several grants that cover the version, the one that lets most calls through; equal ones by identifier,
// so that edge and host choose the same.
bool IsBetter(const GrantRow& a, const GrantRow& b) {
  if (a.quota.has_value() != b.quota.has_value()) return !a.quota.has_value();
  if (a.quota && *a.quota != *b.quota) {
    const double rate_a = static_cast<double>(a.quota->calls) / static_cast<double>(a.quota->period_ns);
    const double rate_b = static_cast<double>(b.quota->calls) / static_cast<double>(b.quota->period_ns);
    if (rate_a != rate_b) return rate_a > rate_b;
    return a.quota->calls > b.quota->calls;
  }
  return a.id < b.id;
}

CallVerdict Refuse(Reason reason) { return {.allowed = false, .reason = reason}; }

// What is left to check once the caller may call this version.
CallVerdict CheckState(const ModelRow& model, const VersionRow& version, const GrantRow* grant, Reason why) {
  CallVerdict verdict{.allowed = false, .reason = why, .model = &model, .version = &version, .grant = grant};
  if (version.retired) {
    verdict.reason = Reason::kRetired;
  } else if (!version.disabled_reason.empty()) {
    verdict.reason = Reason::kDisabled;
  } else {
    verdict.allowed = true;
  }
  return verdict;
}

CallVerdict DecideByGrants(const std::vector<GrantRow>& grants, const ModelRow& model,
                           const VersionRow* version, bool default_wanted, int64_t now_micros) {
  const GrantRow* best = nullptr;
  bool any_current = false;
  for (const GrantRow& grant : grants) {
    if (Expired(grant.expires_micros, now_micros)) continue;
    any_current = true;
    if (version == nullptr || !Covers(grant, model, *version)) continue;
    if (best == nullptr || IsBetter(grant, *best)) best = &grant;
  }
  CallVerdict refused{.allowed = false, .reason = Reason::kExpiredGrant, .model = &model};
  if (best != nullptr) return CheckState(model, *version, best, Reason::kAllowedByGrant);
  if (!any_current) return refused;
  // Whether a version exists that was not granted is none of the caller's business; that there is no default
  // is.
  refused.reason = default_wanted && version == nullptr ? Reason::kNoSuchVersion : Reason::kVersionNotGranted;
  return refused;
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kAllowedByGrant: return "allowed_by_grant";
    case Reason::kAllowedToOwner: return "allowed_to_owner";
    case Reason::kAllowedByRole: return "allowed_by_role";
    case Reason::kAllowedWithoutToken: return "allowed_without_token";
    case Reason::kNoToken: return "no_token";
    case Reason::kMalformedToken: return "malformed_token";
    case Reason::kUnknownToken: return "unknown_token";
    case Reason::kExpiredToken: return "expired_token";
    case Reason::kUnknownSubject: return "unknown_subject";
    case Reason::kNoSuchModel: return "no_such_model";
    case Reason::kAmbiguousName: return "ambiguous_name";
    case Reason::kNoGrant: return "no_grant";
    case Reason::kExpiredGrant: return "expired_grant";
    case Reason::kVersionNotGranted: return "version_not_granted";
    case Reason::kNoSuchVersion: return "no_such_version";
    case Reason::kRetired: return "retired";
    case Reason::kDisabled: return "disabled";
    case Reason::kRoleMissing: return "role_missing";
    case Reason::kWrongListener: return "wrong_listener";
    case Reason::kNoRoute: return "no_route";
    case Reason::kQuotaExhausted: return "quota_exhausted";
    case Reason::kLeaseLapsed: return "lease_lapsed";
    case Reason::kBusy: return "busy";
  }
  return "unknown";
}

Caller Identify(const AccessTable& table, const Digest& digest, int64_t now_micros) {
  Caller caller;
  caller.token = table.FindToken(digest);
  if (caller.token == nullptr) return caller;
  if (Expired(caller.token->expires_micros, now_micros)) {
    caller.reason = Reason::kExpiredToken;
    return caller;
  }
  caller.subject = table.FindSubject(caller.token->subject);
  caller.reason = caller.subject == nullptr ? Reason::kUnknownSubject : Reason::kAllowedByRole;
  return caller;
}

CallVerdict DecideCall(const AccessTable& table, const SubjectRow& subject, const ModelRow* model,
                       std::string_view version, int64_t now_micros) {
  const std::vector<GrantRow>& grants = table.Grants(subject.id, model == nullptr ? Uuid{} : model->id);
  const bool is_owner = model != nullptr && model->owner == subject.id;
  if (!is_owner && (model == nullptr || grants.empty())) return Refuse(Reason::kNoGrant);

  const VersionRow* wanted =
      version.empty() ? model->FindVersion(model->default_version) : model->FindVersion(version);
  if (!is_owner) return DecideByGrants(grants, *model, wanted, version.empty(), now_micros);
  if (wanted == nullptr) {
    return {.allowed = false, .reason = Reason::kNoSuchVersion, .model = model};
  }
  return CheckState(*model, *wanted, nullptr, Reason::kAllowedToOwner);
}

const ModelRow* ResolveModel(const AccessTable& table, const SubjectRow& subject, std::string_view name,
                             bool* ambiguous) {
  *ambiguous = false;
  if (name.find('/') != std::string_view::npos) return table.FindModel(name);
  if (name.size() == 36 && Uuid::Parse(name)) return table.FindModel(name);

  const std::vector<Uuid>& candidates = table.ModelsCalled(name);
  // A name that nobody uses and one that the caller cannot see cost the same look-ups.
  if (candidates.empty()) {
    static_cast<void>(table.FindModel(Uuid{}));
    static_cast<void>(table.Grants(subject.id, Uuid{}));
    return nullptr;
  }
  const ModelRow* seen = nullptr;
  for (const Uuid& id : candidates) {
    const ModelRow* model = table.FindModel(id);
    const bool granted = !table.Grants(subject.id, id).empty();
    if (model == nullptr || (!granted && model->owner != subject.id)) continue;
    *ambiguous = seen != nullptr;
    if (*ambiguous) return nullptr;
    seen = model;
  }
  return seen;
}

std::string_view VersionMeant(const ModelRow* model, std::string_view name, std::string_view version) {
  if (!version.empty() || model == nullptr || name.size() != 36) return version;
  const auto id = Uuid::Parse(name);
  return id && model->FindVersion(*id) != nullptr ? name : version;
}

}  // namespace glasscase::access
