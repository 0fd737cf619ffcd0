// Tokens: made, listed, withdrawn, exchanged. Their text leaves this process once, in the answer that makes
// them.
#include <string>

#include "names.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

Outcome NewTokenAnswer(const MadeToken& made, std::string_view subject) {
  Outcome outcome;
  rpc::NewToken* answer = outcome.answer.mutable_new_token();
  answer->set_id(made.row.id.ToString());
  answer->set_token(std::string(made.token.Reveal(RevealToken())));
  answer->set_subject(std::string(subject));
  answer->set_expires_at(TimeText(made.row.expires_micros));
  outcome.change.tokens.push_back(made.row.id);
  return outcome;
}

// Whose tokens the caller lists and withdraws: its own, and those of whoever it administers.
bool MayHandleTokensOf(const Act& act, const catalog::Subject& subject) {
  return subject.id == act.caller->id || MayAdminister(act, subject);
}

}  // namespace

Result<Outcome> CreateToken(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::CreateTokenRequest& request = act.request.create_token();
  act.object = request.subject();
  GC_TRY(const catalog::Subject subject, FindSubject(desk, request.subject()));
  GC_TRY(const int64_t lifetime, Named("expires", ParseDuration(request.expires())));
  const int64_t expires = lifetime == 0 ? 0 : desk.now() + lifetime;
  if (!MayHandleTokensOf(act, subject))
    return act.Refuse(access::Reason::kRoleMissing,
                      Error::PermissionDenied("only an operator, or the owner who added the learner " +
                                              subject.name + ", makes tokens for it"));
  // Otherwise a token that was lent for an hour could be made to last for ever.
  const int64_t presented = act.token->expires_micros;
  if (subject.id == act.caller->id && presented != 0 && (expires == 0 || expires > presented))
    return act.Refuse(
        access::Reason::kRoleMissing,
        Error::PermissionDenied("a token that you make for yourself cannot outlive the one you use, "
                                "which expires at " +
                                TimeText(presented)));
  GC_TRY_VOID(desk.Permit(act));
  const MadeToken made = MakeToken(desk.clock, desk.random, subject.id, expires);
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& t) { return t.InsertToken(made.row); }));
  return NewTokenAnswer(made, subject.name);
}

Result<Outcome> ListTokens(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  act.object = act.request.list_tokens().subject();
  std::optional<Uuid> only;
  if (!act.object.empty()) {
    GC_TRY(const catalog::Subject subject, FindSubject(desk, act.object));
    if (!MayHandleTokensOf(act, subject))
      return act.Refuse(access::Reason::kRoleMissing,
                        Error::PermissionDenied("you may not see the tokens of " + subject.name));
    only = subject.id;
  } else if (!act.Is(access::kOperator | access::kOwner)) {
    only = act.caller->id;
  }
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::ListTokensAnswer* answer = outcome.answer.mutable_tokens();
  GC_TRY_VOID(desk.catalog.EachToken(only, [&](const catalog::Token& token) -> Status {
    GC_TRY(const auto subject, desk.catalog.FindSubject(token.subject));
    if (!subject || !MayHandleTokensOf(act, *subject)) return Ok();
    rpc::Token* row = answer->add_tokens();
    row->set_id(token.id.ToString());
    row->set_subject(subject->name);
    row->set_created_at(TimeText(token.created_micros));
    row->set_expires_at(TimeText(token.expires_micros));
    row->set_last_used_at(TimeText(desk.LastUse(token)));
    row->set_state(StateText(token.revoked_micros, token.expires_micros, desk.now()));
    row->set_hint(token.hint);
    return Ok();
  }));
  return outcome;
}

Result<Outcome> RevokeToken(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  act.object = act.request.revoke_token().id();
  GC_TRY(const Uuid id, ParseId(act.object, "token"));
  GC_TRY(const auto token, desk.catalog.FindToken(id));
  std::optional<catalog::Subject> subject;
  if (token) {
    GC_TRY(subject, desk.catalog.FindSubject(token->subject));
  }
  if (!subject || !MayHandleTokensOf(act, *subject))
    return act.Refuse(access::Reason::kRoleMissing,
                      Error::NotFound("no token " + id.ToString() +
                                      " that you may withdraw; `glasscase list tokens` "
                                      "shows those"));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::RevokeAnswer* answer = outcome.answer.mutable_revoked();
  // An earlier withdrawal may still wait for its acknowledgements, so it is told again.
  outcome.change.tokens.push_back(id);
  if (token->revoked_micros != 0) return outcome;
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& t) { return t.RevokeToken(id, desk.now()); }));
  answer->set_tokens(1);
  return outcome;
}

Result<Outcome> RotateToken(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY_VOID(desk.Permit(act));
  const catalog::Token& old = *act.token;
  const MadeToken made = MakeToken(desk.clock, desk.random, act.caller->id, old.expires_micros);
  const auto change = [&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertToken(made.row));
    return t.RevokeToken(old.id, desk.now());
  };
  GC_TRY_VOID(desk.Change(change));
  Outcome outcome = NewTokenAnswer(made, act.caller->name);
  outcome.change.tokens.push_back(old.id);
  return outcome;
}

}  // namespace glasscase::operations
