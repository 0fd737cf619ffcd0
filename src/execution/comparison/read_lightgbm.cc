// LightGBM's text: lines `name=values` below lines such as `Tree=0`.
#include <charconv>
#include <optional>

#include "readers.h"

namespace glasscase::comparison {
namespace {

std::string_view TakeUntil(std::string_view& rest, char end) {
  const size_t at = rest.find(end);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

// nullopt where one of them is no number.
std::optional<std::vector<double>> NumbersIn(std::string_view words) {
  std::vector<double> numbers;
  while (!words.empty()) {
    const std::string_view word = TakeUntil(words, ' ');
    double number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    numbers.push_back(number);
  }
  if (numbers.empty()) return std::nullopt;
  return numbers;
}

}  // namespace

Status ReadLightgbm(std::string_view text, PartList& parts) {
  std::string section;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    std::string_view line = TakeUntil(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      if (!line.empty()) GC_TRY_VOID(parts.AddText("line " + std::to_string(line_number), std::string(line)));
      continue;
    }
    const std::string name(line.substr(0, equals));
    const std::string_view values = line.substr(equals + 1);
    if (name == "Tree") section = "Tree " + std::string(values) + ".";
    auto numbers = NumbersIn(values);
    GC_TRY_VOID(numbers ? parts.AddNumbers(section + name, *std::move(numbers))
                        : parts.AddText(section + name, std::string(values)));
  }
  return Ok();
}

}  // namespace glasscase::comparison
