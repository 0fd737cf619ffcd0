// Subjects: who there is, and withdrawing all that somebody was given.
#include <algorithm>

#include "ledger_entries.h"
#include "ledger_state.h"
#include "names.h"
#include "routes.h"
#include "run_desk.h"

namespace glasscase::operations {
namespace {

// An owner sees itself, the learners it added, and whoever has a grant on its models.
bool MaySeeSubject(Desk& desk, const Act& act, const catalog::Subject& subject) {
  if (act.Is(access::kOperator) || subject.id == act.caller->id || subject.added_by == act.caller->id)
    return true;
  bool granted = false;
  const Status visited = desk.catalog.EachGrant(
      {.subject = subject.id, .owner = act.caller->id, .with_revoked = false}, [&](const catalog::Grant&) {
        granted = true;
        return Ok();
      });
  return visited && granted;
}

Outcome SubjectAnswer(const catalog::Subject& subject) {
  Outcome outcome;
  *outcome.answer.mutable_subject() = Describe(subject);
  return outcome;
}

// A learner becomes an owner too; roles add up.
Result<Outcome> MakeOwner(Desk& desk, Act& act, catalog::Subject subject) {
  GC_TRY(const uint32_t slot, FreeHostSlot(desk.catalog));
  GC_TRY_VOID(desk.Permit(act));
  subject.roles |= access::kOwner;
  subject.host_slot = slot;
  GC_TRY_VOID(desk.Change(
      [&](catalog::Transaction& t) { return t.SetRoles(subject.id, subject.roles, subject.host_slot); }));
  Outcome outcome = SubjectAnswer(subject);
  outcome.change.subjects.push_back(subject.id);
  return outcome;
}

}  // namespace

rpc::Subject Describe(const catalog::Subject& subject) {
  rpc::Subject message;
  message.set_id(subject.id.ToString());
  message.set_name(subject.name);
  if ((subject.roles & access::kOperator) != 0) message.add_roles("operator");
  if ((subject.roles & access::kOwner) != 0) message.add_roles("owner");
  if ((subject.roles & access::kLearner) != 0) message.add_roles("learner");
  message.set_created_at(TimeText(subject.created_micros));
  return message;
}

Result<uint32_t> FreeHostSlot(const catalog::Catalog& catalog) {
  uint32_t free = 0;
  GC_TRY_VOID(catalog.EachSubject([&](const catalog::Subject& subject) {
    if (subject.host_slot) free = std::max(free, *subject.host_slot + 1);
    return Ok();
  }));
  return free;
}

catalog::Subject NewLearner(const Desk& desk, const Act& act, std::string_view name) {
  catalog::Subject subject;
  subject.id = Uuid::Random();
  subject.name = name;
  subject.roles = access::kLearner;
  subject.added_by = act.caller->id;
  subject.created_micros = desk.now();
  return subject;
}

Result<Outcome> AddSubject(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::AddSubjectRequest& request = act.request.add_subject();
  act.object = request.name();
  GC_TRY_VOID(CheckSubjectName(request.name()));
  const bool as_owner = request.role() == "owner";
  if (!as_owner && !request.role().empty() && request.role() != "learner")
    return Fail(
        Error::InvalidArgument("role must be learner or owner (only `glasscase init` makes an operator): \"" +
                               Printable(request.role()) + "\""));
  if (as_owner && !act.Is(access::kOperator))
    return act.Refuse(access::Reason::kRoleMissing, Error::PermissionDenied("only an operator adds owners"));

  GC_TRY(const auto existing, desk.catalog.FindSubjectCalled(request.name()));
  if (existing && as_owner && (existing->roles & access::kOwner) == 0) return MakeOwner(desk, act, *existing);
  if (existing) {
    GC_TRY_VOID(desk.Permit(act));
    return SubjectAnswer(*existing);
  }
  catalog::Subject subject = NewLearner(desk, act, request.name());
  if (as_owner) {
    subject.roles = access::kOwner;
    GC_TRY(subject.host_slot, FreeHostSlot(desk.catalog));
  }
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& t) { return t.InsertSubject(subject); }));
  Outcome outcome = SubjectAnswer(subject);
  outcome.change.subjects.push_back(subject.id);
  return outcome;
}

Result<Outcome> ListSubjects(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  rpc::ListSubjectsAnswer* answer = outcome.answer.mutable_subjects();
  GC_TRY_VOID(place.desk.catalog.EachSubject([&](const catalog::Subject& subject) {
    if (MaySeeSubject(place.desk, act, subject)) *answer->add_subjects() = Describe(subject);
    return Ok();
  }));
  return outcome;
}

Result<Outcome> RevokeSubject(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  act.object = act.request.revoke_subject().subject();
  GC_TRY(const catalog::Subject subject, FindSubject(desk, act.object));
  if (subject.id == act.caller->id)
    return Fail(Error::FailedPrecondition(
        "an operator cannot withdraw itself: nobody might be left to let anyone in again"));
  GC_TRY_VOID(desk.Permit(act));

  Outcome outcome;
  std::vector<Uuid> invitations;
  GC_TRY_VOID(desk.catalog.EachToken(subject.id, [&](const catalog::Token& token) {
    if (token.revoked_micros == 0) outcome.change.tokens.push_back(token.id);
    return Ok();
  }));
  GC_TRY_VOID(desk.catalog.EachGrant({.subject = subject.id, .with_revoked = false},
                                     [&](const catalog::Grant& grant) {
                                       outcome.change.grants.push_back(grant.id);
                                       return Ok();
                                     }));
  GC_TRY_VOID(desk.catalog.EachInvitation(subject.id, [&](const catalog::Invitation& invitation) {
    if (invitation.revoked_micros == 0 && invitation.redeemed_micros == 0)
      invitations.push_back(invitation.id);
    return Ok();
  }));
  const int64_t now = desk.now();
  const auto change = [&](catalog::Transaction& t) -> Status {
    for (const Uuid& id : outcome.change.tokens) GC_TRY_VOID(t.RevokeToken(id, now));
    for (const Uuid& id : outcome.change.grants) {
      GC_TRY_VOID(t.RevokeGrant(id, now));
      GC_TRY(const auto grant, desk.catalog.FindGrant(id));
      GC_TRY(const auto model, desk.catalog.FindModel(grant ? grant->model : Uuid{}));
      if (model) GC_TRY_VOID(GrantWithdrawnEntry(*model, id, now).Queue(t));
    }
    for (const Uuid& id : invitations) GC_TRY_VOID(t.RevokeInvitation(id, now));
    return Ok();
  };
  GC_TRY_VOID(desk.Change(change));
  place.runs.CancelThoseWithoutRights();
  rpc::RevokeAnswer* answer = outcome.answer.mutable_revoked();
  answer->set_tokens(static_cast<uint32_t>(outcome.change.tokens.size()));
  answer->set_grants(static_cast<uint32_t>(outcome.change.grants.size()));
  answer->set_invitations(static_cast<uint32_t>(invitations.size()));
  if (answer->grants() > 0) answer->set_ledger_state(WordOf(LedgerState::kPending));
  return outcome;
}

Result<Outcome> WhoAmI(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(const auto installation, place.desk.catalog.Setting(catalog::kInstallationSetting));
  Outcome outcome;
  rpc::WhoAmIAnswer* answer = outcome.answer.mutable_who_am_i();
  *answer->mutable_subject() = Describe(*act.caller);
  answer->set_token_id(act.token->id.ToString());
  answer->set_token_expires_at(TimeText(act.token->expires_micros));
  answer->set_installation(installation.value_or(""));
  return outcome;
}

}  // namespace glasscase::operations
