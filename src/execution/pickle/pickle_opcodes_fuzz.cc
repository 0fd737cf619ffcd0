// Any bytes: reading ends, and what it found can be said.
#include <glasscase/pickle/names.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  const pickle::Names found = pickle::ReadNames({data, size});
  GC_CHECK(found.names.size() <= pickle::kNamesMax);
  GC_CHECK(found.names.empty() || found.pickles > 0);
  (void)found.Text();
  return 0;
}
