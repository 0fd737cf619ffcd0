// The canonical form of a file: its numbers and words by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::comparison {

// One of the two.
struct Part {
  std::string name;             // "learner.gradient_booster.model.trees[3].split_conditions"
  std::vector<double> numbers;  // whole numbers beyond 2^53 are words
  std::string text{};
};

struct Parts {
  std::string_view format;  // "ONNX"
  std::vector<Part> parts;  // by name
};

inline constexpr size_t kPartsMax = 4'000'000;

// By the first bytes. Unimplemented when the format is none of those in README.md; InvalidArgument with the
// place when it is one and broken.
Result<Parts> ReadParts(ByteSpan file);

}  // namespace glasscase::comparison
