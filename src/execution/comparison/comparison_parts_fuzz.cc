// A file of a stranger: it has parts or it does not, and is the same as itself.
#include <glasscase/comparison/compare.h>
#include <glasscase/comparison/parts.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  const ByteSpan file(data, size);
  const auto parts = comparison::ReadParts(file);
  GC_CHECK(comparison::Compare(file, file, {}).found == comparison::Class::kSame);
  if (!parts || parts->format == "NPY") return 0;
  Bytes longer(data, data + size);
  longer.push_back(' ');
  (void)comparison::Compare(file, longer, {});
  return 0;
}
