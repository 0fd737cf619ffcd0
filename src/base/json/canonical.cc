#include <glasscase/json/canonical.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>

namespace glasscase::json {
namespace {

using boost::json::value;

std::string_view View(boost::json::string_view s) { return {s.data(), s.size()}; }

Status AppendString(std::string& out, std::string_view text) {
  if (!IsUtf8(text)) return Fail(Error::InvalidArgument("a string is not UTF-8: " + Printable(text, 40)));
  constexpr char kHex[] = "0123456789abcdef";
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
  out += '"';
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t plain = i;
    while (i < text.size() && is_plain(text[i])) ++i;
    out.append(text, plain, i - plain);
    if (i == text.size()) break;
    const char c = text[i];
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\f': out += "\\f"; break;
      case '\r': out += "\\r"; break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out += '"';
  return Ok();
}

// To the RFC every number is a double, and readers that know whole numbers read the digits: where the two
// would differ there is no text that says the same to both.
template <typename Whole>
Status AppendWhole(std::string& out, Whole number) {
  const std::string digits = std::to_string(number);
  if (CanonicalNumber(static_cast<double>(number)) != digits)
    return Fail(Error::InvalidArgument("the whole number " + digits +
                                       " has no exact canonical form; put it into a string"));
  out += digits;
  return Ok();
}

Status AppendValue(std::string& out, const value& v);

Status AppendArray(std::string& out, const boost::json::array& array) {
  out += '[';
  for (size_t i = 0; i < array.size(); ++i) {
    if (i != 0) out += ',';
    GC_TRY_VOID(AppendValue(out, array[i]));
  }
  out += ']';
  return Ok();
}

Status AppendObject(std::string& out, const boost::json::object& object) {
  std::vector<const boost::json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return KeyComesBefore(View(a->key()), View(b->key())); });
  out += '{';
  for (size_t i = 0; i < members.size(); ++i) {
    if (i != 0) out += ',';
    GC_TRY_VOID(AppendString(out, View(members[i]->key())));
    out += ':';
    GC_TRY_VOID(AppendValue(out, members[i]->value()));
  }
  out += '}';
  return Ok();
}

Status AppendValue(std::string& out, const value& v) {
  switch (v.kind()) {
    case boost::json::kind::null: out += "null"; return Ok();
    case boost::json::kind::bool_: out += v.get_bool() ? "true" : "false"; return Ok();
    case boost::json::kind::int64: return AppendWhole(out, v.get_int64());
    case boost::json::kind::uint64: return AppendWhole(out, v.get_uint64());
    case boost::json::kind::double_:
      if (!std::isfinite(v.get_double())) return Fail(Error::InvalidArgument("a number is not finite"));
      out += CanonicalNumber(v.get_double());
      return Ok();
    case boost::json::kind::string: return AppendString(out, View(v.get_string()));
    case boost::json::kind::array: return AppendArray(out, v.get_array());
    case boost::json::kind::object: return AppendObject(out, v.get_object());
  }
  return Fail(Error::Internal("a JSON value of no kind"));
}

Error NotCanonical(std::string_view text, std::string_view canonical) {
  const auto differs = std::mismatch(text.begin(), text.end(), canonical.begin(), canonical.end()).first;
  return Error::InvalidArgument("not canonical JSON (RFC 8785): differs from its canonical text at byte " +
                                std::to_string(differs - text.begin()));
}

}  // namespace

// ECMA-262, Number::toString: the fewest digits that read back to the same double, the nearest of several;
// without an exponent from 1e-6 up to below 1e21.
std::string CanonicalNumber(double finite) {
  GC_CHECK(std::isfinite(finite));
  if (finite == 0) return "0";  // minus zero too
  char buffer[32];
  const char* const end =
      std::to_chars(buffer, buffer + sizeof buffer, std::abs(finite), std::chars_format::scientific).ptr;
  const std::string_view scientific(buffer, static_cast<size_t>(end - buffer));
  const size_t e = scientific.find('e');
  std::string digits(scientific.substr(0, e));
  if (digits.size() > 1) digits.erase(1, 1);  // the point
  const size_t sign = scientific[e + 1] == '+' ? 1 : 0;
  int exponent = 0;
  std::from_chars(scientific.data() + e + 1 + sign, end, exponent);

  const auto count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  if (point > 21 || point < -5) {
    if (count > 1) digits.insert(1, 1, '.');
    digits += exponent < 0 ? "e-" : "e+";
    digits += std::to_string(std::abs(exponent));
  } else if (point >= count) {
    digits.append(static_cast<size_t>(point - count), '0');
  } else if (point > 0) {
    digits.insert(static_cast<size_t>(point), 1, '.');
  } else {
    digits.insert(0, "0." + std::string(static_cast<size_t>(-point), '0'));
  }
  return finite < 0 ? "-" + digits : digits;
}

// Bytes of UTF-8 sort like code points. UTF-16 sorts so too, except that the units of a pair, which stands
// for what is beyond U+FFFF (first byte F0 to F4), come before U+E000 to U+FFFF (first byte EE or EF).
bool KeyComesBefore(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end() || in_b == b.end()) return in_a == a.end() && in_b != b.end();
  const auto byte_a = static_cast<unsigned char>(*in_a);
  const auto byte_b = static_cast<unsigned char>(*in_b);
  const bool pair_a = byte_a >= 0xF0;
  const bool pair_b = byte_b >= 0xF0;
  if (pair_a != pair_b && byte_a >= 0xEE && byte_b >= 0xEE) return pair_a;
  return byte_a < byte_b;
}

Result<std::string> WriteCanonical(const value& v) {
  std::string out;
  GC_TRY_VOID(AppendValue(out, v));
  return out;
}

Result<value> ParseCanonical(std::string_view text, const Limits& limits) {
  GC_TRY(value parsed, Parse(text, limits));
  GC_TRY(const std::string canonical, WriteCanonical(parsed));
  if (text != canonical) return Fail(NotCanonical(text, canonical));
  return parsed;
}

Status CheckCanonical(std::string_view text, const Limits& limits) {
  GC_TRY_VOID(ParseCanonical(text, limits));
  return Ok();
}

}  // namespace glasscase::json
