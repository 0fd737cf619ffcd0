#include <glasscase/ledger/checkpoint.h>

#include <algorithm>
#include <charconv>

namespace glasscase::ledger {
namespace {

Error Bad(const std::string& what) { return Error::InvalidArgument("not a checkpoint: " + what); }

Result<uint64_t> ParseSize(std::string_view text) {
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || std::to_string(size) != text || size > INT64_MAX) {
    return Fail(Bad("the size \"" + Printable(text, 40) + "\" is no decimal number below 2^63"));
  }
  return size;
}

Result<std::vector<std::string>> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Fail(Bad("the last line does not end"));
    if (end == 0) return Fail(Bad("an empty line"));
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

Result<Checkpoint> Checkpoint::Parse(std::string_view text) {
  GC_TRY(std::vector<std::string> lines, Lines(text));
  if (lines.size() < 3) return Fail(Bad("origin, size and root are three lines"));
  Checkpoint checkpoint;
  checkpoint.origin = lines[0];
  GC_TRY(checkpoint.size, ParseSize(lines[1]));
  const auto root = FromBase64(lines[2]);
  if (!root || root->size() != checkpoint.root.size()) return Fail(Bad("the root is not base64 of 32 bytes"));
  std::copy(root->begin(), root->end(), checkpoint.root.begin());
  if (checkpoint.size == 0 && checkpoint.root != EmptyRoot())
    return Fail(Bad("an empty log has another root"));
  checkpoint.extensions.assign(lines.begin() + 3, lines.end());
  return checkpoint;
}

std::string Checkpoint::ToString() const {
  std::string text = origin + "\n" + std::to_string(size) + "\n" + ToBase64(root) + "\n";
  for (const std::string& line : extensions) text += line + "\n";
  return text;
}

}  // namespace glasscase::ledger
