// The decision: table and question in, verdict out. Pure. Called in three places only: the edge, the host,
// and service/operations.
#pragma once

#include <cstdint>
#include <string_view>

#include <glasscase/access/table.h>

namespace glasscase::access {

// Why a request was allowed or refused: one value per line of the audit log. Stored: never renumber.
enum class Reason : uint8_t {
  kAllowedByGrant = 1,
  kAllowedToOwner = 2,
  kAllowedByRole = 3,
  kAllowedWithoutToken = 4,  // the route asks for none
  kNoToken = 10,
  kMalformedToken = 11,
  kUnknownToken = 12,  // never issued here, or revoked
  kExpiredToken = 13,
  kUnknownSubject = 14,
  kNoSuchModel = 20,
  kAmbiguousName = 21,
  kNoGrant = 22,
  kExpiredGrant = 23,
  kVersionNotGranted = 24,
  kNoSuchVersion = 25,
  kRetired = 26,
  kDisabled = 27,  // the model was disabled after killing its host
  kRoleMissing = 30,
  kWrongListener = 31,  // a control route on the public edge, or the reverse
  kNoRoute = 32,
  kQuotaExhausted = 40,
  kLeaseLapsed = 41,
  kBusy = 42,
};
std::string_view ReasonName(Reason reason);  // "no_grant"

// Who is asking. Digest of the kind that the table holds.
struct Caller {
  const TokenRow* token = nullptr;
  const SubjectRow* subject = nullptr;
  Reason reason = Reason::kUnknownToken;  // kAllowedByRole when known
  bool known() const { return subject != nullptr; }
};
Caller Identify(const AccessTable& table, const Digest& digest, int64_t now_micros);

// May `subject` call `model`, and which version answers? `version` is a label or a UUID, empty for the
// default. `model` is null when the name was not found: the same look-ups are done then, so that a missing
// model and one without a grant take the same work and get the same refusal, kNoGrant. A caller with a grant
// learns of versions outside it only kVersionNotGranted, whether they exist or not.
struct CallVerdict {
  bool allowed = false;
  Reason reason = Reason::kNoGrant;
  const ModelRow* model = nullptr;
  const VersionRow* version = nullptr;
  const GrantRow* grant = nullptr;  // null for the owner, who needs none
};
CallVerdict DecideCall(const AccessTable& table, const SubjectRow& subject, const ModelRow* model,
                       std::string_view version, int64_t now_micros);

// The model a caller means: "owner/name", a UUID, or a short name of which the caller sees exactly one.
// Null when there is none; `ambiguous` is set when the caller sees several.
const ModelRow* ResolveModel(const AccessTable& table, const SubjectRow& subject, std::string_view name,
                             bool* ambiguous);

// The version a caller means who said `name` for `model`: `version` when they said one; `name` when that is
// the UUID of one of the model's versions; empty (the default) otherwise. A view of one of the two.
std::string_view VersionMeant(const ModelRow* model, std::string_view name, std::string_view version);

// May a subject with these roles use a route that asks for one of `wanted`?
inline bool DecideRoute(Roles have, Roles wanted) { return (have & wanted) != 0; }

}  // namespace glasscase::access
