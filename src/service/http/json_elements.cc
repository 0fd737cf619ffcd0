#include "json_elements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "problem.h"

namespace glasscase::http {
namespace {

constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

const char* SkipSpace(const char* p) {
  while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') ++p;
  return p;
}

// A number by the JSON grammar (RFC 8259 section 6): its extent, and its digits as an integer when they fit.
struct Number {
  const char* end = nullptr;  // null: not a number
  uint64_t digits = 0;        // valid when digit_count <= 19
  int digit_count = 0;
  int exponent = 0;  // value = digits * 10^exponent
  bool negative = false;
  bool integer = true;  // neither fraction nor exponent
};

// Reads past no byte but digits and the number's own characters: the text ends in ']'.
Number ScanNumber(const char* p) {
  Number number;
  if (*p == '-') {
    number.negative = true;
    ++p;
  }
  if (!IsDigit(*p) || (*p == '0' && IsDigit(p[1]))) return number;
  const char* first = p;
  for (; IsDigit(*p); ++p) number.digits = number.digits * 10 + static_cast<uint64_t>(*p - '0');
  number.digit_count = static_cast<int>(p - first);
  if (*p == '.') {
    number.integer = false;
    const char* fraction = ++p;
    for (; IsDigit(*p); ++p) number.digits = number.digits * 10 + static_cast<uint64_t>(*p - '0');
    if (p == fraction) return number;
    number.digit_count += static_cast<int>(p - fraction);
    number.exponent = -static_cast<int>(p - fraction);
  }
  if (*p == 'e' || *p == 'E') {
    number.integer = false;
    ++p;
    const bool negative_exponent = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    if (!IsDigit(*p)) return number;
    int exponent = 0;
    for (; IsDigit(*p); ++p) exponent = exponent < 100'000 ? exponent * 10 + (*p - '0') : exponent;
    number.exponent += negative_exponent ? -exponent : exponent;
  }
  number.end = p;
  return number;
}

// Clinger's fast path: digits and the power of ten are exact doubles, so one operation rounds once. For
// floats a second rounding follows, which is wrong only where the double lies exactly between two floats.
template <typename T>
bool FastFloat(const Number& number, T& value) {
  if (number.digit_count > 19 || number.digits > (uint64_t{1} << 53)) return false;
  if (number.exponent < -22 || number.exponent > 22) return false;
  double magnitude = static_cast<double>(number.digits);
  if (number.exponent < 0) {
    magnitude /= kPowersOfTen[static_cast<size_t>(-number.exponent)];
  } else {
    magnitude *= kPowersOfTen[static_cast<size_t>(number.exponent)];
  }
  if constexpr (std::is_same_v<T, float>) {
    constexpr uint64_t kBelowFloat = (uint64_t{1} << 29) - 1;
    constexpr uint64_t kHalfway = uint64_t{1} << 28;
    const bool halfway = (std::bit_cast<uint64_t>(magnitude) & kBelowFloat) == kHalfway;
    const bool subnormal =
        magnitude != 0 && magnitude < static_cast<double>(std::numeric_limits<float>::min());
    if (halfway || subnormal || magnitude > static_cast<double>(std::numeric_limits<float>::max()))
      return false;
  }
  value = static_cast<T>(number.negative ? -magnitude : magnitude);
  return true;
}

// Null when the text is no number of the type; then `reason` says why.
template <typename T>
const char* ReadElement(const char* p, T& value, const char*& reason) {
  const Number number = ScanNumber(p);
  if (number.end == nullptr) {
    reason = "is not a JSON number";
    return nullptr;
  }
  if constexpr (std::is_floating_point_v<T>) {
    if (FastFloat(number, value)) return number.end;
    const auto [end, error] = std::from_chars(p, number.end, value);
    if (error == std::errc::result_out_of_range) {
      const bool underflow = number.exponent < 0 && number.exponent + number.digit_count < 0;
      if (underflow) value = number.negative ? -T{0} : T{0};
      reason = "is out of range";
      return underflow ? number.end : nullptr;
    }
  } else {
    if (!number.integer) {
      reason = "is not an integer";
      return nullptr;
    }
    const auto [end, error] = std::from_chars(p, number.end, value);
    if (error != std::errc() || end != number.end) {
      reason = "is out of range";
      return nullptr;
    }
  }
  return number.end;
}

const char* ReadBool(const char* p, uint8_t& value, const char*& reason) {
  if (std::strncmp(p, "true", 4) == 0) {
    value = 1;
    return p + 4;
  }
  if (std::strncmp(p, "false", 5) == 0) {
    value = 0;
    return p + 5;
  }
  if ((*p == '0' || *p == '1') && !IsDigit(p[1]) && p[1] != '.' && p[1] != 'e' && p[1] != 'E') {
    value = static_cast<uint8_t>(*p - '0');
    return p + 1;
  }
  reason = "is not a JSON boolean";
  return nullptr;
}

std::string ElementPlace(std::string_view where, uint64_t index) {
  return std::string(where) + "[" + std::to_string(index) + "]: ";
}

// The text of one element for a message.
std::string Quoted(const char* p, const char* end) {
  const char* stop = p;
  while (stop < end && stop - p < 40 && *stop != ',' && *stop != ']' && *stop != ' ' && *stop != '\n') ++stop;
  return Printable({p, static_cast<size_t>(stop - p)}, 40);
}

// Walks the brackets and commas of a flat array, or of one nested as `shape`; `read_one(p, index)` reads an
// element and returns its end, or null after setting `error`.
template <typename ReadOne>
Status WalkArray(std::string_view json, std::span<const int64_t> shape, std::string_view where,
                 ReadOne read_one) {
  GC_TRY(const uint64_t wanted, ElementCount(shape));
  if (json.size() < 2 || json.front() != '[' || json.back() != ']') {
    return Fail(Error::InvalidArgument(std::string(where) + ": must be an array"));
  }
  const char* p = json.data();
  const char* const end = p + json.size();
  std::array<int64_t, kRankMax + 1> counts{};  // values seen so far in the open array of each depth
  size_t depth = 0;
  size_t deepest = 0;  // the depth at which elements stand; 0: none seen
  uint64_t index = 0;
  bool value_may_follow = true;  // at a place where a value may stand
  const auto fail = [&](const std::string& what) {
    return Fail(
        Error::InvalidArgument(std::string(where) + ": " + what + " at element " + std::to_string(index)));
  };
  for (p = SkipSpace(p); p < end; p = SkipSpace(p)) {
    if (*p == '[') {
      if (!value_may_follow || (deepest != 0 && depth >= deepest))
        return fail("brackets do not match the shape");
      if (depth == std::max<size_t>(shape.size(), 1)) {
        return fail("arrays are nested deeper than the shape " + ShapeText(shape));
      }
      if (depth > 0) ++counts[depth];
      counts[++depth] = 0;
      ++p;
    } else if (*p == ']') {
      if (value_may_follow && counts[depth] != 0) return fail("a comma is followed by no value");
      // A flat array at the top holds all elements; nested ones hold what the shape says.
      const bool flat = depth == 1 && (deepest == 1 || index == 0);
      if (!flat && counts[depth] != shape[depth - 1]) {
        return fail("an array of " + std::to_string(counts[depth]) + " values does not fit dimension " +
                    std::to_string(depth - 1) + " of the shape " + ShapeText(shape));
      }
      ++p;
      if (--depth == 0) break;
      value_may_follow = false;
    } else if (*p == ',') {
      if (value_may_follow) return fail("a comma stands where a value is expected");
      value_may_follow = true;
      ++p;
    } else {
      if (!value_may_follow) return fail("a comma is missing");
      if (deepest == 0) deepest = depth;
      const bool right_depth = deepest == depth && (depth == 1 || depth == shape.size());
      if (!right_depth) return fail("arrays are neither flat nor nested as the shape " + ShapeText(shape));
      if (index == wanted) return fail("more values than the shape " + ShapeText(shape) + " has");
      p = read_one(p, end, index);
      if (p == nullptr) return Ok();  // the caller has the error
      ++index;
      ++counts[depth];
      value_may_follow = false;
    }
  }
  if (index != wanted) {
    return Fail(Error::InvalidArgument(std::string(where) + ": " + std::to_string(index) +
                                       " values, but the shape " + ShapeText(shape) + " has " +
                                       std::to_string(wanted)));
  }
  return Ok();
}

template <typename T, typename Read>
Status ParseTyped(std::string_view json, DataType type, std::span<const int64_t> shape,
                  std::span<uint8_t> out, std::string_view where, Read read) {
  std::string problem;
  Status walked = WalkArray(json, shape, where, [&](const char* p, const char* end, uint64_t index) {
    T value{};
    const char* reason = "";
    const char* next = read(p, value, reason);
    if (next == nullptr) {
      problem = ElementPlace(where, index) + Quoted(p, end) + " " + reason + " for " +
                std::string(DataTypeName(type));
      if (*p == 'N' || *p == 'I') problem += "; send such values as a binary tensor";
      return next;
    }
    std::memcpy(out.data() + index * sizeof(T), &value, sizeof(T));
    return next;
  });
  if (!problem.empty()) return Fail(Error::InvalidArgument(problem));
  return walked;
}

template <typename T>
Status ParseNumbers(std::string_view json, DataType type, std::span<const int64_t> shape,
                    std::span<uint8_t> out, std::string_view where) {
  return ParseTyped<T>(json, type, shape, out, where, ReadElement<T>);
}

template <typename T>
Status AppendNumbers(std::string& json, ByteSpan data, std::string_view where) {
  char text[32];
  for (size_t offset = 0; offset < data.size(); offset += sizeof(T)) {
    T value{};
    std::memcpy(&value, data.data() + offset, sizeof(T));
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) {
        return Fail(Error::OutOfRange(ElementPlace(where, offset / sizeof(T)) +
                                      (std::isnan(value) ? "NaN" : "infinity") +
                                      " has no JSON form; ask for binary output"));
      }
    }
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    json.append(text, end);
    json += ',';
  }
  return Ok();
}

