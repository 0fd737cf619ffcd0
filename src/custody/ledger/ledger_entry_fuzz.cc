// Any bytes as an entry. A map entry says what it says in one spelling, its own members aside.
#include <glasscase/ledger/entry.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  const std::string_view entry(reinterpret_cast<const char*>(data), size);
  const auto assets = AssetsOf(entry);
  const auto map = ReadMapEntry(entry);
  if (!map || !*map) return 0;
  const auto again = ReadMapEntry(MapEntry((*map)->size, (*map)->root));
  GC_CHECK(again && *again && (*again)->size == (*map)->size && (*again)->root == (*map)->root);
  return 0;
}
