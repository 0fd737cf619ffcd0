#include "admission.h"

#include <algorithm>
#include <utility>

#include <glasscase/access/token.h>

namespace glasscase::operations {
namespace {

// Who is asking, from the catalog and nothing else.
Status Authenticate(Desk& desk, Act& act) {
  const std::string& credential = act.request.credential();
  Digest digest{};
  if (credential.empty())
    return act.Refuse(access::Reason::kNoToken, Error::Unauthenticated("no token was presented"));
  if (credential.size() != digest.size())
    return act.Refuse(access::Reason::kMalformedToken, Error::Unauthenticated("this is not a token"));
  std::copy(credential.begin(), credential.end(), digest.begin());
  GC_TRY(auto token, desk.catalog.FindTokenByDigest(access::CredentialDigest(digest)));
  if (!token || token->revoked_micros != 0)
    return act.Refuse(access::Reason::kUnknownToken,
                      Error::Unauthenticated("this token is not known here, or was withdrawn"));
  GC_TRY(auto subject, desk.catalog.FindSubject(token->subject));
  if (!subject)
    return act.Refuse(access::Reason::kUnknownSubject,
                      Error::Unauthenticated("this token belongs to nobody"));
  act.token = std::move(token);
  act.caller = std::move(subject);
  if (act.token->expires_micros != 0 && act.token->expires_micros <= desk.now())
    return act.Refuse(access::Reason::kExpiredToken,
                      Error::Unauthenticated("this token expired at " + TimeText(act.token->expires_micros)));
  return Ok();
}

}  // namespace

Status Admit(Desk& desk, Act& act, const Route& route, bool closed_log) {
  if (act.from.peer.kind == process::ProcessKind::kPublicEdge && !route.on_public_edge)
    return act.Refuse(
        access::Reason::kWrongListener,
        Error::PermissionDenied("this is done through the control address of the installation only"));
  const bool closed = closed_log && route.op == rpc::Request::kLogFile;
  if (route.wanted == 0 && !closed) return Ok();
  GC_TRY_VOID(Authenticate(desk, act));
  if (closed || act.Is(route.wanted)) return Ok();
  return act.Refuse(access::Reason::kRoleMissing,
                    Error::PermissionDenied("this takes the role " + access::RolesText(route.wanted) +
                                            "; you are " + access::RolesText(act.caller->roles)));
}

}  // namespace glasscase::operations
