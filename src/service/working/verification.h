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

  // Executes the recipe and compares. Where the bits differ, executes it once more to see whether this
  // machine repeats itself; a pin is looked for only where it does not, since elsewhere every pin would seem
  // to help. What succeeds has evidence and no files. What could not be compared by our own fault has not
  // run.
  Ended Run();

 private:
  struct Pin {
    std::string name;
    std::function<void(training::Recipe&)> set;
  };
  static std::vector<Pin> OpenPins(const training::Recipe& recipe);

  Result<std::string> Judge(Ended& again);
  Status Explain(Ended& again, boost::json::object& found);
  void ExplainByMachines(const boost::json::object& record, boost::json::object& found) const;
  Status ExplainByPins(boost::json::object& found);
  Result<boost::json::object> Try(const Pin& pin);
  // Cancelled and Unavailable where that is how it ended.
  Result<Ended> Execute(const training::Recipe& recipe);
  // "class", and "different" where one ended otherwise.
  Result<boost::json::object> Repeats(Ended& first, const Ended& second);
  Result<boost::json::object> Compare(const Original& original, const Ended& repeated);
  Result<boost::json::object> CompareFiles(const std::vector<training::ResultFile>& original,
                                           const std::vector<training::ResultFile>& repeated);

  Parts parts_;
  int executions_ = 0;
};

}  // namespace glasscase::working
