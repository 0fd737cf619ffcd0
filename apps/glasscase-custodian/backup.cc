#include "backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include <boost/json.hpp>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/bytes.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/files.h>
#include <glasscase/process/file_io.h>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr char kIndexFile[] = "backup.json";
constexpr int64_t kFormat = 1;
constexpr int kAttempts = 3;
constexpr uint64_t kIndexBytesMax = uint64_t{256} << 20;

// Copied when they are there.
constexpr const char* kSettings[] = {"glasscase.conf",        "tls/cert.pem",  "tls/key.pem",
                                     "keys/ledger.key",       "ledger-policy", "keys/signing.key",
                                     "signing.pem",           "chain.json",    "keys/chain.key",
                                     "keys/chain-node.token", "keys/gate.key"};

std::string BlobPath(const std::string& hex) { return "blobs/sha256/" + hex.substr(0, 2) + "/" + hex; }

Error Unreadable(const fs::path& path) { return Error::FromErrno(errno, "cannot read " + path.string()); }

// Copies a file, gives the digest of what was written, durable.
Result<Digest> CopyFile(const fs::path& from, const fs::path& to, mode_t mode) {
  const Fd source(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!source.valid()) return Fail(Unreadable(from));
  const Fd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target.valid()) return Fail(Error::FromErrno(errno, "cannot make " + to.string()));
  Sha256Stream hash;
  std::vector<uint8_t> buffer(size_t{1} << 20);
  while (true) {
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0) return Fail(Unreadable(from));
    if (got == 0) break;
    const ByteSpan piece(buffer.data(), static_cast<size_t>(got));
    hash.Update(piece);
    GC_TRY_VOID(process::WriteAll(target.get(), piece, "cannot write " + to.string()));
  }
  if (::fsync(target.get()) != 0) return Fail(Error::FromErrno(errno, "cannot sync " + to.string()));
  return hash.Finish();
}

Result<Digest> DigestOf(const fs::path& path) {
  const Fd source(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!source.valid()) return Fail(Unreadable(path));
  Sha256Stream hash;
  std::vector<uint8_t> buffer(size_t{1} << 20);
  while (true) {
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0) return Fail(Unreadable(path));
    if (got == 0) return hash.Finish();
    hash.Update(ByteSpan(buffer.data(), static_cast<size_t>(got)));
  }
}

Status MakeParents(const fs::path& root, const std::string& path) {
  fs::path made = root;
  for (const fs::path& part : fs::path(path).parent_path()) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST)
      return Fail(Error::FromErrno(errno, "cannot make " + made.string()));
  }
  return Ok();
}

Status SyncFolders(const fs::path& root) {
  std::vector<fs::path> folders = {root};
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_directory()) folders.push_back(entry.path());
  for (const fs::path& folder : folders) {
    GC_TRY(const Fd fd, OpenFolder(folder));
    if (::fsync(fd.get()) != 0) return Fail(Error::FromErrno(errno, "cannot sync " + folder.string()));
  }
  return Ok();
}

// A link where the file system allows one (blobs never change), else a copy; both are verified.
Status BackUpBlob(const fs::path& from, const fs::path& to, const Digest& expected) {
  Digest found{};
  if (::link(from.c_str(), to.c_str()) == 0) {
    GC_TRY(found, DigestOf(to));
  } else if (errno == ENOENT) {
    return Fail(Error::NotFound("gone: " + from.string()));
  } else {
    GC_TRY(found, CopyFile(from, to, 0400));
  }
  if (found == expected) return Ok();
  return Fail(Error::DataLoss("blob is damaged: catalog=" + ToHex(expected) + ", found=" + ToHex(found)));
}

using Index = std::map<std::string, std::string>;  // path, hexadecimal digest

Result<std::set<std::string>> BlobsNamedBy(const fs::path& catalog_file, const Clock& clock) {
  GC_TRY(const auto catalog, catalog::OpenSqliteCatalog(catalog_file, clock));
  std::set<std::string> blobs;
  GC_TRY_VOID(catalog->EachModel(std::nullopt, [&](const catalog::Model& model) -> Status {
    GC_TRY(const auto versions, catalog->VersionsOf(model.id));
    for (const catalog::Version& version : versions) {
      if (version.state == catalog::VersionState::kErased) continue;
      GC_TRY(const auto files, catalog->FilesOf(version.id));
      for (const catalog::VersionFile& file : files) blobs.insert(ToHex(file.sha256));
    }
    return Ok();
  }));
  return blobs;
}

