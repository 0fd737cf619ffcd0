// The one route table of both edges. A request that matches no row is refused; a row says which listener
// serves it, what the caller must present, and which roles may use it. A test enumerates it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <glasscase/access/table.h>

namespace glasscase::http {

enum class Method : uint8_t { kGet, kPost, kPut, kPatch, kDelete, kOptions };
enum class Listener : uint8_t { kPublic = 1, kControl = 2, kBoth = 3 };
enum class Presents : uint8_t { kNothing, kToken, kInvitation };

// What serves a route.
enum class Handler : uint8_t {
  kPage,
  kLive,
  kReady,
  kServerMetadata,
  kModelMetadata,
  kModelReady,
  kInfer,
  kRepositoryIndex,
  kNotOffered,     // 501: a part of the protocol that a shared service does not offer
  kNotPermitted,   // 403: a part of the protocol that would act on others
  kControlAct,     // an operation of the custodian: `operation` is the field number in rpc::Request
  kUploadOptions,  // these five: uploads by tus 1.0.0
  kCreateUpload,
  kShowUpload,
  kWriteUpload,
  kDropUpload,
  kFile,  // of a version, for those who may take it
  kLogFile,
};

struct Route {
  uint16_t id;            // in the audit log: never reuse
  std::string_view name;  // in the audit log
  Method method;
  std::string_view path;  // "{x}" stands for one segment, "{x...}" for all that follow
  Listener listener;
  Presents presents;
  access::Roles roles;  // any of these; 0 with kNothing and kInvitation
  Handler handler;
  int operation = 0;  // Request.op field number
  unsigned success = 200;
};

std::span<const Route> Routes();
std::string_view MethodName(Method method);

// The name of a route, for the audit log; "unknown" for ids that are none.
std::string_view RouteName(uint16_t id);

struct RouteMatch {
  const Route* route = nullptr;
  std::array<std::string, 3> parameters;  // percent-decoded, in the order of the braces
  std::string allow;                      // when only the method differs: the methods that would do
  bool bad_encoding = false;
  std::string joined;  // the path with owner and name as one segment
};

// `path` is the target without its query. A model's name is one segment (a short name, a UUID or
// owner%2Fname) or two, owner/name: what follows a name is one of the words that no model may be called by.
void FindRoute(Method method, std::string_view path, RouteMatch& out);

// Percent-decodes; nullopt when an escape is broken or stands for a control character.
std::optional<std::string> DecodeSegment(std::string_view segment);

}  // namespace glasscase::http
