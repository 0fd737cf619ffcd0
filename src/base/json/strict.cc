#include <glasscase/json/strict.h>

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>

namespace glasscase::json {
namespace {

using boost::json::error_code;
using boost::json::value;
using View = boost::json::string_view;

// Boost's parser calls these. It has checked the grammar and UTF-8; what it lets pass is refused here. Where
// a function gives false it sets `refusal` first.
class Builder {
 public:
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  explicit Builder(const Limits& limits) : limits_(limits) {}

  std::optional<Error> refusal;
  value root;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code& ec) { return Open(boost::json::array(), ec); }
  bool on_array_end(size_t, error_code&) { return Close(); }
  bool on_object_begin(error_code& ec) { return Open(boost::json::object(), ec); }
  bool on_object_end(size_t, error_code&) { return Close(); }

  bool on_key_part(View s, size_t, error_code&) { return Collect(s); }
  bool on_key(View s, size_t, error_code& ec) {
    Frame& frame = open_.back();
    frame.key = TakeText(s);
    const auto& object = frame.container.get_object();
    if (object.size() >= limits_.members_max)
      return Refuse(ec, Error::ResourceExhausted("an object has more than " +
                                                 std::to_string(limits_.members_max) + " members"));
    if (!object.contains(frame.key)) return true;
    return Refuse(ec, Error::InvalidArgument("the key \"" + Printable(frame.key) + "\" appears twice"));
  }
  bool on_string_part(View s, size_t, error_code&) { return Collect(s); }
  bool on_string(View s, size_t, error_code&) { return Put(boost::json::string(TakeText(s))); }

  bool on_number_part(View s, error_code&) { return Collect(s); }
  bool on_int64(int64_t number, View, error_code&) { return PutWhole(number); }
  bool on_uint64(uint64_t number, View, error_code&) { return PutWhole(number); }
  bool on_double(double, View s, error_code& ec) {
    const std::string text = TakeText(s);
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem == std::errc() && end == text.data() + text.size()) return Put(number);
    return Refuse(
        ec, Error::InvalidArgument("the number " + Printable(text, 40) + " is beyond what a double holds"));
  }
  bool on_bool(bool b, error_code&) { return Put(b); }
  bool on_null(error_code&) { return Put(nullptr); }
  bool on_comment_part(View, error_code&) { return true; }
  bool on_comment(View, error_code&) { return true; }

 private:
  struct Frame {
    value container;
    std::string key;  // of the member whose value is being read
  };

  bool Refuse(error_code& ec, Error error) {
    refusal = std::move(error);
    ec = boost::json::error::extra_data;  // any would do: `refusal` is what is told
    return false;
  }

  bool Collect(View s) {
    text_.append(s.data(), s.size());
    return true;
  }
  std::string TakeText(View last) {
    Collect(last);
    return std::exchange(text_, {});
  }
  template <typename Whole>
  bool PutWhole(Whole number) {
    text_.clear();
    return Put(number);
  }

  bool Open(value container, error_code& ec) {
    if (open_.size() >= limits_.depth_max)
      return Refuse(ec, Error::ResourceExhausted("nested deeper than " + std::to_string(limits_.depth_max)));
    open_.push_back({std::move(container), {}});
    return true;
  }
  bool Close() {
    value closed = std::move(open_.back().container);
    open_.pop_back();
    return Put(std::move(closed));
  }
  bool Put(value v) {
    if (open_.empty()) {
      root = std::move(v);
    } else if (auto* array = open_.back().container.if_array()) {
      array->push_back(std::move(v));
    } else {
      open_.back().container.get_object().emplace(open_.back().key, std::move(v));
    }
    return true;
  }

  const Limits& limits_;
  std::vector<Frame> open_;
  std::string text_;  // pieces of the string or number that is being read
};

Error At(size_t offset, const Error& error) {
  return {error.code(),
          "not JSON as expected here: " + error.message() + ", at byte " + std::to_string(offset)};
}

}  // namespace

Result<value> Parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes_max)
    return Fail(Error::ResourceExhausted("JSON of " + std::to_string(text.size()) + " bytes; at most " +
                                         std::to_string(limits.bytes_max) + " are taken"));
  boost::json::parse_options options;
  options.max_depth = limits.depth_max + 1;  // Builder refuses first, with words of ours
  boost::json::basic_parser<Builder> parser(options, limits);
  error_code ec;
  const size_t read = parser.write_some(false, text.data(), text.size(), ec);
  Builder& builder = parser.handler();
  if (builder.refusal) return Fail(At(read, *builder.refusal));
  if (ec) return Fail(At(read, Error::InvalidArgument(ec.message())));
  if (read != text.size()) return Fail(At(read, Error::InvalidArgument("more text after the value")));
  return std::move(builder.root);
}

}  // namespace glasscase::json