// Tiles and entry bundles: those that the catalog relies on are never changed. A file that goes away
// meanwhile is a partial tile that a full one has replaced.
Status CopyLog(const fs::path& from, const fs::path& to, Index& index) {
  if (!fs::exists(from / kLogFolder / "tile")) return Ok();
  for (const auto& entry : fs::recursive_directory_iterator(from / kLogFolder / "tile")) {
    const std::string path = entry.path().lexically_relative(from);
    std::error_code code;
    if (!entry.is_regular_file(code) || entry.path().filename().string().starts_with(".")) continue;
    GC_TRY_VOID(MakeParents(to, path));
    const auto digest = CopyFile(from / path, to / path, 0644);
    if (!digest && digest.error().code() == Code::kNotFound) continue;
    if (!digest) return Fail(digest.error());
    index[path] = ToHex(*digest);
  }
  return Ok();
}

// The newest checkpoint that may have been seen before the catalog was copied: a start with an older catalog
// under it is refused.
Status CopyCheckpoint(const fs::path& from, const fs::path& to, Index& index) {
  const std::string path = std::string(kLogFolder) + "/checkpoint";
  if (!fs::exists(from / path)) return Ok();
  GC_TRY_VOID(MakeParents(to, path));
  GC_TRY(const Digest digest, CopyFile(from / path, to / path, 0644));
  index[path] = ToHex(digest);
  return Ok();
}

// The catalog as of one moment, then the blobs it names. NotFound when one of them was erased in between.
Result<Index> CopyEverything(const fs::path& from, const fs::path& to, const Clock& clock) {
  Index index;
  const fs::path catalog_file = to / kCatalogFile;
  GC_TRY_VOID(CopyCheckpoint(from, to, index));
  GC_TRY_VOID(catalog::BackUpSqliteCatalog(from / kCatalogFile, catalog_file));
  GC_TRY(const std::set<std::string> blobs, BlobsNamedBy(catalog_file, clock));
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(catalog_file.string() + suffix);
  GC_TRY(const Digest catalog_digest, DigestOf(catalog_file));
  index[kCatalogFile] = ToHex(catalog_digest);
  for (const std::string& hex : blobs) {
    const std::string path = BlobPath(hex);
    GC_TRY_VOID(MakeParents(to, path));
    GC_TRY(const Digest digest, DigestFromHex(hex));
    GC_TRY_VOID(BackUpBlob(from / path, to / path, digest));
    index[path] = hex;
  }
  GC_TRY_VOID(CopyLog(from, to, index));
  for (const char* name : kSettings) {
    if (!fs::exists(from / name)) continue;
    GC_TRY_VOID(MakeParents(to, name));
    GC_TRY(const Digest digest, CopyFile(from / name, to / name, 0600));
    index[name] = ToHex(digest);
  }
  return index;
}

Status WriteIndex(const fs::path& folder, const Index& index, const Clock& clock) {
  json::object files;
  for (const auto& [path, hex] : index) files[path] = hex;
  json::object document;
  document["format"] = kFormat;
  document["made_at"] = FormatTime(clock.WallMicros());
  document["schema"] = catalog::SqliteSchemaVersion();
  document["files"] = std::move(files);
  std::ofstream stream(folder / kIndexFile);
  stream << json::serialize(document) << "\n";
  stream.close();
  if (!stream) return Fail(Error::Internal("cannot write " + (folder / kIndexFile).string()));
  return SyncFolders(folder);
}

// A backup may have been altered: no path leads out of it.
Status CheckIndexPath(const std::string& path) {
  const bool setting =
      std::any_of(std::begin(kSettings), std::end(kSettings), [&](const char* name) { return path == name; });
  if (setting || path == kCatalogFile) return Ok();
  const std::string in_log = std::string(kLogFolder) + "/";
  if (path.starts_with(in_log)) {
    const std::string name = path.substr(in_log.size());
    if (name == ledger::kCheckpointPath || ledger::ParseTilePath(name)) return Ok();
  }
  const std::string hex = path.substr(path.rfind('/') + 1);
  if (DigestFromHex(hex) && path == BlobPath(hex)) return Ok();
  return Fail(Error::DataLoss("the backup names a file that is none of ours: " + Printable(path)));
}

