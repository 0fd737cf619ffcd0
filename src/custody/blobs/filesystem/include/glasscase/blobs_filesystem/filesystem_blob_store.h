// Blobs as files below a directory: blobs/sha256/ab/abcdef…, with staging/ beside it
// (api/formats/data-directory.md). Everything is reached from the directory's descriptor, never by absolute
// path, so the store works inside a changed root.
#pragma once

#include <memory>

#include <glasscase/blobs/blob_store.h>

namespace glasscase::blobs {

struct FilesystemOptions {
  // Removes what an earlier process left in staging/. Only the one process that writes may ask for it.
  bool sweep_staging = true;
};

// Makes the folders where they are missing. Takes the descriptor of the data directory.
Result<std::unique_ptr<BlobStore>> OpenFilesystemBlobStore(Fd data_directory, FilesystemOptions options = {});

}  // namespace glasscase::blobs
