// The first line as the path of a tile, the rest as a bundle of so many entries as the path's width says:
// both have one spelling.
#include <glasscase/ledger/tile.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view path = bytes.substr(0, bytes.find('\n'));
  const std::string_view bundle = bytes.substr(std::min(bytes.size(), path.size() + 1));
  const auto tile = ParseTilePath(path);
  if (tile) GC_CHECK(TilePath(*tile) == path);
  const auto entries = SplitBundle(bundle, tile ? tile->width : 1);
  if (!entries) return 0;
  std::string again;
  for (const std::string_view entry : *entries) AppendToBundle(again, entry);
  GC_CHECK(again == bundle);
  return 0;
}
