// Boost's parser checks the grammar and UTF-8 and calls the functions below.
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>

#include <glasscase/translation/document.h>

#include "document_builder.h"

namespace glasscase::translation {
namespace {

using boost::json::error_code;
using View = boost::json::string_view;

// Boost's own conversion of numbers is not always the nearest double, so the text is converted here.
template <typename Float>
double ToNumber(std::string_view text) {
  Float number = 0;
  const auto problem = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  if (problem == std::errc()) return static_cast<double>(number);
  // Beyond the range: strtod tells too large from too small.
  const double wide = std::strtod(std::string(text).c_str(), nullptr);
  return static_cast<double>(static_cast<Float>(wide));
}

class Handler {
 public:
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  explicit Handler(const DocumentOptions& options)
      : builder(options), numbers_are_float32_(options.numbers_are_float32) {}

  DocumentBuilder builder;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code& ec) { return Go(builder.OpenArray(), ec); }
  bool on_array_end(size_t, error_code& ec) { return Go(builder.Close(), ec); }
  bool on_object_begin(error_code& ec) { return Go(builder.OpenObject(), ec); }
  bool on_object_end(size_t, error_code& ec) { return Go(builder.Close(), ec); }

  bool on_key_part(View s, size_t, error_code&) { return Collect(s); }
  bool on_key(View s, size_t, error_code& ec) { return Go(builder.Key(TakeText(s)), ec); }
  bool on_string_part(View s, size_t, error_code&) { return Collect(s); }
  bool on_string(View s, size_t, error_code& ec) { return Go(builder.PutText(TakeText(s)), ec); }

  bool on_number_part(View s, error_code&) { return Collect(s); }
  bool on_int64(int64_t number, View, error_code& ec) { return Whole(static_cast<double>(number), ec); }
  bool on_uint64(uint64_t number, View, error_code& ec) { return Whole(static_cast<double>(number), ec); }
  bool on_double(double, View s, error_code& ec) {
    // As a rule the number is in one piece, and is read where it stands.
    const std::string pieces = text_.empty() ? std::string() : TakeText(s);
    const std::string_view text = pieces.empty() ? std::string_view(s.data(), s.size()) : pieces;
    const double number = numbers_are_float32_ ? ToNumber<float>(text) : ToNumber<double>(text);
    return Go(builder.PutNumber(number), ec);
  }
  bool on_bool(bool b, error_code& ec) { return Go(builder.PutBool(b), ec); }
  bool on_null(error_code& ec) { return Go(builder.PutNull(), ec); }
  bool on_comment_part(View, error_code&) { return true; }
  bool on_comment(View, error_code&) { return true; }

 private:
  static bool Go(bool goes_on, error_code& ec) {
    if (!goes_on) ec = boost::json::error::extra_data;  // any would do: the refusal is what is told
    return goes_on;
  }
  bool Collect(View s) {
    text_.append(s.data(), s.size());
    return true;
  }
  std::string TakeText(View last) {
    Collect(last);
    return std::exchange(text_, {});
  }
  bool Whole(double number, error_code& ec) {
    text_.clear();
    return Go(builder.PutNumber(number), ec);
  }

  const bool numbers_are_float32_;
  std::string text_;  // pieces of the string or number that is being read
};

auto NotJson(const std::string& why, size_t offset) {
  return Fail(
      Error::InvalidArgument("not JSON as expected here: " + why + ", at byte " + std::to_string(offset)));
}

// As libraries write it, and JSON does not have it.
bool IsNan(std::string_view text) { return text.starts_with("NaN") || text.starts_with("nan"); }

}  // namespace

Result<Value> ParseJson(std::string_view text, const DocumentOptions& options) {
  boost::json::parse_options grammar;
  grammar.max_depth = kNestingMax + 1;  // the builder refuses first, with words of ours
  boost::json::basic_parser<Handler> parser(grammar, options);
  error_code ec;
  const size_t read = parser.write_some(false, text.data(), text.size(), ec);
  DocumentBuilder& builder = parser.handler().builder;
  if (builder.refusal) return NotJson(builder.refusal->message(), read);
  if (ec == boost::json::error::incomplete) return NotJson("the file is cut off", read);
  if (ec && IsNan(text.substr(read)))
    return NotJson("\"" + Printable(builder.Name()) + "\" holds NaN: no threshold and no other number may be",
                   read);
  if (ec) return NotJson(ec.message(), read);
  if (read != text.size()) return NotJson("more text after the value", read);
  return builder.TakeRoot();
}

}  // namespace glasscase::translation
