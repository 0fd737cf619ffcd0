// Anything where a kept submission should be: what is read is written again as the same bytes.
#include "submission.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger::evm;
  const ByteSpan bytes{data, size};
  const auto submission = FromKeptForm(bytes);
  if (submission) GC_CHECK(KeptForm(*submission) == Bytes(bytes.begin(), bytes.end()));
  return 0;
}
