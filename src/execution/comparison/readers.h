// One reader a format. Each puts its parts after those that are there, names beginning with `prefix`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/comparison/parts.h>
#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::comparison {

class PartList {
 public:
  // ResourceExhausted beyond kPartsMax.
  Status AddNumbers(std::string name, std::vector<double> numbers) {
    return Add({.name = std::move(name), .numbers = std::move(numbers)});
  }
  Status AddText(std::string name, std::string text) {
    return Add({.name = std::move(name), .numbers = {}, .text = std::move(text)});
  }
  std::vector<Part> TakeSorted();

 private:
  Status Add(Part part);
  std::vector<Part> parts_;
};

Status ReadDocument(ByteSpan file, bool is_ubj, PartList& parts);
Status ReadLightgbm(std::string_view text, PartList& parts);
Status ReadSafetensors(ByteSpan file, PartList& parts);
Status ReadNpy(ByteSpan file, const std::string& name, PartList& parts);
Status ReadZip(ByteSpan file, PartList& parts);

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

}  // namespace glasscase::comparison
