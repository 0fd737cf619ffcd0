#include <glasscase/comparison/parts.h>

#include <algorithm>
#include <cstring>

#include <glasscase/onnx/parts.h>

#include "readers.h"

namespace glasscase::comparison {
namespace {

constexpr size_t kLengthBytes = 8;  // before the header of safetensors

bool IsSafetensors(ByteSpan file) {
  if (file.size() < kLengthBytes + 2 || file[kLengthBytes] != '{') return false;
  uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  return header <= file.size() - kLengthBytes;
}

// Two kinds of documents begin with the same byte: white space or a quote follows it only in JSON.
bool IsJson(std::string_view text) {
  return (text.starts_with('{') && text.size() > 1 &&
          std::string_view("\" \t\r\n}").find(text[1]) != text.npos) ||
         text.starts_with('[');
}

Status ReadOnnx(ByteSpan file, PartList& parts) {
  Status added = Ok();
  const auto keep = [&](const Status& status) {
    if (added && !status) added = status;
  };
  GC_TRY_VOID(onnx::VisitParts(
      file, {.numbers =
                 [&](std::string name, std::vector<double> numbers) {
                   keep(parts.AddNumbers(std::move(name), std::move(numbers)));
                 },
             .words = [&](std::string name,
                          std::string bytes) { keep(parts.AddText(std::move(name), std::move(bytes))); }}));
  return added;
}

Result<std::string_view> ReadAs(ByteSpan file, PartList& parts) {
  const std::string_view text = AsText(file);
  if (text.starts_with("tree\n") || text.starts_with("tree\r\n")) {
    GC_TRY_VOID(ReadLightgbm(text, parts));
    return "LightGBM text";
  }
  if (text.starts_with(kNpyMagic)) {
    GC_TRY_VOID(ReadNpy(file, "array", parts));
    return "NPY";
  }
  if (text.starts_with("PK\x03\x04")) {
    GC_TRY_VOID(ReadZip(file, parts));
    return "ZIP";
  }
  if (IsSafetensors(file)) {
    GC_TRY_VOID(ReadSafetensors(file, parts));
    return "safetensors";
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    const bool is_json = IsJson(text);
    GC_TRY_VOID(ReadDocument(file, !is_json, parts));
    return is_json ? "JSON" : "UBJSON";
  }
  if (text.starts_with('\x08')) {
    GC_TRY_VOID(ReadOnnx(file, parts));
    return "ONNX";
  }
  return Fail(Error::Unimplemented("the file's format is none whose numbers can be compared"));
}

}  // namespace

Status PartList::Add(Part part) {
  if (parts_.size() == kPartsMax)
    return Fail(Error::ResourceExhausted("the file has more than " + std::to_string(kPartsMax) + " parts"));
  parts_.push_back(std::move(part));
  return Ok();
}

std::vector<Part> PartList::TakeSorted() {
  std::stable_sort(parts_.begin(), parts_.end(),
                   [](const Part& one, const Part& other) { return one.name < other.name; });
  return std::move(parts_);
}

Result<Parts> ReadParts(ByteSpan file) {
  PartList list;
  GC_TRY(const std::string_view format, ReadAs(file, list));
  return Parts{.format = format, .parts = list.TakeSorted()};
}

}  // namespace glasscase::comparison
