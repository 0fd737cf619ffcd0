// Whether this build carries a sanitizer. Its runtime traces its own process at exit, reserves terabytes and
// reads /proc, so a sanitized process keeps its system calls and its memory limit; everything else of its
// confinement is the same. The tests of what is left out run in a plain build of confine_test.cc.
#pragma once

namespace glasscase::process {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace glasscase::process
