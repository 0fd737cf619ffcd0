#include <glasscase/crypto/random.h>

#include <sys/random.h>

#include <cerrno>

#include <glasscase/core/error.h>

namespace glasscase {

void SystemRandom::Fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    GC_CHECK(got > 0);
    out = out.subspan(static_cast<size_t>(got));
  }
}

}  // namespace glasscase