Status AppendStrings(std::string& json, ByteSpan data, std::string_view where) {
  for (uint64_t index = 0; !data.empty(); ++index) {
    uint32_t length = 0;
    if (data.size() < sizeof length) return Fail(Error::Internal("BYTES data is cut"));
    std::memcpy(&length, data.data(), sizeof length);
    data = data.subspan(sizeof length);
    if (data.size() < length) return Fail(Error::Internal("BYTES data is cut"));
    const std::string_view text = AsText(data.first(length));
    if (!IsUtf8(text)) {
      return Fail(Error::OutOfRange(ElementPlace(where, index) + "is not UTF-8 text; ask for binary output"));
    }
    json += '"';
    AppendJsonEscaped(json, text);
    json += "\",";
    data = data.subspan(length);
  }
  return Ok();
}

void AppendBools(std::string& json, ByteSpan data) {
  for (const uint8_t value : data) json += value != 0 ? "true," : "false,";
}

void AppendUtf8(Bytes& out, uint32_t rune) {
  if (rune < 0x80) {
    out.push_back(static_cast<uint8_t>(rune));
  } else if (rune < 0x800) {
    out.push_back(static_cast<uint8_t>(0xC0 | rune >> 6));
    out.push_back(static_cast<uint8_t>(0x80 | (rune & 0x3F)));
  } else if (rune < 0x10000) {
    out.push_back(static_cast<uint8_t>(0xE0 | rune >> 12));
    out.push_back(static_cast<uint8_t>(0x80 | (rune >> 6 & 0x3F)));
    out.push_back(static_cast<uint8_t>(0x80 | (rune & 0x3F)));
  } else {
    out.push_back(static_cast<uint8_t>(0xF0 | rune >> 18));
    out.push_back(static_cast<uint8_t>(0x80 | (rune >> 12 & 0x3F)));
    out.push_back(static_cast<uint8_t>(0x80 | (rune >> 6 & 0x3F)));
    out.push_back(static_cast<uint8_t>(0x80 | (rune & 0x3F)));
  }
}

