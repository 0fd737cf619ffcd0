#include <glasscase/crypto/pin.h>

#include <algorithm>

#include <glasscase/crypto/sha256.h>

namespace glasscase {
namespace {

constexpr std::string_view kPrefix = "sha256//";

}  // namespace

Pin PinOf(const EcdsaPublicKey& key) { return Sha256(key.Der()); }

std::string PinText(const Pin& pin) { return std::string(kPrefix) + ToBase64(pin); }

Result<Pin> ParsePin(std::string_view text) {
  Pin pin{};
  if (text.starts_with(kPrefix)) {
    const auto bytes = FromBase64(text.substr(kPrefix.size()));
    if (bytes && bytes->size() == pin.size()) {
      std::copy(bytes->begin(), bytes->end(), pin.begin());
      return pin;
    }
  }
  return Fail(
      Error::InvalidArgument("the pin of a key is sha256// and 44 characters, not " + Printable(text, 80)));
}

}  // namespace glasscase
