// What a run is given to read: found in the catalog, opened where the store is, sent to its worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "desk.h"

namespace glasscase::operations {

// One version, as its worker gets it: in one frame.
struct InputFolder {
  Uuid version;
  std::string path;  // "data/digits/"
  std::vector<catalog::VersionFile> files;
  bool only_tells_range = false;  // done without where it may not be taken any more
};

// Its worker has all of them open at once.
inline constexpr size_t kInputFilesMax = 1'024;

// All that its recipe names, and the result of the run that it repeats. NotFound: one is not there any more;
// FailedPrecondition: its owner may not take one any more, or they are too many; InvalidArgument: it is no
// recipe.
Result<std::vector<InputFolder>> InputsOf(Desk& desk, const catalog::Run& run);
// All that its recipe names, taken or not.
Result<std::vector<Uuid>> VersionsIn(const Desk& desk, const catalog::Run& run);
// FailedPrecondition: that owner may not take one of them any more, by what was not withdrawn and had not
// ended then.
Status CheckRights(Desk& desk, const Uuid& owner, const std::vector<Uuid>& versions, int64_t at_micros);

// A run whose inputs are under way to its worker; what is dropped is sent no further.
struct Preparation {
  catalog::Run run;
  PeerId worker;
  std::vector<InputFolder> folders;
  std::function<void(const Error&)> failed;  // nothing more is sent
  std::function<void()> sent;                // and the worker was told to begin
};

// Opens and sends one version after the other, so that `store` does other work in between, then the job.
// Whoever holds the preparation drops it to end this.
void SendInputs(Desk& desk, StoreWork& store, const std::shared_ptr<const Preparation>& preparation);

}  // namespace glasscase::operations
