// Invitations: a secret that yields one token, once, so that no token travels by mail.
#include <string>

#include <glasscase/access/token.h>

#include "names.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

// The subject to invite: an existing one, or a learner to be made.
struct Invited {
  catalog::Subject subject;
  bool is_new = false;
};
Result<Invited> FindOrPrepare(Desk& desk, Act& act, const std::string& name) {
  const auto id = Uuid::Parse(name);
  GC_TRY(const auto existing, id ? desk.catalog.FindSubject(*id) : desk.catalog.FindSubjectCalled(name));
  if (!existing) {
    GC_TRY_VOID(CheckSubjectName(name));
    return Invited{.subject = NewLearner(desk, act, name), .is_new = true};
  }
  if (MayAdminister(act, *existing)) return Invited{.subject = *existing};
  return act.Refuse(access::Reason::kRoleMissing,
                    Error::PermissionDenied("only an operator, or the owner who added the learner " +
                                            existing->name + ", invites it"));
}

}  // namespace

Result<Outcome> CreateInvitation(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::CreateInvitationRequest& request = act.request.create_invitation();
  act.object = request.subject();
  GC_TRY(const int64_t lifetime,
         Named("expires", ParseDuration(request.expires().empty() ? "7d" : request.expires())));
  GC_TRY(const int64_t token_lifetime, Named("token_expires", ParseDuration(request.token_expires())));
  GC_TRY(const Invited invited, FindOrPrepare(desk, act, request.subject()));
  GC_TRY_VOID(desk.Permit(act));

  const Secret text = access::NewToken(access::TokenKind::kInvitation, desk.random);
  const Digest credential = access::CustodianCredential(text.Reveal(RevealToken()));
  catalog::Invitation invitation;
  invitation.id = Uuid::Random();
  invitation.subject = invited.subject.id;
  invitation.custodian_digest = access::CredentialDigest(credential);
  invitation.token_lifetime_micros = token_lifetime;
  invitation.created_micros = desk.now();
  invitation.expires_micros = desk.now() + lifetime;
  const auto change = [&](catalog::Transaction& t) -> Status {
    if (invited.is_new) GC_TRY_VOID(t.InsertSubject(invited.subject));
    return t.InsertInvitation(invitation);
  };
  GC_TRY_VOID(desk.Change(change));

  Outcome outcome;
  rpc::NewInvitation* answer = outcome.answer.mutable_new_invitation();
  answer->set_id(invitation.id.ToString());
  answer->set_invitation(std::string(text.Reveal(RevealToken())));
  answer->set_subject(invited.subject.name);
  answer->set_expires_at(TimeText(invitation.expires_micros));
  if (invited.is_new) outcome.change.subjects.push_back(invited.subject.id);
  return outcome;
}

// The credential is the invitation's: this is the one act for which nobody is known beforehand.
Result<Outcome> RedeemInvitation(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const std::string& credential = act.request.credential();
  Digest digest{};
  if (credential.empty())
    return act.Refuse(access::Reason::kNoToken, Error::Unauthenticated("no invitation was presented"));
  if (credential.size() != digest.size())
    return act.Refuse(access::Reason::kMalformedToken, Error::Unauthenticated("this is not an invitation"));
  std::copy(credential.begin(), credential.end(), digest.begin());
  GC_TRY(const auto invitation, desk.catalog.FindInvitationByDigest(access::CredentialDigest(digest)));
  if (!invitation || invitation->revoked_micros != 0)
    return act.Refuse(access::Reason::kUnknownToken,
                      Error::Unauthenticated("this invitation is not known here, or was withdrawn"));
  GC_TRY(act.caller, desk.catalog.FindSubject(invitation->subject));
  if (!act.caller) return Fail(Error::DataLoss("invitation of nobody: " + invitation->id.ToString()));
  if (invitation->redeemed_micros != 0)
    return act.Refuse(access::Reason::kUnknownToken,
                      Error::Unauthenticated("this invitation was used already; ask for a new one"));
  if (invitation->expires_micros <= desk.now())
    return act.Refuse(access::Reason::kExpiredToken,
                      Error::Unauthenticated("this invitation expired at " +
                                             TimeText(invitation->expires_micros) + "; ask for a new one"));
  act.reason = access::Reason::kAllowedWithoutToken;
  act.object = invitation->id.ToString();
  GC_TRY_VOID(desk.Permit(act));

  const int64_t lifetime = invitation->token_lifetime_micros;
  const MadeToken made =
      MakeToken(desk.clock, desk.random, invitation->subject, lifetime == 0 ? 0 : desk.now() + lifetime);
  const auto change = [&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.MarkInvitationRedeemed(invitation->id, desk.now()));
    return t.InsertToken(made.row);
  };
  GC_TRY_VOID(desk.Change(change));
  Outcome outcome;
  rpc::NewToken* answer = outcome.answer.mutable_new_token();
  answer->set_id(made.row.id.ToString());
  answer->set_token(std::string(made.token.Reveal(RevealToken())));
  answer->set_subject(act.caller->name);
  answer->set_expires_at(TimeText(made.row.expires_micros));
  outcome.change.tokens.push_back(made.row.id);
  return outcome;
}

}  // namespace glasscase::operations
