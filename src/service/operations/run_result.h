// What a run left, on its way to a version.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/blobs/blob_store.h>

#include "desk.h"

namespace glasscase::operations {

struct RunFile {
  std::string path;
  std::shared_ptr<Fd> file;  // as the worker gave it
  uint64_t bytes = 0;        // as the worker announced it
  std::shared_ptr<blobs::StagedBlob> blob{};
  Digest sha256{};
};

constexpr size_t kResultFilesMax = 128;  // as of every version

// Whether the files may become a version: their names, and that they are no larger together than the run was
// allowed to write. Nothing is read. InvalidArgument or FailedPrecondition, for the owner of the run.
Status CheckResult(const catalog::Run& run, const std::vector<RunFile>& files);

// What StageFiles says of a worker that is broken, or hostile.
constexpr Code kNotAsAnnounced = Code::kAborted;

// Copies and digests the files towards the store: as many bytes as were announced. kNotAsAnnounced where a
// file has others, or is no file. Takes as long as the disk does: on a thread.
Status StageFiles(blobs::BlobStore& store, std::vector<RunFile>& files);
// Puts them into it.
Status CommitFiles(std::vector<RunFile>& files);

// What an inspector is to look at, of files that are an ONNX model; none for others, which are kept.
std::optional<rpc::InspectJob> InspectionOf(const std::vector<RunFile>& files);
Result<std::vector<Fd>> OpenFiles(const std::vector<RunFile>& files);

// The version that they become, with its lineage witnessed and its entries: hosted where there is a report of
// them. Within a transaction.
Result<catalog::Version> InsertResult(Desk& desk, catalog::Transaction& transaction, const catalog::Run& run,
                                      const std::vector<RunFile>& files,
                                      const std::optional<rpc::InspectReport>& report);

}  // namespace glasscase::operations
