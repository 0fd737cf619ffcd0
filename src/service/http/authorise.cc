// The first decision: who asks, and may they use this route here? Denied unless the route table says
// otherwise.
#include <boost/beast/http/verb.hpp>

#include <glasscase/access/token.h>

#include "connection.h"

namespace glasscase::http {
namespace {

using access::Reason;
using boost::beast::http::verb;

std::optional<Method> MethodOf(verb method) {
  switch (method) {
    case verb::get:
    case verb::head: return Method::kGet;
    case verb::post: return Method::kPost;
    case verb::put: return Method::kPut;
    case verb::patch: return Method::kPatch;
    case verb::options: return Method::kOptions;
    case verb::delete_: return Method::kDelete;
    default: return std::nullopt;
  }
}

Problem Unauthenticated(std::string detail) {
  return {
      .status = 401, .detail = std::move(detail), .fields = "WWW-Authenticate: Bearer\r\n", .close = false};
}

}  // namespace

// Sets caller_ from the token, or refuses.
bool Connection::Authenticate() {
  const auto refuse = [this](Reason reason, std::string detail) {
    Audit(false, reason, {});
    Refuse(Unauthenticated(std::move(detail)));
    return false;
  };
  if (head_.token.empty()) {
    return refuse(Reason::kNoToken, head_.other_authorization
                                        ? "only \"Authorization: Bearer TOKEN\" is understood"
                                        : "a token is needed: send \"Authorization: Bearer TOKEN\"");
  }
  const bool invitation = match_.route != nullptr && match_.route->presents == Presents::kInvitation;
  if (invitation) {
    if (const Status format = access::CheckTokenFormat(head_.token);
        !format || !head_.token.starts_with("gci_")) {
      return refuse(Reason::kMalformedToken, "this route takes an invitation (gci_...) as its bearer token");
    }
    return true;  // the custodian knows invitations; the edge does not
  }
  if (!gateway_.custodian.TableInForce()) {
    Audit(false, Reason::kLeaseLapsed, {});
    Refuse(gateway_.custodian.NotInForce());
    return false;
  }
  caller_ =
      access::Identify(gateway_.custodian.table(), access::EdgeDigest(head_.token), gateway_.now_micros);
  caller_epoch_ = gateway_.custodian.table_epoch();
  if (caller_.token != nullptr) token_ = caller_.token->id;
  if (caller_.known()) {
    subject_ = caller_.subject->id;
    return true;
  }
  if (const Status format = access::CheckTokenFormat(head_.token); !format) {
    return refuse(Reason::kMalformedToken, "the token is malformed: " + format.error().message());
  }
  if (caller_.reason == Reason::kExpiredToken) {
    return refuse(caller_.reason, "the token expired on " + FormatTime(caller_.token->expires_micros) +
                                      "; ask for a new one");
  }
  return refuse(caller_.reason,
                "the token is not valid here: it was revoked, or belongs to another installation");
}

bool Connection::Authorise() {
  const std::string_view target = head_.target;
  const std::optional<Method> method = MethodOf(head_.method);
  FindRoute(method.value_or(Method::kGet), target.substr(0, target.find('?')), match_);
  if (!method) match_.route = nullptr;
  const Route* route = match_.route;
  const bool closed = route != nullptr && route->handler == Handler::kLogFile && gateway_.options.closed_log;
  if (route != nullptr && route->presents == Presents::kNothing && !closed &&
      (route->handler != Handler::kPage || head_.token.empty())) {
    return true;
  }
  if (!Authenticate()) return false;
  const auto refuse = [this](Reason reason, const Problem& problem) {
    Audit(false, reason, head_.target);
    Refuse(problem);
    return false;
  };
  if (route == nullptr && (!match_.allow.empty() || !method)) {
    return refuse(Reason::kNoRoute, {.status = 405,
                                     .detail = "this path does not take that method" +
                                               (match_.allow.empty() ? "" : "; it takes " + match_.allow),
                                     .fields = match_.allow.empty() ? "" : "Allow: " + match_.allow + "\r\n",
                                     .close = false});
  }
  if (route == nullptr) {
    return refuse(
        Reason::kNoRoute,
        {.status = 404, .detail = "there is nothing at " + Printable(target), .fields = {}, .close = false});
  }
  if (match_.bad_encoding) {
    return refuse(
        Reason::kNoRoute,
        {.status = 400, .detail = "the path has a broken percent escape", .fields = {}, .close = false});
  }
  if ((static_cast<uint8_t>(route->listener) & static_cast<uint8_t>(gateway_.options.listener)) == 0) {
    const bool wants_control = route->listener == Listener::kControl;
    return refuse(Reason::kWrongListener, {.status = 403,
                                           .detail = std::string("this is served on the ") +
                                                     (wants_control ? "control" : "public") + " address only",
                                           .fields = {},
                                           .close = false});
  }
  if (route->presents == Presents::kToken && !access::DecideRoute(caller_.subject->roles, route->roles)) {
    return refuse(Reason::kRoleMissing, {.status = 403,
                                         .detail = "this takes the role " + access::RolesText(route->roles) +
                                                   "; you are " + access::RolesText(caller_.subject->roles),
                                         .fields = {},
                                         .close = false});
  }
  return true;
}

void Connection::Audit(bool allowed, Reason reason, std::string_view object) {
  access::AuditRecord record;
  record.time_micros = gateway_.now_micros;
  record.subject = subject_;
  record.token = token_;
  record.route = match_.route == nullptr ? uint16_t{0} : match_.route->id;
  record.stage = gateway_.options.listener == Listener::kPublic ? access::Stage::kPublicEdge
                                                                : access::Stage::kControlEdge;
  record.reason = reason;
  record.allowed = allowed ? 1 : 0;
  record.SetObject(object);
  gateway_.custodian.Audit(record);
}

}  // namespace glasscase::http
