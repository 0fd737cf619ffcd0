// What a run left in its folder for results.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::training {

struct ResultFile {
  std::string path;  // in the model: "model.onnx", or below model/
  Fd file;
  uint64_t bytes = 0;
};

struct Results {
  std::vector<ResultFile> model;          // by path
  std::map<std::string, double> metrics;  // empty when it left none
  std::optional<ResultFile> predictions;  // /out/predictions.npy, when it left one
};

// FailedPrecondition when there is no model, more than one, or something that is no file or folder (a link, a
// device): it says what is there and what should be. InvalidArgument when metrics.json is not a flat object
// of numbers. Nobody has looked into the predictions.
Result<Results> ReadResults(int folder);

}  // namespace glasscase::training
