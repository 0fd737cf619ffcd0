// A run that is done once more, beside the one that it repeats (api/formats/verification-evidence.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/comparison/compare.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>
#include <glasscase/training/recipe.h>

#include "comparer.h"
#include "ended.h"

namespace glasscase::working {

// What is compared of a run: the files of its result, and the sample of its predictions that its record has.
struct Original {
  std::vector<training::ResultFile> files;  // by path
  boost::json::object record;
};

class Verification {
 public:
  static constexpr comparison::Tolerance kTolerance{.absolute = 1e-6, .relative = 1e-4};

  struct Parts {
    const training::Recipe& recipe;
    const Original& original;
    const Comparer& comparer;
    std::function<Ended(const training::Recipe&)> execute;
    std::function<void(std::string_view)> on_step;  // "trying with threads = 1"
  };
  explicit Verification(Parts parts) : parts_(std::move(parts)) {}

  // Executes the recipe, compares, and looks for the pin that is missing where the bits differ. What succeeds
  // has evidence and no files.
  Ended Run();

 private:
  struct Pin {
    std::string name;
    std::function<void(training::Recipe&)> set;
  };
  static std::vector<Pin> MissingPins(const training::Recipe& recipe);

  Result<boost::json::object> Compare(const Original& original, const Ended& repeated);
  Result<boost::json::object> CompareFiles(const std::vector<training::ResultFile>& original,
                                           const std::vector<training::ResultFile>& repeated);
  Result<boost::json::object> LookForPins();
  Result<boost::json::object> Try(const Pin& pin);

  Parts parts_;
  int executions_ = 0;
};

}  // namespace glasscase::working
