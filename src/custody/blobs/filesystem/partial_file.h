// Partial blobs as files: uploads/UUID holds the bytes, uploads/UUID.state how many of them are kept and the
// note (api/formats/data-directory.md).
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <glasscase/blobs/blob_store.h>

namespace glasscase::blobs {

inline constexpr char kPartialsFolder[] = "uploads";

// `directory` is the store's, which outlives its partial blobs.
Result<std::unique_ptr<PartialBlob>> MakePartialFile(int directory, const Uuid& id, std::string_view note);
Result<std::unique_ptr<PartialBlob>> OpenPartialFile(int directory, const Uuid& id);
Result<std::vector<PartialInfo>> ListPartials(int directory);
// Removes what a crash left half made or half removed.
Status SweepPartials(int directory);

}  // namespace glasscase::blobs
