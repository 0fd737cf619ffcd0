#include "progress.h"

#include <charconv>

#include <glasscase/core/bytes.h>

namespace glasscase::working {

namespace {

// Where the text can be cut, at most there, so that no character of UTF-8 is cut apart.
size_t EndOfCharacter(std::string_view text, size_t at) {
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

void ProgressReader::Take(std::string_view printed) {
  for (const char c : printed) {
    if (c == '\n') {
      TakeLine();
      line_.clear();
    } else if (line_.size() <= kLineMax) {
      line_ += c;
    }
  }
  if (last_) tell_(last_->first, last_->second);
  last_.reset();
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
  if (text.size() > kTextMax) text = text.substr(0, EndOfCharacter(text, kTextMax));
  last_ = {fraction, IsUtf8(text) ? std::string(text) : Printable(text, kTextMax)};
}

}  // namespace glasscase::working
