// UBJSON: a marker, then for numbers big-endian bytes, for texts and keys a length that is itself a number,
// for arrays and objects members up to a closing marker, or a count before them. Arrays may name one type for
// all their elements.
#include <bit>
#include <cstdint>
#include <optional>
#include <string>

#include <glasscase/translation/document.h>

#include "document_builder.h"

namespace glasscase::translation {
namespace {

constexpr char kTypeFollows = '$';
constexpr char kCountFollows = '#';

// Bytes of a number with that marker; 0 for what is no number.
size_t NumberBytes(char marker) {
  switch (marker) {
    case 'i':
    case 'U': return 1;
    case 'I': return 2;
    case 'l':
    case 'd': return 4;
    case 'L':
    case 'D': return 8;
    default: return 0;
  }
}

double Decode(char marker, uint64_t bits) {
  switch (marker) {
    case 'i': return static_cast<int8_t>(bits);
    case 'U': return static_cast<double>(bits);
    case 'I': return static_cast<int16_t>(bits);
    case 'l': return static_cast<int32_t>(bits);
    case 'L': return static_cast<double>(static_cast<int64_t>(bits));
    case 'd': return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    default: return std::bit_cast<double>(bits);
  }
}

class Reader {
 public:
  Reader(ByteSpan bytes, const DocumentOptions& options) : bytes_(bytes), builder_(options) {}

  Result<Value> Read() {
    bool goes_on = ReadMarker() && ReadValue();
    if (goes_on && at_ != bytes_.size()) goes_on = Refuse("more bytes after the value");
    if (goes_on) return builder_.TakeRoot();
    return Fail(Error::InvalidArgument("not UBJSON as expected here: " + builder_.refusal->message() +
                                       ", at byte " + std::to_string(at_)));
  }

 private:
  bool Refuse(std::string why) { return builder_.Refuse(Error::InvalidArgument(std::move(why))); }

  bool ReadMarker() {
    do {
      if (at_ == bytes_.size()) return Refuse("the file is cut off");
      marker_ = static_cast<char>(bytes_[at_++]);
    } while (marker_ == 'N');  // stands for nothing
    return true;
  }
  char Peek() const { return at_ < bytes_.size() ? static_cast<char>(bytes_[at_]) : '\0'; }

  bool ReadNumber(char marker, double& number) {
    const size_t size = NumberBytes(marker);
    if (bytes_.size() - at_ < size) return Refuse("the file is cut off");
    uint64_t bits = 0;
    for (size_t i = 0; i < size; ++i) bits = bits << 8 | bytes_[at_++];
    number = Decode(marker, bits);
    return true;
  }

  // Of what takes at least `bytes_each`, so that a count announces no more than there is.
  bool ReadCount(size_t bytes_each, size_t& count) {
    if (!ReadMarker()) return false;
    if (NumberBytes(marker_) == 0 || marker_ == 'd' || marker_ == 'D') return Refuse("a count is no number");
    double number = 0;
    if (!ReadNumber(marker_, number)) return false;
    if (number < 0) return Refuse("a count is negative");
    if (number * static_cast<double>(bytes_each) > static_cast<double>(bytes_.size() - at_))
      return Refuse("the file is cut off: more is announced than follows");
    count = static_cast<size_t>(number);
    return true;
  }

  bool ReadText(std::string& text) {
    size_t size = 0;
    if (!ReadCount(1, size)) return false;
    text.assign(reinterpret_cast<const char*>(bytes_.data() + at_), size);
    at_ += size;
    if (!IsUtf8(text)) return Refuse("a text is not UTF-8");
    return true;
  }

  // The value whose marker was read.
  bool ReadValue() {
    double number = 0;
    std::string text;
    switch (marker_) {
      case '{': return builder_.OpenObject() && ReadObject() && builder_.Close();
      case '[': return builder_.OpenArray() && ReadArray() && builder_.Close();
      case 'S': return ReadText(text) && builder_.PutText(std::move(text));
      case 'C':
        if (at_ == bytes_.size()) return Refuse("the file is cut off");
        return builder_.PutText(std::string(1, static_cast<char>(bytes_[at_++] & 0x7F)));
      case 'T':
      case 'F': return builder_.PutBool(marker_ == 'T');
      case 'Z': return builder_.PutNull();
      default:
        if (NumberBytes(marker_) == 0) return Refuse("an unknown marker");
        return ReadNumber(marker_, number) && builder_.PutNumber(number);
    }
  }

  // '#' and a count, if that comes.
  bool ReadOptionalCount(std::optional<size_t>& count) {
    if (Peek() != kCountFollows) return true;
    ++at_;
    return ReadCount(1, count.emplace());
  }

  bool ReadArray() {
    if (Peek() == kTypeFollows) return ReadTypedArray();
    std::optional<size_t> count;
    if (!ReadOptionalCount(count)) return false;
    for (size_t i = 0; !count || i < *count; ++i) {
      if (!ReadMarker()) return false;
      if (!count && marker_ == ']') return true;
      if (!ReadValue()) return false;
    }
    return true;
  }

  bool ReadTypedArray() {
    ++at_;
    if (at_ == bytes_.size()) return Refuse("the file is cut off");
    const char type = static_cast<char>(bytes_[at_++]);
    const size_t size = NumberBytes(type);
    if (size == 0) return Refuse("an array of one type that is no number");
    if (Peek() != kCountFollows) return Refuse("an array of one type without a count");
    ++at_;
    size_t count = 0;
    if (!ReadCount(size, count)) return false;
    builder_.Expect(count);
    for (size_t i = 0; i < count; ++i) {
      double number = 0;
      if (!ReadNumber(type, number) || !builder_.PutNumber(number)) return false;
    }
    return true;
  }

  bool ReadObject() {
    if (Peek() == kTypeFollows) return Refuse("an object with members of one type");
    std::optional<size_t> count;
    if (!ReadOptionalCount(count)) return false;
    for (size_t i = 0; !count || i < *count; ++i) {
      while (Peek() == 'N') ++at_;
      if (!count && Peek() == '}') {
        ++at_;
        return true;
      }
      std::string key;
      if (!ReadText(key) || !builder_.Key(std::move(key)) || !ReadMarker() || !ReadValue()) return false;
    }
    return true;
  }

  ByteSpan bytes_;
  size_t at_ = 0;
  char marker_ = '\0';
  DocumentBuilder builder_;
};

}  // namespace

// A float32 of the format is one already: `numbers_are_float32` asks for nothing more.
Result<Value> ParseUbj(ByteSpan bytes, const DocumentOptions& options) {
  return Reader(bytes, options).Read();
}

}  // namespace glasscase::translation
