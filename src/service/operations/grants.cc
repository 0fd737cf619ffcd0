// Grants: who may call which model, how often and until when.
#include <string>

#include "ledger_entries.h"
#include "ledger_state.h"
#include "names.h"
#include "routes.h"
#include "run_desk.h"

namespace glasscase::operations {
namespace {

Result<rpc::Grant> Describe(Desk& desk, const catalog::Grant& grant, const LedgerStates& states) {
  GC_TRY(const auto model, desk.catalog.FindModel(grant.model));
  if (!model) return Fail(Error::DataLoss("grant on no model: " + grant.id.ToString()));
  std::string named = desk.SubjectName(model->owner) + "/" + model->name;
  if (!grant.version.IsNil()) {
    GC_TRY(const auto version, desk.catalog.FindVersion(grant.version));
    if (!version) return Fail(Error::DataLoss("grant on no version: " + grant.id.ToString()));
    named += "@" + version->label;
  }
  rpc::Grant message;
  message.set_id(grant.id.ToString());
  message.set_subject(desk.SubjectName(grant.subject));
  message.set_action(grant.action);
  message.set_model(named);
  if (grant.quota) message.set_quota(grant.quota->ToString());
  message.set_created_at(TimeText(grant.created_micros));
  message.set_expires_at(TimeText(grant.expires_micros));
  message.set_state(StateText(grant.revoked_micros, grant.expires_micros, desk.now()));
  message.set_ledger_state(WordOf(states.Of(grant.model, grant.id)));
  return message;
}

Status CheckGrantable(const NamedModel& named, std::string_view action) {
  if (action == "predict" && named.model.kind != catalog::AssetKind::kModel)
    return Fail(Error::InvalidArgument(named.FullName() + " is a dataset, which is not called; grant take"));
  if (!named.version) return Ok();
  const std::string what = named.FullName() + "@" + named.version->label;
  if (named.version->state == catalog::VersionState::kRetired)
    return Fail(Error::FailedPrecondition(what + " is retired and cannot be called any more"));
  if (named.version->state == catalog::VersionState::kErased)
    return Fail(Error::FailedPrecondition(what + " is erased"));
  return Ok();
}

// The grant asked for, with the id of the one that gives the same already.
struct Asked {
  catalog::Grant grant;
  bool exists = false;
  bool changed = true;
  catalog::Model model{};
  std::string subject{};
};
Result<Asked> Prepare(Desk& desk, Act& act) {
  const rpc::CreateGrantRequest& request = act.request.create_grant();
  act.object = request.model();
  const std::string action = request.action().empty() ? "predict" : request.action();
  if (action != "predict" && action != "take")
    return Fail(Error::InvalidArgument("the action must be predict or take: \"" + Printable(action) + "\""));
  GC_TRY(const NamedModel named, FindOwnModel(desk, act, request.model()));
  GC_TRY(const catalog::Subject subject, FindSubject(desk, request.subject()));
  if (subject.id == act.caller->id)
    return Fail(Error::InvalidArgument("the owner of " + named.FullName() + " may call it without a grant"));
  GC_TRY_VOID(CheckGrantable(named, action));
  if (action == "take" && !request.quota().empty())
    return Fail(Error::InvalidArgument("a grant to take has no quota: what was taken once stays taken"));
  Asked asked;
  asked.model = named.model;
  asked.subject = subject.name;
  asked.grant.action = action;
  asked.grant.id = Uuid::Random();
  asked.grant.subject = subject.id;
  asked.grant.model = named.model.id;
  asked.grant.created_micros = desk.now();
  if (named.version) asked.grant.version = named.version->id;
  if (!request.quota().empty()) {
    GC_TRY(asked.grant.quota, access::Quota::Parse(request.quota()));
  }
  GC_TRY(const int64_t lifetime, Named("expires", ParseDuration(request.expires())));
  if (lifetime != 0) asked.grant.expires_micros = desk.now() + lifetime;

  GC_TRY_VOID(desk.catalog.EachGrant({.subject = subject.id, .model = named.model.id, .with_revoked = false},
                                     [&](const catalog::Grant& grant) {
                                       if (asked.exists || grant.version != asked.grant.version ||
                                           grant.action != action)
                                         return Ok();
                                       asked.exists = true;
                                       asked.changed = grant.quota != asked.grant.quota ||
                                                       grant.expires_micros != asked.grant.expires_micros;
                                       asked.grant.id = grant.id;
                                       asked.grant.created_micros = grant.created_micros;
                                       return Ok();
                                     }));
  return asked;
}

}  // namespace

Result<Outcome> CreateGrant(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const Asked asked, Prepare(desk, act));
  const catalog::Grant& grant = asked.grant;
  GC_TRY_VOID(desk.Permit(act));
  if (asked.changed) {
    const auto change = [&](catalog::Transaction& t) -> Status {
      GC_TRY_VOID(asked.exists ? t.SetGrantTerms(grant.id, grant.quota, grant.expires_micros)
                               : t.InsertGrant(grant));
      return GrantEntry(asked.model, grant, asked.subject, desk.now()).Queue(t);
    };
    GC_TRY_VOID(desk.Change(change));
  }
  Outcome outcome;
  GC_TRY(const LedgerStates states, LedgerStates::Read(desk.catalog, desk.ledger));
  GC_TRY(*outcome.answer.mutable_grant(), Describe(desk, grant, states));
  outcome.change.grants.push_back(grant.id);
  return outcome;
}

