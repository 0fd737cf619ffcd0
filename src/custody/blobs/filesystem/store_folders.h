// The folders of the file store, below its directory, and what is done in them.
#pragma once

#include <functional>
#include <string>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::blobs {

inline constexpr char kBlobsFolder[] = "blobs/sha256";

// A full disk is ResourceExhausted, with the same words everywhere.
Error DiskError(int errno_value, std::string what);

std::string FolderOf(const Digest& sha256);
std::string PathOf(const Digest& sha256);

Status MakeFolder(int directory, const std::string& path);
Result<Fd> OpenFolder(int directory, const std::string& path);
// Makes the names in a folder durable.
Status SyncFolder(int directory, const std::string& path);
// Links are not followed.
Result<Fd> OpenForReading(int directory, const std::string& path);
// Calls `visit` with each name in the folder, "." and ".." left out.
Status EachName(int directory, const std::string& path,
                const std::function<Status(const std::string&)>& visit);

// The rename is the commit point. An older file of that name had the same bytes, so replacing it changes
// nothing, and heals it if it was damaged. Durable after SyncFolder(FolderOf(sha256)).
Status MoveIntoStore(int directory, const std::string& path, const Digest& sha256);

}  // namespace glasscase::blobs
