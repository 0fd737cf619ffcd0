#include "card_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <glasscase/core/bytes.h>

namespace glasscase::commands {
namespace {

constexpr size_t kCardBytesMax = size_t{256} << 10;  // as the server has it

}  // namespace

Result<std::string> ReadCardFile(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path))
    return Fail(Error::NotFound("could not read the card " + path));
  std::string card(kCardBytesMax + 1, '\0');
  stream.read(card.data(), static_cast<std::streamsize>(card.size()));
  card.resize(static_cast<size_t>(stream.gcount()));
  if (card.size() > kCardBytesMax)
    return Fail(
        Error::FailedPrecondition("the card " + path +
                                  " is too large: a card has at most 256 KiB; put what is longer into a file "
                                  "of the version"));
  if (!IsUtf8(card)) return Fail(Error::FailedPrecondition("the card " + path + " is no text in UTF-8"));
  return card;
}

}  // namespace glasscase::commands