// The four digits after "\u"; negative when they are not four.
int32_t ReadHex4(const char* p, const char* end) {
  if (end - p < 4) return -1;
  uint32_t value = 0;
  const auto [stop, error] = std::from_chars(p, p + 4, value, 16);
  return error == std::errc() && stop == p + 4 && *p != '-' ? static_cast<int32_t>(value) : -1;
}

// Reads a string's escape at `p` (after the backslash); null when it is none.
const char* ReadEscape(const char* p, const char* end, Bytes& out) {
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const size_t place = kLetters.find(*p);
  if (place != std::string_view::npos) {
    out.push_back(static_cast<uint8_t>(kMeanings[place]));
    return p + 1;
  }
  if (*p != 'u') return nullptr;
  const int32_t unit = ReadHex4(p + 1, end);
  if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return nullptr;
  if (unit < 0xD800 || unit > 0xDBFF) {
    AppendUtf8(out, static_cast<uint32_t>(unit));
    return p + 5;
  }
  if (end - p < 11 || p[5] != '\\' || p[6] != 'u') return nullptr;
  const int32_t low = ReadHex4(p + 7, end);
  if (low < 0xDC00 || low > 0xDFFF) return nullptr;
  AppendUtf8(out,
             0x10000 + (static_cast<uint32_t>(unit - 0xD800) << 10) + static_cast<uint32_t>(low - 0xDC00));
  return p + 11;
}

