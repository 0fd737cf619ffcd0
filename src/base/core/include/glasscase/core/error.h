// Errors are values. What can happen in a correct program is a Result; what cannot is GC_CHECK.
//
// The codes are the sixteen canonical ones shared with gRPC (minus OK). A new code needs a caller who
// can act on it; everything else belongs in the message: what failed, then the values last, for example
//   "model digest mismatch: catalog=..., blob=...".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace glasscase {

enum class Code : uint8_t {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,  // the request is wrong whatever the state of the system
  kDeadlineExceeded = 4,
  kNotFound = 5,  // also: the caller may not know whether it exists
  kAlreadyExists = 6,
  kPermissionDenied = 7,   // the caller is known and may not do this
  kResourceExhausted = 8,  // quota, or a limit of this installation
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,  // try again; says nothing about the request
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The lower-case canonical name, for example "invalid_argument".
std::string_view CodeName(Code code);

class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Error InvalidArgument(std::string m) { return {Code::kInvalidArgument, std::move(m)}; }
  static Error DeadlineExceeded(std::string m) { return {Code::kDeadlineExceeded, std::move(m)}; }
  static Error NotFound(std::string m) { return {Code::kNotFound, std::move(m)}; }
  static Error AlreadyExists(std::string m) { return {Code::kAlreadyExists, std::move(m)}; }
  static Error PermissionDenied(std::string m) { return {Code::kPermissionDenied, std::move(m)}; }
  static Error ResourceExhausted(std::string m) { return {Code::kResourceExhausted, std::move(m)}; }
  static Error FailedPrecondition(std::string m) { return {Code::kFailedPrecondition, std::move(m)}; }
  static Error OutOfRange(std::string m) { return {Code::kOutOfRange, std::move(m)}; }
  static Error Unimplemented(std::string m) { return {Code::kUnimplemented, std::move(m)}; }
  static Error Internal(std::string m) { return {Code::kInternal, std::move(m)}; }
  static Error Unavailable(std::string m) { return {Code::kUnavailable, std::move(m)}; }
  static Error DataLoss(std::string m) { return {Code::kDataLoss, std::move(m)}; }
  static Error Unauthenticated(std::string m) { return {Code::kUnauthenticated, std::move(m)}; }
  // From an errno value: ENOENT is NotFound, EACCES and EPERM PermissionDenied, ENOSPC and EDQUOT
  // ResourceExhausted, EEXIST AlreadyExists, the rest Internal. The message ends in strerror's words.
  static Error FromErrno(int errno_value, std::string what);

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts `context` and ": " before the message.
  Error WithContext(std::string_view context) const&;

  bool operator==(const Error&) const = default;

 private:
  Code code_;
  std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline Status Ok() { return {}; }

namespace internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);
}  // namespace internal
}  // namespace glasscase

#define GC_INTERNAL_CAT2(a, b) a##b
#define GC_INTERNAL_CAT(a, b) GC_INTERNAL_CAT2(a, b)

// GC_TRY(auto x, F()): x is F()'s value, or the enclosing function returns F()'s error.
#define GC_TRY(declaration, expression)                                              \
  auto GC_INTERNAL_CAT(gc_try_, __LINE__) = (expression);                            \
  if (!GC_INTERNAL_CAT(gc_try_, __LINE__))                                           \
    return ::glasscase::Fail(std::move(GC_INTERNAL_CAT(gc_try_, __LINE__).error())); \
  declaration = std::move(*GC_INTERNAL_CAT(gc_try_, __LINE__))

// GC_TRY_VOID(F()): returns F()'s error if it has one.
#define GC_TRY_VOID(expression)                                                     \
  do {                                                                              \
    auto gc_try_status = (expression);                                              \
    if (!gc_try_status) return ::glasscase::Fail(std::move(gc_try_status.error())); \
  } while (false)

// A broken invariant: prints the place to stderr and aborts. Stays on in release builds.
#define GC_CHECK(condition)               \
  (static_cast<bool>(condition) ? void(0) \
                                : ::glasscase::internal::CheckFailed(__FILE__, __LINE__, #condition))
