#include <glasscase/core/error.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace glasscase {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kCancelled: return "cancelled";
    case Code::kUnknown: return "unknown";
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kDeadlineExceeded: return "deadline_exceeded";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kPermissionDenied: return "permission_denied";
    case Code::kResourceExhausted: return "resource_exhausted";
    case Code::kFailedPrecondition: return "failed_precondition";
    case Code::kAborted: return "aborted";
    case Code::kOutOfRange: return "out_of_range";
    case Code::kUnimplemented: return "unimplemented";
    case Code::kInternal: return "internal";
    case Code::kUnavailable: return "unavailable";
    case Code::kDataLoss: return "data_loss";
    case Code::kUnauthenticated: return "unauthenticated";
  }
  return "unknown";
}

Error Error::FromErrno(int errno_value, std::string what) {
  Code code = Code::kInternal;
  if (errno_value == ENOENT) code = Code::kNotFound;
  if (errno_value == EACCES || errno_value == EPERM) code = Code::kPermissionDenied;
  if (errno_value == ENOSPC || errno_value == EDQUOT) code = Code::kResourceExhausted;
  if (errno_value == EEXIST) code = Code::kAlreadyExists;
  char buffer[128];
  const char* words = strerror_r(errno_value, buffer, sizeof buffer);  // GNU variant
  return {code, std::move(what) + ": " + words};
}

Error Error::WithContext(std::string_view context) const& {
  return {code_, std::string(context) + ": " + message_};
}

namespace internal {
void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "glasscase: broken invariant at %s:%d: %s\n", file, line, expression);
  std::abort();
}
}  // namespace internal

}  // namespace glasscase
