#include "progress.h"

#include <charconv>

namespace glasscase::working {

void ProgressReader::Take(std::string_view printed) {
  for (const char c : printed) {
    if (c == '\n') {
      TakeLine();
      line_.clear();
    } else if (line_.size() <= kLineMax) {
      line_ += c;
    }
  }
}

void ProgressReader::TakeLine() {
  constexpr std::string_view kWord = "progress ";
  if (line_.size() > kLineMax || !line_.starts_with(kWord)) return;
  const std::string_view rest = std::string_view(line_).substr(kWord.size());
  double fraction = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), fraction);
  if (error != std::errc() || !(fraction >= 0 && fraction <= 1)) return;
  std::string_view text = rest.substr(static_cast<size_t>(end - rest.data()));
  if (!text.empty() && text[0] != ' ') return;
  if (!text.empty()) text.remove_prefix(1);
  tell_(fraction, text.substr(0, kTextMax));
}

}  // namespace glasscase::working
