// Anything presented as a token: the format check must neither crash nor accept what it does not print.
#include <glasscase/access/token.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  const std::string_view token(reinterpret_cast<const char*>(data), size);
  if (access::CheckTokenFormat(token)) GC_CHECK(token.size() == 40 && token[3] == '_');
  access::EdgeDigest(token);
  return 0;
}
