// Any bytes as a dataset: ranges, one a feature, or a refusal.
#include <glasscase/translation/ranges.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const uint32_t features : {1U, 3U}) {
    const auto ranges = glasscase::translation::ReadRanges({data, size}, features);
    GC_CHECK(!ranges || ranges->size() == features);
  }
  return 0;
}
