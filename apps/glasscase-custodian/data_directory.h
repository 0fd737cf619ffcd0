// The data directory on disk: its files' names, and to whom they belong (api/formats/data-directory.md).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::custodian {

inline constexpr char kCatalogFile[] = "catalog.db";
inline constexpr char kAuditFolder[] = "audit";
inline constexpr char kRunsFolder[] = "runs";  // what runs have printed
inline constexpr char kLogFolder[] = "log";
inline constexpr char kEndedFolder[] = "log-ended";  // of logs before the last renewal
inline constexpr char kPolicyFile[] = "ledger-policy";

Result<Fd> OpenFolder(const std::string& path);
Result<Fd> OpenFolderAt(int directory, const std::string& name);
// The whole of a file; empty when there is none.
Result<std::string> ReadFileAt(int directory, const char* name, size_t bytes_max);
Status MakeFolderAt(int directory, const std::string& name);

// A file of that name, durable, never half of it, and never over one that is there, which stays as it is.
Status WriteNewFileAt(int directory, const std::string& name, std::string_view text, mode_t mode);

// Makes the directory and its parents; true when it is new or empty.
Result<bool> MakeDirectory(const std::string& path);

// The lock of `glasscase serve`: nothing begins to serve while it is held. FailedPrecondition while it is
// served.
Result<Fd> LockOut(int directory);

// As root: gives the directory and what the custodian keeps in it to the user that the confined custodian
// runs as, or, when the directory belongs to somebody else already, to that user. As anybody else: nothing.
Status GiveToCustodian(const std::string& path);

}  // namespace glasscase::custodian
