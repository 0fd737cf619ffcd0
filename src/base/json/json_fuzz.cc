// Any bytes as JSON: what is read can be written canonically unless a number forbids it, and the canonical
// text is accepted, gives itself again and means the same.
#include <glasscase/json/canonical.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = json::Parse(text, {.bytes_max = 1 << 16, .depth_max = 16, .members_max = 64});
  const bool accepted = json::CheckCanonical(text).has_value();
  if (!value) return 0;
  const auto written = json::WriteCanonical(*value);
  if (accepted) GC_CHECK(written && *written == text);
  if (!written) return 0;
  const auto again = json::ParseCanonical(*written);
  GC_CHECK(again);
  GC_CHECK(*json::WriteCanonical(*again) == *written);
  return 0;
}