// Appends the unescaped string with its length prefix; null when it is not a string.
const char* ReadString(const char* p, const char* end, Bytes& out) {
  if (*p != '"') return nullptr;
  const size_t prefix = out.size();
  out.resize(prefix + sizeof(uint32_t));
  for (++p; p < end && *p != '"';) {
    if (static_cast<uint8_t>(*p) < 0x20) return nullptr;
    if (*p == '\\') {
      p = ReadEscape(p + 1, end, out);
      if (p == nullptr) return nullptr;
    } else {
      out.push_back(static_cast<uint8_t>(*p++));
    }
  }
  if (p >= end) return nullptr;
  const auto length = static_cast<uint32_t>(out.size() - prefix - sizeof(uint32_t));
  std::memcpy(out.data() + prefix, &length, sizeof length);
  return p + 1;
}

Status NoJsonForm(DataType type, std::string_view where) {
  return Fail(Error::InvalidArgument(std::string(where) + ": " + std::string(DataTypeName(type)) +
                                     " has no JSON form; send and ask for it as a binary tensor"));
}

}  // namespace

Status ParseElements(std::string_view json, DataType type, std::span<const int64_t> shape,
                     std::span<uint8_t> out, std::string_view where) {
  switch (type) {
    case DataType::kBool: return ParseTyped<uint8_t>(json, type, shape, out, where, ReadBool);
    case DataType::kUint8: return ParseNumbers<uint8_t>(json, type, shape, out, where);
    case DataType::kUint16: return ParseNumbers<uint16_t>(json, type, shape, out, where);
    case DataType::kUint32: return ParseNumbers<uint32_t>(json, type, shape, out, where);
    case DataType::kUint64: return ParseNumbers<uint64_t>(json, type, shape, out, where);
    case DataType::kInt8: return ParseNumbers<int8_t>(json, type, shape, out, where);
    case DataType::kInt16: return ParseNumbers<int16_t>(json, type, shape, out, where);
    case DataType::kInt32: return ParseNumbers<int32_t>(json, type, shape, out, where);
    case DataType::kInt64: return ParseNumbers<int64_t>(json, type, shape, out, where);
    case DataType::kFp32: return ParseNumbers<float>(json, type, shape, out, where);
    case DataType::kFp64: return ParseNumbers<double>(json, type, shape, out, where);
    case DataType::kFp16:
    case DataType::kBf16: return NoJsonForm(type, where);
    case DataType::kBytes: break;
  }
  return Fail(Error::Internal("strings are not read here"));
}

Status ParseStringElements(std::string_view json, std::span<const int64_t> shape, Bytes& out,
                           std::string_view where) {
  std::string problem;
  Status walked = WalkArray(json, shape, where, [&](const char* p, const char* end, uint64_t index) {
    const char* next = ReadString(p, end, out);
    if (next == nullptr) problem = ElementPlace(where, index) + Quoted(p, end) + " is not a JSON string";
    return next;
  });
  if (!problem.empty()) return Fail(Error::InvalidArgument(problem));
  return walked;
}

Status AppendElements(std::string& json, DataType type, ByteSpan data, std::string_view where) {
  json += '[';
  Status done = Ok();
  switch (type) {
    case DataType::kBool: AppendBools(json, data); break;
    case DataType::kUint8: done = AppendNumbers<uint8_t>(json, data, where); break;
    case DataType::kUint16: done = AppendNumbers<uint16_t>(json, data, where); break;
    case DataType::kUint32: done = AppendNumbers<uint32_t>(json, data, where); break;
    case DataType::kUint64: done = AppendNumbers<uint64_t>(json, data, where); break;
    case DataType::kInt8: done = AppendNumbers<int8_t>(json, data, where); break;
    case DataType::kInt16: done = AppendNumbers<int16_t>(json, data, where); break;
    case DataType::kInt32: done = AppendNumbers<int32_t>(json, data, where); break;
    case DataType::kInt64: done = AppendNumbers<int64_t>(json, data, where); break;
    case DataType::kFp32: done = AppendNumbers<float>(json, data, where); break;
    case DataType::kFp64: done = AppendNumbers<double>(json, data, where); break;
    case DataType::kBytes: done = AppendStrings(json, data, where); break;
    case DataType::kFp16:
    case DataType::kBf16: return NoJsonForm(type, where);
  }
  GC_TRY_VOID(std::move(done));
  if (json.back() == ',') {
    json.back() = ']';
  } else {
    json += ']';
  }
  return Ok();
}

}  // namespace glasscase::http
