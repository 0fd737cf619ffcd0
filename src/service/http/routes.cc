#include <glasscase/http/routes.h>

#include <algorithm>

#include <glasscase/core/bytes.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::http {
namespace {

using rpc::Request;

constexpr access::Roles kAnyone = access::kLearner | access::kOwner | access::kOperator;
constexpr access::Roles kOwners = access::kOwner | access::kOperator;
constexpr access::Roles kOperators = access::kOperator;

constexpr Route kRoutes[] = {
    // Without a token.
    {1000, "page", Method::kGet, "/", Listener::kPublic, Presents::kNothing, 0, Handler::kPage},
    {1001, "live", Method::kGet, "/v2/health/live", Listener::kBoth, Presents::kNothing, 0, Handler::kLive},
    {1002, "ready", Method::kGet, "/v2/health/ready", Listener::kBoth, Presents::kNothing, 0,
     Handler::kReady},

    // The ledger, for everybody (C2SP tlog-tiles).
    {1003, "log", Method::kGet, "/log/{path...}", Listener::kBoth, Presents::kNothing, 0, Handler::kLogFile,
     Request::kLogFile},

    // Open Inference Protocol v2.
    {1010, "server metadata", Method::kGet, "/v2", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kServerMetadata},
    {1011, "model metadata", Method::kGet, "/v2/models/{model}", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kModelMetadata},
    {1012, "model metadata", Method::kGet, "/v2/models/{model}/versions/{version}", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kModelMetadata},
    {1013, "model ready", Method::kGet, "/v2/models/{model}/ready", Listener::kPublic, Presents::kToken,
     kAnyone, Handler::kModelReady},
    {1014, "model ready", Method::kGet, "/v2/models/{model}/versions/{version}/ready", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kModelReady},
    {1015, "infer", Method::kPost, "/v2/models/{model}/infer", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kInfer},
    {1016, "infer", Method::kPost, "/v2/models/{model}/versions/{version}/infer", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kInfer},
    {1017, "repository index", Method::kPost, "/v2/repository/index", Listener::kPublic, Presents::kToken,
     kAnyone, Handler::kRepositoryIndex},

    // Parts of its extensions that act on a whole server, which a shared one keeps to itself.
    {1020, "model configuration", Method::kGet, "/v2/models/{model}/config", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1021, "model configuration", Method::kGet, "/v2/models/{model}/versions/{version}/config",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1022, "statistics", Method::kGet, "/v2/models/{model}/stats", Listener::kPublic, Presents::kToken,
     kAnyone, Handler::kNotOffered},
    {1023, "statistics", Method::kGet, "/v2/models/{model}/versions/{version}/stats", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1024, "statistics", Method::kGet, "/v2/models/stats", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kNotOffered},
    {1025, "trace settings", Method::kGet, "/v2/trace/setting", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kNotOffered},
    {1026, "trace settings", Method::kPost, "/v2/trace/setting", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kNotOffered},
    {1027, "trace settings", Method::kGet, "/v2/models/{model}/trace/setting", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1028, "trace settings", Method::kPost, "/v2/models/{model}/trace/setting", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1029, "logging settings", Method::kGet, "/v2/logging", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kNotOffered},
    {1030, "logging settings", Method::kPost, "/v2/logging", Listener::kPublic, Presents::kToken, kAnyone,
     Handler::kNotOffered},
    {1031, "system shared memory", Method::kGet, "/v2/systemsharedmemory/status", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1032, "system shared memory", Method::kGet, "/v2/systemsharedmemory/region/{region}/status",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1033, "system shared memory", Method::kPost, "/v2/systemsharedmemory/region/{region}/register",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1034, "system shared memory", Method::kPost, "/v2/systemsharedmemory/region/{region}/unregister",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1035, "system shared memory", Method::kPost, "/v2/systemsharedmemory/unregister", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1036, "CUDA shared memory", Method::kGet, "/v2/cudasharedmemory/status", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1037, "CUDA shared memory", Method::kGet, "/v2/cudasharedmemory/region/{region}/status",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1038, "CUDA shared memory", Method::kPost, "/v2/cudasharedmemory/region/{region}/register",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1039, "CUDA shared memory", Method::kPost, "/v2/cudasharedmemory/region/{region}/unregister",
     Listener::kPublic, Presents::kToken, kAnyone, Handler::kNotOffered},
    {1040, "CUDA shared memory", Method::kPost, "/v2/cudasharedmemory/unregister", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotOffered},
    {1041, "loading models", Method::kPost, "/v2/repository/models/{model}/load", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotPermitted},
    {1042, "unloading models", Method::kPost, "/v2/repository/models/{model}/unload", Listener::kPublic,
     Presents::kToken, kAnyone, Handler::kNotPermitted},

    // Everyone's own affairs.
    {1100, "who am I", Method::kGet, "/glasscase/v1/whoami", Listener::kBoth, Presents::kToken, kAnyone,
     Handler::kControlAct, Request::kWhoAmI},
    {1101, "list models", Method::kGet, "/glasscase/v1/models", Listener::kBoth, Presents::kToken, kAnyone,
     Handler::kControlAct, Request::kListModels},
    {1102, "show model", Method::kGet, "/glasscase/v1/models/{model}", Listener::kBoth, Presents::kToken,
     kAnyone, Handler::kControlAct, Request::kShowModel},
    {1103, "rotate token", Method::kPost, "/glasscase/v1/tokens/rotate", Listener::kPublic, Presents::kToken,
     kAnyone, Handler::kControlAct, Request::kRotateToken, 201},
    {1104, "redeem invitation", Method::kPost, "/glasscase/v1/invitations/redeem", Listener::kPublic,
     Presents::kInvitation, 0, Handler::kControlAct, Request::kRedeemInvitation, 201},

    {1105, "receipt", Method::kGet, "/glasscase/v1/models/{model}/receipt", Listener::kBoth, Presents::kToken,
     kAnyone, Handler::kControlAct, Request::kReceipt},
    {1106, "history", Method::kGet, "/glasscase/v1/models/{model}/history", Listener::kBoth, Presents::kToken,
     kAnyone, Handler::kControlAct, Request::kHistory},

    {1107, "statement", Method::kGet, "/glasscase/v1/models/{model}/statement", Listener::kBoth,
     Presents::kToken, kAnyone, Handler::kControlAct, Request::kStatement},
    {1108, "lineage", Method::kGet, "/glasscase/v1/models/{model}/lineage", Listener::kBoth, Presents::kToken,
     kAnyone, Handler::kControlAct, Request::kLineage},

    // Control acts.
    {1110, "list subjects", Method::kGet, "/glasscase/v1/subjects", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kListSubjects},
    {1111, "add subject", Method::kPost, "/glasscase/v1/subjects", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kAddSubject, 201},
    {1112, "revoke subject", Method::kDelete, "/glasscase/v1/subjects/{subject}", Listener::kControl,
     Presents::kToken, kOwners, Handler::kControlAct, Request::kRevokeSubject},
    {1113, "list tokens", Method::kGet, "/glasscase/v1/tokens", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kListTokens},
    {1114, "create token", Method::kPost, "/glasscase/v1/tokens", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kCreateToken, 201},
    {1115, "revoke token", Method::kDelete, "/glasscase/v1/tokens/{id}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kRevokeToken},
    {1116, "invite", Method::kPost, "/glasscase/v1/invitations", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kCreateInvitation, 201},
    {1117, "list grants", Method::kGet, "/glasscase/v1/grants", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kListGrants},
    {1118, "grant", Method::kPost, "/glasscase/v1/grants", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kCreateGrant, 201},
    {1119, "revoke grant", Method::kDelete, "/glasscase/v1/grants/{id}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kRevokeGrant},
    {1131, "list uploads", Method::kGet, "/glasscase/v1/uploads", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kListUploads},
    {1132, "create upload", Method::kPost, "/glasscase/v1/uploads", Listener::kControl, Presents::kToken,
     kOwners, Handler::kCreateUpload, Request::kCreateUpload, 201},
    {1133, "show upload", Method::kGet, "/glasscase/v1/uploads/{id}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kShowUpload, Request::kShowUpload},
    {1134, "write upload", Method::kPatch, "/glasscase/v1/uploads/{id}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kWriteUpload, Request::kReceiveUpload, 204},
    {1135, "drop upload", Method::kDelete, "/glasscase/v1/uploads/{id}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kDropUpload, Request::kDropUpload, 204},
    {1136, "upload options", Method::kOptions, "/glasscase/v1/uploads", Listener::kControl, Presents::kToken,
     kOwners, Handler::kUploadOptions, 0, 204},
    {1137, "upload options", Method::kOptions, "/glasscase/v1/uploads/{id}", Listener::kControl,
     Presents::kToken, kOwners, Handler::kUploadOptions, 0, 204},
    {1123, "publish", Method::kPost, "/glasscase/v1/models", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kPublish, 201},
    {1124, "set default version", Method::kPut, "/glasscase/v1/models/{model}/default", Listener::kControl,
     Presents::kToken, kOwners, Handler::kControlAct, Request::kSetDefault},
    {1140, "edit model", Method::kPost, "/glasscase/v1/models/{model}/edit", Listener::kControl,
     Presents::kToken, kOwners, Handler::kControlAct, Request::kEditModel},
    {1125, "retire version", Method::kPost, "/glasscase/v1/models/{model}/versions/{version}/retire",
     Listener::kControl, Presents::kToken, kOwners, Handler::kControlAct, Request::kRetire},
    {1126, "erase version", Method::kDelete, "/glasscase/v1/models/{model}/versions/{version}",
     Listener::kControl, Presents::kToken, kOwners, Handler::kControlAct, Request::kErase},
    {1129, "list files", Method::kGet, "/glasscase/v1/models/{model}/files", Listener::kControl,
     Presents::kToken, kAnyone, Handler::kControlAct, Request::kListFiles},
    {1130, "take file", Method::kGet, "/glasscase/v1/models/{model}/files/{file}", Listener::kControl,
     Presents::kToken, kAnyone, Handler::kFile, Request::kOpenFile},
    {1138, "signature", Method::kGet, "/glasscase/v1/models/{model}/signature", Listener::kControl,
     Presents::kToken, kAnyone, Handler::kControlAct, Request::kSignature},
    {1139, "anchor", Method::kPost, "/glasscase/v1/anchors", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kAnchor, 202},
    {1142, "list anchors", Method::kGet, "/glasscase/v1/anchors", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kListChain},
    {1141, "chain", Method::kGet, "/glasscase/v1/models/{model}/chain", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kListChain},
    {1150, "list runs", Method::kGet, "/glasscase/v1/runs", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kListRuns},
    {1151, "submit run", Method::kPost, "/glasscase/v1/runs", Listener::kControl, Presents::kToken, kOwners,
     Handler::kControlAct, Request::kSubmitRun, 202},
    {1159, "submit runs", Method::kPost, "/glasscase/v1/runs/batch", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kSubmitRuns, 202},
    {1152, "show run", Method::kGet, "/glasscase/v1/runs/{run}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kShowRun},
    {1153, "cancel run", Method::kDelete, "/glasscase/v1/runs/{run}", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kCancelRun, 202},
    {1161, "verify run", Method::kPost, "/glasscase/v1/runs/{run}/verifications", Listener::kControl,
     Presents::kToken, kOwners, Handler::kControlAct, Request::kVerifyRun, 202},
    {1154, "run log", Method::kGet, "/glasscase/v1/runs/{run}/log", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kRunLog},
    {1160, "translate", Method::kPost, "/glasscase/v1/translations", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kTranslate, 202},
    {1170, "list workers", Method::kGet, "/glasscase/v1/workers", Listener::kControl, Presents::kToken,
     kOwners, Handler::kControlAct, Request::kListWorkers},
    {1171, "add worker", Method::kPost, "/glasscase/v1/workers", Listener::kControl, Presents::kToken,
     kOperators, Handler::kControlAct, Request::kAddWorker, 201},
    {1172, "remove worker", Method::kDelete, "/glasscase/v1/workers/{name}", Listener::kControl,
     Presents::kToken, kOperators, Handler::kControlAct, Request::kRemoveWorker},
    {1127, "status", Method::kGet, "/glasscase/v1/status", Listener::kControl, Presents::kToken, kOperators,
     Handler::kControlAct, Request::kStatus},
    {1128, "stop", Method::kPost, "/glasscase/v1/stop", Listener::kControl, Presents::kToken, kOperators,
     Handler::kControlAct, Request::kStop},
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The part of `path` up to the next slash; `path` moves behind it.
std::string_view TakeSegment(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

// Matches without decoding; `segments` gets the raw text of each brace.
bool Matches(std::string_view pattern, std::string_view path, std::array<std::string_view, 3>& segments) {
  // Most rows differ in their last character already.
  const char last = pattern.back();
  if (last == '}' ? path.back() == '/' : last != path.back()) return false;
  size_t parameters = 0;
  pattern.remove_prefix(1);
  path.remove_prefix(1);
  while (!pattern.empty()) {
    if (path.empty()) return false;
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view given = TakeSegment(path);
    if (wanted.ends_with("...}")) {
      segments[parameters] =
          std::string_view(given.data(), given.size() + (path.empty() ? 0 : path.size() + 1));
      return !given.empty();
    }
    if (wanted.starts_with('{')) {
      if (given.empty()) return false;
      segments[parameters++] = given;
    } else if (wanted != given) {
      return false;
    }
  }
  return path.empty();
}

// Joins "/models/owner/name" to "/models/owner%2Fname"; other paths stay as they are.
std::string_view JoinOwnerAndName(std::string_view path, std::string& joined) {
  static constexpr std::string_view kAfterName[] = {"versions",  "infer",     "ready",   "config",  "stats",
                                                    "trace",     "default",   "receipt", "history", "files",
                                                    "statement", "signature", "edit",    "lineage", "chain"};
  static constexpr std::string_view kPrefixes[] = {"/v2/models/", "/glasscase/v1/models/"};
  for (const std::string_view prefix : kPrefixes) {
    if (!path.starts_with(prefix)) continue;
    std::string_view rest = path.substr(prefix.size());
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return path;
    std::string_view second = rest.substr(slash + 1);
    second = second.substr(0, second.find('/'));
    if (second.empty() ||
        std::find(std::begin(kAfterName), std::end(kAfterName), second) != std::end(kAfterName)) {
      return path;
    }
    joined = path;
    joined.replace(prefix.size() + slash, 1, "%2F");
    return joined;
  }
  return path;
}

// Literal segments win over braces: "/v2/models/stats" is not a model called stats.
bool MoreLiteral(const Route& a, const Route* b) {
  if (b == nullptr) return true;
  const auto braces = [](std::string_view path) { return std::count(path.begin(), path.end(), '{'); };
  return braces(a.path) < braces(b->path);
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    case Method::kPatch: return "PATCH";
    case Method::kDelete: return "DELETE";
    case Method::kOptions: return "OPTIONS";
  }
  return "";
}

std::string_view RouteName(uint16_t id) {
  for (const Route& route : kRoutes) {
    if (route.id == id) return route.name;
  }
  return "unknown";
}

std::optional<std::string> DecodeSegment(std::string_view segment) {
  std::string text;
  text.reserve(segment.size());
  for (size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (segment.size() - i < 3) return std::nullopt;
      const int high = HexValue(segment[i + 1]);
      const int low = HexValue(segment[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) return std::nullopt;
    text += c;
  }
  return text;
}

void FindRoute(Method method, std::string_view path, RouteMatch& out) {
  out.route = nullptr;
  out.allow.clear();
  out.bad_encoding = false;
  if (path.empty() || path.front() != '/') return;
  path = JoinOwnerAndName(path, out.joined);
  std::array<std::string_view, 3> segments, best;
  for (const Route& route : kRoutes) {
    segments = {};
    if (!Matches(route.path, path, segments)) continue;
    if (route.method != method) {
      if (!out.allow.empty()) out.allow += ", ";
      out.allow += MethodName(route.method);
    } else if (MoreLiteral(route, out.route)) {
      out.route = &route;
      best = segments;
    }
  }
  if (out.route == nullptr) return;
  for (size_t i = 0; i < best.size(); ++i) {
    std::optional<std::string> decoded = DecodeSegment(best[i]);
    out.bad_encoding |= !decoded;
    out.parameters[i] = decoded ? std::move(*decoded) : std::string();
  }
}

}  // namespace glasscase::http