Result<Outcome> ListGrants(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::ListGrantsRequest& request = act.request.list_grants();
  catalog::GrantFilter filter;
  std::optional<NamedModel> named;
  if (!request.model().empty()) {
    GC_TRY(named, FindModel(desk, act, request.model()));
    filter.model = named->model.id;
  }
  if (!request.subject().empty()) {
    GC_TRY(const catalog::Subject subject, FindSubject(desk, request.subject()));
    filter.subject = subject.id;
  } else if (!act.Is(access::kOperator | access::kOwner)) {
    filter.subject = act.caller->id;
  }
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::ListGrantsAnswer* answer = outcome.answer.mutable_grants();
  GC_TRY(const LedgerStates states, LedgerStates::Read(desk.catalog, desk.ledger));
  GC_TRY_VOID(desk.catalog.EachGrant(filter, [&](const catalog::Grant& grant) -> Status {
    if (named && named->version && grant.version != named->version->id) return Ok();
    // Operators see all; others their own, and those on their models.
    GC_TRY(const auto model, desk.catalog.FindModel(grant.model));
    const bool own = grant.subject == act.caller->id || (model && model->owner == act.caller->id);
    if (!own && !act.Is(access::kOperator)) return Ok();
    GC_TRY(*answer->add_grants(), Describe(desk, grant, states));
    return Ok();
  }));
  return outcome;
}

Result<Outcome> RevokeGrant(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  act.object = act.request.revoke_grant().id();
  GC_TRY(const Uuid id, ParseId(act.object, "grant"));
  GC_TRY(const auto grant, desk.catalog.FindGrant(id));
  std::optional<catalog::Model> model;
  if (grant) {
    GC_TRY(model, desk.catalog.FindModel(grant->model));
  }
  const bool own = model && model->owner == act.caller->id;
  if (!model || (!own && !act.Is(access::kOperator)))
    return act.Refuse(access::Reason::kRoleMissing,
                      Error::NotFound("no grant " + id.ToString() +
                                      " that you may withdraw; `glasscase list grants` "
                                      "shows those"));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::RevokeAnswer* answer = outcome.answer.mutable_revoked();
  // An earlier withdrawal may still wait for its acknowledgements, so it is told again.
  outcome.change.grants.push_back(id);
  if (grant->revoked_micros == 0) {
    const auto change = [&](catalog::Transaction& t) -> Status {
      GC_TRY_VOID(t.RevokeGrant(id, desk.now()));
      return GrantWithdrawnEntry(*model, id, desk.now()).Queue(t);
    };
    GC_TRY_VOID(desk.Change(change));
    answer->set_grants(1);
  }
  place.runs.CancelThoseWithoutRights();
  GC_TRY(const LedgerStates states, LedgerStates::Read(desk.catalog, desk.ledger));
  answer->set_ledger_state(WordOf(states.Of(model->id, id)));
  return outcome;
}

}  // namespace glasscase::operations