Result<Index> ReadIndex(const fs::path& folder) {
  const fs::path path = folder / kIndexFile;
  std::error_code code;
  const uintmax_t bytes = fs::file_size(path, code);
  if (code) return Fail(Error::FromErrno(code.value(), "no backup in " + folder.string()));
  if (bytes > kIndexBytesMax)
    return Fail(Error::DataLoss("the backup's index is too large: " + path.string()));
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  json::error_code parse_error;
  const json::value document = json::parse(text.str(), parse_error);
  const json::object* object = document.if_object();
  const json::value* format = object != nullptr ? object->if_contains("format") : nullptr;
  const json::value* files = object != nullptr ? object->if_contains("files") : nullptr;
  if (parse_error || format == nullptr || files == nullptr || !files->is_object())
    return Fail(Error::DataLoss("the backup's index is damaged: " + path.string()));
  if (!format->is_int64() || format->get_int64() != kFormat)
    return Fail(Error::FailedPrecondition("the backup was made by another version of Glasscase"));
  Index index;
  for (const auto& [name, hex] : files->get_object()) {
    GC_TRY_VOID(CheckIndexPath(name));
    if (!hex.is_string()) return Fail(Error::DataLoss("the backup's index is damaged: " + path.string()));
    index[name] = std::string(hex.get_string());
  }
  if (!index.contains(kCatalogFile))
    return Fail(Error::DataLoss("the backup holds no catalog: " + path.string()));
  return index;
}

Status Verify(const fs::path& folder, const Index& index) {
  for (const auto& [path, hex] : index) {
    GC_TRY(const Digest found, DigestOf(folder / path));
    if (ToHex(found) != hex)
      return Fail(Error::DataLoss("the backup is damaged: " + path + ": index=" + Printable(hex) +
                                  ", found=" + ToHex(found)));
  }
  return Ok();
}

Status CopyBack(const fs::path& from, const fs::path& to, const Index& index) {
  for (const auto& [path, hex] : index) {
    GC_TRY_VOID(MakeParents(to, path));
    const bool blob = path.starts_with("blobs/");
    GC_TRY(const Digest digest, CopyFile(from / path, to / path, blob ? 0400 : 0600));
    if (ToHex(digest) != hex) return Fail(Error::DataLoss("the backup changed while it was read: " + path));
  }
  return Ok();
}

// Below a name of its own until it is whole.
Status BackUpInto(const fs::path& from, const fs::path& to, const Clock& clock) {
  for (int attempt = 1;; ++attempt) {
    if (::mkdir(to.c_str(), 0700) != 0) return Fail(Error::FromErrno(errno, "cannot make " + to.string()));
    const auto index = CopyEverything(from, to, clock);
    if (index) return WriteIndex(to, *index, clock);
    fs::remove_all(to);
    const bool erased_meanwhile = index.error().code() == Code::kNotFound && fs::exists(from / kCatalogFile);
    if (!erased_meanwhile || attempt == kAttempts) return Fail(index.error());
  }
}

}  // namespace

Status BackUp(const std::string& directory, const std::string& out, const StoreSettings& stores,
              const Clock& clock) try {
  if (!stores.IsCatalogLocal() || !stores.AreBlobsLocal())
    return Fail(
        Error::FailedPrecondition("catalog or blobs are in servers: back up the database (pg_dump) and the "
                                  "bucket with their own tools, "
                                  "and the folders keys/ and log/ by copying them, in this order"));
  const fs::path target = fs::absolute(out).lexically_normal();
  if (fs::exists(target))
    return Fail(Error::AlreadyExists("there is already something at " + target.string()));
  if (!fs::exists(fs::path(directory) / kCatalogFile))
    return Fail(Error::NotFound("no installation in " + directory));
  const fs::path unfinished = target.string() + ".unfinished";
  fs::remove_all(unfinished);
  Status made = BackUpInto(directory, unfinished, clock);
  GC_TRY_VOID(GiveToCustodian(directory));  // what SQLite may have made beside the catalog
  if (!made) {
    fs::remove_all(unfinished);
    return made;
  }
  fs::rename(unfinished, target);
  GC_TRY(const Fd parent, OpenFolder(target.parent_path()));
  ::fsync(parent.get());
  return Ok();
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

Status Restore(const std::string& backup, const std::string& directory, const Clock& clock) try {
  GC_TRY(const Index index, ReadIndex(backup));
  GC_TRY_VOID(Verify(backup, index));
  GC_TRY(const bool empty, MakeDirectory(directory));
  if (!empty) return Fail(Error::AlreadyExists("the directory is not empty: " + directory));
  GC_TRY_VOID(CopyBack(backup, directory, index));
  GC_TRY(const Fd folder, OpenFolder(directory));
  for (const char* name : {kAuditFolder, kLogFolder, "blobs", "blobs/sha256", "staging"})
    GC_TRY_VOID(MakeFolderAt(folder.get(), name));
  GC_TRY_VOID(catalog::OpenSqliteCatalog(directory + "/" + kCatalogFile, clock));
  GC_TRY_VOID(SyncFolders(directory));
  return GiveToCustodian(directory);
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
