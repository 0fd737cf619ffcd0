#include <glasscase/comparison/compare.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include <glasscase/comparison/parts.h>

namespace glasscase::comparison {
namespace {

constexpr size_t kShownMax = 80;

std::string Shown(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);
  return {text, end.ptr};
}
std::string Shown(std::string_view text) { return Printable(text, kShownMax); }

class Comparer {
 public:
  Comparer(const Tolerance& tolerance, Comparison& result) : tolerance_(tolerance), result_(result) {
    result_.found = Class::kSame;
  }

  void Compare(const Parts& original, const Parts& repeated) {
    if (original.format != repeated.format)
      return Differ("the format", std::string(original.format), std::string(repeated.format));
    const std::vector<Part>& a = original.parts;
    const std::vector<Part>& b = repeated.parts;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (a[i].name != b[i].name) return Differ("the names of the parts", Shown(a[i].name), Shown(b[i].name));
      Compare(a[i], b[i]);
    }
    if (a.size() != b.size())
      Differ("how many parts there are", std::to_string(a.size()), std::to_string(b.size()));
  }

 private:
  // The first one beyond the tolerance is kept, or the first one at all.
  void Differ(const std::string& what, const std::string& original, const std::string& repeated,
              bool is_within = false) {
    const Class now = is_within ? Class::kWithin : Class::kNeither;
    if (now <= result_.found) return;
    result_.found = now;
    result_.different = what;
    result_.original = original;
    result_.repeated = repeated;
  }

  void Compare(const Part& original, const Part& repeated) {
    const std::string name = Shown(original.name);
    if (original.text != repeated.text) return Differ(name, Shown(original.text), Shown(repeated.text));
    if (original.numbers.size() != repeated.numbers.size())
      return Differ(name, std::to_string(original.numbers.size()) + " numbers",
                    std::to_string(repeated.numbers.size()) + " numbers");
    result_.numbers += original.numbers.size();
    for (size_t i = 0; i < original.numbers.size(); ++i)
      Compare(name, i, original.numbers[i], repeated.numbers[i]);
  }

  void Compare(const std::string& name, size_t index, double original, double repeated) {
    if (std::bit_cast<uint64_t>(original) == std::bit_cast<uint64_t>(repeated)) return;
    const double absolute = original == repeated ? 0 : std::abs(original - repeated);
    const double relative = original == 0 ? 0 : absolute / std::abs(original);
    const bool is_within =  // false for NaN
        absolute <= tolerance_.absolute || (original != 0 && relative <= tolerance_.relative);
    if (std::isfinite(absolute)) {
      result_.absolute_max = std::max(result_.absolute_max, absolute);
      result_.relative_max = std::max(result_.relative_max, relative);
    }
    const Class now = is_within ? Class::kWithin : Class::kNeither;
    if (now > result_.found)
      Differ(name + "[" + std::to_string(index) + "]", Shown(original), Shown(repeated), is_within);
  }

  const Tolerance& tolerance_;
  Comparison& result_;
};

std::string FirstOffset(ByteSpan one, ByteSpan other) {
  const auto at = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
  return "byte " + std::to_string(at.first - one.begin());
}

}  // namespace

std::string_view ClassName(Class found) {
  switch (found) {
    case Class::kSame: return "B";
    case Class::kWithin: return "T";
    case Class::kNeither: return "N";
  }
  return "";
}

Comparison Compare(ByteSpan original, ByteSpan repeated, const Tolerance& tolerance) {
  Comparison result;
  if (std::equal(original.begin(), original.end(), repeated.begin(), repeated.end())) {
    result.found = Class::kSame;
    result.same_bytes = true;
    return result;
  }
  const auto a = ReadParts(original);
  const auto b = ReadParts(repeated);
  if (!a || !b) {
    result.different = FirstOffset(original, repeated);
    result.original = std::to_string(original.size()) + " bytes; " + (a ? "" : a.error().message());
    result.repeated = std::to_string(repeated.size()) + " bytes; " + (b ? "" : b.error().message());
    return result;
  }
  result.format = a->format;
  Comparer(tolerance, result).Compare(*a, *b);
  return result;
}

}  // namespace glasscase::comparison
