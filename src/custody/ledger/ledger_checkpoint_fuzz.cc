// Any bytes as a checkpoint: what is read has one spelling.
#include <glasscase/ledger/checkpoint.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase::ledger;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto checkpoint = Checkpoint::Parse(text);
  if (checkpoint) GC_CHECK(checkpoint->ToString() == text);
  return 0;
}
