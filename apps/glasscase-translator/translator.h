// From the bytes of a foreign model to an ONNX file that was compared with it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>
#include <glasscase/translation/evidence.h>

namespace glasscase::translator {

struct Translation {
  std::string onnx;
  std::string evidence;  // JSON, also when it does not hold
  std::string summary;   // JSON, one line: what the command shows
  std::string why_not;   // empty when the evidence holds
};

using OnProgress = std::function<void(std::string_view step, uint64_t done, uint64_t total)>;

// Reads the datasets that were given, for a model that takes so many features.
using ReadData = std::function<std::vector<translation::EvidenceData>(uint32_t features)>;

// InvalidArgument when the file is at fault. What was written is read again by our own validator and loaded
// by `engine`. A translation whose evidence does not hold is given too, with the reason.
Result<Translation> Translate(ByteSpan file, inference::Engine& engine, const ReadData& read_data,
                              const OnProgress& on_progress);

}  // namespace glasscase::translator
