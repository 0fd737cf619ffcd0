// safetensors and NPY: a header that names types and shapes, then the numbers.
#include <cmath>
#include <cstring>
#include <optional>

#include <boost/json.hpp>

#include <glasscase/json/strict.h>

#include "readers.h"

namespace glasscase::comparison {
namespace {

namespace bj = boost::json;

constexpr double kExactMax = 9'007'199'254'740'992.0;  // 2^53
constexpr size_t kHeaderMax = size_t{64} << 20;
constexpr size_t kTensorsMax = 100'000;

Error Broken(std::string_view what) { return Error::InvalidArgument(std::string(what)); }

template <typename Number>
std::vector<double> Read(ByteSpan bytes) {
  std::vector<double> numbers(bytes.size() / sizeof(Number));
  for (size_t i = 0; i < numbers.size(); ++i) {
    Number number;
    std::memcpy(&number, bytes.data() + i * sizeof number, sizeof number);
    numbers[i] = static_cast<double>(number);
  }
  return numbers;
}

// `type` in the words of either format; nullopt for those whose bytes are compared.
std::optional<std::vector<double>> NumbersOf(std::string_view type, ByteSpan bytes) {
  if (type == "F32" || type == "<f4") return Read<float>(bytes);
  if (type == "F64" || type == "<f8") return Read<double>(bytes);
  if (type == "I32" || type == "<i4") return Read<int32_t>(bytes);
  if (type == "I64" || type == "<i8") {
    std::vector<double> numbers = Read<int64_t>(bytes);
    for (const double number : numbers)
      if (std::abs(number) >= kExactMax) return std::nullopt;
    return numbers;
  }
  return std::nullopt;
}

Status AddArray(const std::string& name, std::string_view type, const std::string& shape, ByteSpan bytes,
                PartList& parts) {
  GC_TRY_VOID(parts.AddText(name + ".type", std::string(type) + " " + shape));
  auto numbers = NumbersOf(type, bytes);
  return numbers ? parts.AddNumbers(name, *std::move(numbers))
                 : parts.AddText(name, std::string(AsText(bytes)));
}

Result<ByteSpan> DataOf(const bj::value& offsets, ByteSpan data) {
  const bj::array* const pair = offsets.if_array();
  if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_int64() || !(*pair)[1].is_int64())
    return Fail(Broken("data_offsets are two numbers"));
  const auto begin = static_cast<uint64_t>((*pair)[0].get_int64());
  const auto end = static_cast<uint64_t>((*pair)[1].get_int64());
  if (begin > end || end > data.size()) return Fail(Broken("data_offsets lie outside of the file"));
  return data.subspan(begin, end - begin);
}

// The value of a key in the header of NPY, a Python dictionary such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
std::string_view ValueIn(std::string_view header, std::string_view key) {
  size_t at = header.find("'" + std::string(key) + "'");
  if (at == std::string_view::npos) return {};
  at = header.find(':', at);
  if (at == std::string_view::npos) return {};
  at = header.find_first_not_of(' ', at + 1);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = header.substr(at);
  if (rest.starts_with('(')) return rest.substr(0, rest.find(')') == rest.npos ? 0 : rest.find(')') + 1);
  if (rest.starts_with('\''))
    return rest.substr(1, rest.find('\'', 1) == rest.npos ? 0 : rest.find('\'', 1) - 1);
  return rest.substr(0, rest.find_first_of(",}"));
}

}  // namespace

Status ReadSafetensors(ByteSpan file, PartList& parts) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const ByteSpan data = file.subspan(sizeof length + length);
  GC_TRY(const bj::value header,
         json::Parse(AsText(file.subspan(sizeof length, length)),
                     {.bytes_max = kHeaderMax, .depth_max = 8, .members_max = kTensorsMax}));
  if (!header.is_object()) return Fail(Broken("the header of safetensors is an object"));
  for (const auto& [name, tensor] : header.get_object()) {
    if (name == "__metadata__") continue;
    const bj::object* const facts = tensor.if_object();
    const bj::value* const type = facts != nullptr ? facts->if_contains("dtype") : nullptr;
    const bj::value* const shape = facts != nullptr ? facts->if_contains("shape") : nullptr;
    const bj::value* const offsets = facts != nullptr ? facts->if_contains("data_offsets") : nullptr;
    if (type == nullptr || !type->is_string() || shape == nullptr || offsets == nullptr)
      return Fail(Broken("a tensor without dtype, shape or data_offsets: " + Printable(name)));
    GC_TRY(const ByteSpan bytes, DataOf(*offsets, data));
    GC_TRY_VOID(AddArray(std::string(name), type->get_string(), bj::serialize(*shape), bytes, parts));
  }
  return Ok();
}

Status ReadNpy(ByteSpan file, const std::string& name, PartList& parts) {
  const size_t before = kNpyMagic.size() + 2;  // the version
  const size_t major = file.size() > before ? file[kNpyMagic.size()] : 0;
  const size_t width = major == 1 ? 2 : 4;
  if (major < 1 || major > 3 || file.size() < before + width)
    return Fail(Broken("the header of NPY is cut off"));
  uint32_t length = 0;
  std::memcpy(&length, file.data() + before, width);
  if (length > file.size() - before - width) return Fail(Broken("the header of NPY is longer than the file"));
  const std::string_view header = AsText(file.subspan(before + width, length));
  const std::string shape =
      std::string(ValueIn(header, "shape")) + " " + std::string(ValueIn(header, "fortran_order"));
  return AddArray(name, ValueIn(header, "descr"), shape, file.subspan(before + width + length), parts);
}

}  // namespace glasscase::comparison
