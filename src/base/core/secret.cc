#include <glasscase/core/secret.h>

#include <cstring>

namespace glasscase {

void WipeMemory(void* data, size_t size) {
  if (size != 0) explicit_bzero(data, size);
}

bool EqualInConstantTime(ByteSpan a, ByteSpan b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace glasscase
