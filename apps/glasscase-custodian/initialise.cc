#include "initialise.h"

#include <filesystem>

#include <boost/json.hpp>

#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/operations/first_subject.h>

#include "data_directory.h"
#include "ledger_key.h"
#include "signing_key.h"

namespace glasscase::custodian {
namespace {

// What may be there before an installation is: the settings and certificate of an operator who came first.
Status CheckUsable(const std::string& directory, bool fresh) {
  namespace fs = std::filesystem;
  const fs::path path(directory);
  std::error_code code;
  if (fresh || fs::exists(path / kCatalogFile, code)) return Ok();
  for (const auto& entry : fs::directory_iterator(path, code)) {
    const std::string name = entry.path().filename();
    if (name != "tls" && name != "glasscase.conf" && name != "serve.lock" && name != "blobs" &&
        name != "staging" && name != kAuditFolder && name != kLogFolder && name != "keys")
      return Fail(Error::FailedPrecondition("the directory " + directory +
                                            " holds other files and no installation; choose an empty one"));
  }
  return Ok();
}

}  // namespace

Result<std::string> Initialise(const InitialiseOptions& options, const Clock& clock, RandomSource& random) {
  GC_TRY(const bool fresh, MakeDirectory(options.directory));
  GC_TRY_VOID(CheckUsable(options.directory, fresh));
  GC_TRY(Fd directory, OpenFolder(options.directory));
  GC_TRY_VOID(MakeFolderAt(directory.get(), kAuditFolder));
  GC_TRY_VOID(MakeFolderAt(directory.get(), kLogFolder));
  GC_TRY_VOID(blobs::OpenFilesystemBlobStore(std::move(directory), {.sweep_staging = false}));
  GC_TRY(auto catalog,
         catalog::OpenSqliteCatalog(options.directory + "/" + kCatalogFile, clock, {.create = true}));
  GC_TRY(const operations::FirstSubject first,
         operations::EnsureFirstSubject(*catalog, clock, random, options.owner, options.new_token));
  catalog.reset();
  GC_TRY(const Fd folder, OpenFolder(options.directory));
  GC_TRY(const ledger::NoteSigner signer, LoadOrMakeLedgerKey(folder.get(), first.installation, random));
  GC_TRY_VOID(LoadOrMakeSigningKey(folder.get(), random));
  GC_TRY_VOID(WriteLedgerPolicy(folder.get(), signer.verifier()));
  GC_TRY_VOID(GiveToCustodian(options.directory));

  boost::json::object said;
  said["installation"] = first.installation.ToString();
  said["subject"] = first.name;
  said["created"] = first.created;
  said["ledger_key"] = signer.verifier().ToString();
  if (!first.token.empty()) said["token"] = first.token.Reveal(RevealToken());
  return boost::json::serialize(said);
}

}  // namespace glasscase::custodian
