// CSV as RFC 4180 has it, with the separators that spreadsheets write.
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "range_readers.h"

namespace glasscase::translation {
namespace {

constexpr std::array<std::string_view, 4> kTargets = {"target", "label", "class", "y"};
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<double> NumberOf(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // What is too large or too small for a double is a number of which nothing is known.
  if (error == std::errc::result_out_of_range) return std::nan("");
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool IsTarget(std::string_view name) {
  return std::ranges::any_of(kTargets, [&](std::string_view target) {
    return std::ranges::equal(name, target,
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
  });
}

// The separator that the first line has most of.
char SeparatorOf(std::string_view text) {
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  char best = ',';
  for (const char one : {';', '\t'})
    if (std::ranges::count(line, one) > std::ranges::count(line, best)) best = one;
  return best;
}

// Takes one line after the other into fields; of a line with more than `fields_max`, one more than those, and
// there is no next line then.
class Lines {
 public:
  Lines(std::string_view text, size_t fields_max)
      : rest_(text), separator_(SeparatorOf(text)), fields_max_(fields_max) {}

  bool Next(std::vector<std::string_view>& fields) {
    fields.clear();
    while (rest_.starts_with('\n') || rest_.starts_with('\r')) rest_.remove_prefix(1);
    if (rest_.empty()) return false;
    for (bool more = true; more;) {
      fields.push_back(TakeField());
      more = rest_.starts_with(separator_) && fields.size() <= fields_max_;
      if (more) rest_.remove_prefix(1);
    }
    return true;
  }

 private:
  std::string_view TakeField() {
    if (!rest_.starts_with('"')) return Trimmed(Take(EndOfField(0)));
    size_t end = rest_.find('"', 1);
    while (end != std::string_view::npos && rest_.substr(end).starts_with("\"\""))
      end = rest_.find('"', end + 2);
    if (end == std::string_view::npos) return Take(rest_.size());
    const std::string_view quoted = rest_.substr(1, end - 1);
    Take(EndOfField(end));
    return Trimmed(quoted);
  }
  size_t EndOfField(size_t from) const {
    while (from < rest_.size() && rest_[from] != separator_ && rest_[from] != '\n' && rest_[from] != '\r')
      ++from;
    return from;
  }
  std::string_view Take(size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  const char separator_;
  const size_t fields_max_;
};

class Table {
 public:
  explicit Table(std::vector<std::string_view> first) : ranges_(first.size()), head_(std::move(first)) {
    const auto words = std::ranges::count_if(
        head_, [](std::string_view field) { return !field.empty() && !NumberOf(field); });
    has_head_ = words > 1 || (words == 1 && columns() == 1);  // one word among numbers: a row with its class
    if (!has_head_) AddRow(head_);
  }

  void AddRow(const std::vector<std::string_view>& fields) {
    for (size_t column = 0; column < fields.size(); ++column)
      if (const auto number = NumberOf(fields[column])) AddNumber(ranges_[column], *number);
  }
  size_t columns() const { return ranges_.size(); }

  Ranges WithoutTarget() && {
    size_t target = columns() - 1;
    const auto textual = std::ranges::find_if_not(ranges_, &Range::is_known);
    if (textual != ranges_.end()) target = static_cast<size_t>(textual - ranges_.begin());
    const auto named = has_head_ ? std::ranges::find_if(head_, IsTarget) : head_.end();
    if (named != head_.end()) target = static_cast<size_t>(named - head_.begin());
    ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(target));
    return std::move(ranges_);
  }
  Ranges TakeAll() && { return std::move(ranges_); }

 private:
  Ranges ranges_;
  std::vector<std::string_view> head_;
  bool has_head_ = false;
};

}  // namespace

Result<Ranges> ReadTableRanges(std::string_view text, uint32_t features) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const size_t fields_max = size_t{features} + 1;
  Lines lines(text, fields_max);
  std::vector<std::string_view> fields;
  if (!lines.Next(fields)) return Fail(Error::InvalidArgument("it has no lines"));
  if (fields.size() > fields_max)
    return Fail(OtherWidth("more than " + std::to_string(fields_max), features));
  const bool with_target = fields.size() == fields_max;
  if (fields.size() != features && !with_target)
    return Fail(OtherWidth(std::to_string(fields.size()), features));
  Table table(fields);
  for (uint64_t row = 2; lines.Next(fields); ++row) {
    if (fields.size() != table.columns())
      return Fail(
          Error::InvalidArgument("its line " + std::to_string(row) + " has " +
                                 (fields.size() > fields_max ? "more than " + std::to_string(fields_max)
                                                             : std::to_string(fields.size())) +
                                 " fields, and the first " + std::to_string(table.columns())));
    table.AddRow(fields);
  }
  return with_target ? std::move(table).WithoutTarget() : std::move(table).TakeAll();
}

}  // namespace glasscase::translation
