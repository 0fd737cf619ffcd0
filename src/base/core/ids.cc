#include <glasscase/core/ids.h>

#include <sys/random.h>

#include <glasscase/core/bytes.h>

namespace glasscase {

Uuid Uuid::Random() {
  Uuid id;
  GC_CHECK(getrandom(id.bytes.data(), id.bytes.size(), 0) == static_cast<ssize_t>(id.bytes.size()));
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0F) | 0x40);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

Result<Uuid> Uuid::Parse(std::string_view text) {
  const auto fail = [&] {
    return Fail(Error::InvalidArgument("not a UUID: \"" + Printable(text, 60) + "\""));
  };
  if (text.size() != 36) return fail();
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash_place = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash_place != (text[i] == '-')) return fail();
    if (!dash_place) digits += text[i];
  }
  const Result<Bytes> bytes = FromHex(digits);
  if (!bytes) return fail();
  return FromBytes(AsText(*bytes));
}

Result<Uuid> Uuid::FromBytes(std::string_view sixteen_bytes) {
  Uuid id;
  if (sixteen_bytes.size() != id.bytes.size()) {
    return Fail(Error::InvalidArgument("a UUID has 16 bytes, not " + std::to_string(sixteen_bytes.size())));
  }
  std::memcpy(id.bytes.data(), sixteen_bytes.data(), id.bytes.size());
  return id;
}

std::string Uuid::ToString() const {
  std::string text = ToHex(bytes);
  for (const size_t place : {20, 16, 12, 8}) text.insert(place, 1, '-');
  return text;
}

}  // namespace glasscase
