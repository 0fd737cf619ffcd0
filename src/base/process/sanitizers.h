// Whether this build carries a sanitizer. Its runtime traces its own process at exit, reserves terabytes and
// reads /proc, so a sanitized process keeps its system calls and its memory limit; everything else of its
// confinement is the same. The thread sanitizer has a thread of its own besides, which blocks signals and for
// which the kernel refuses a user namespace. What is left out is tested in a plain build of confine_test.cc.
#pragma once

#if defined(__has_feature)
#define GC_HAS_FEATURE(x) __has_feature(x)
#else
#define GC_HAS_FEATURE(x) 0
#endif

namespace glasscase::process {

#if defined(__SANITIZE_THREAD__) || GC_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitized = true;
#else
inline constexpr bool kThreadSanitized = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || GC_HAS_FEATURE(address_sanitizer) || GC_HAS_FEATURE(memory_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = kThreadSanitized;
#endif

}  // namespace glasscase::process

#undef GC_HAS_FEATURE
