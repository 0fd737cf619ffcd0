// Where an installation keeps its catalog and its blobs: in the data directory, or in servers that the
// operator configured (docs/guides/running-an-installation.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/blobs/blob_store.h>
#include <glasscase/catalog/catalog.h>
#include <glasscase/catalog_postgres/postgres_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>
#include <glasscase/fetch/fetch.h>
#include <glasscase/outlet/outlets.h>

namespace glasscase::custodian {

struct StoreSettings {
  std::string catalog{};                           // "postgresql://USER@HOST/DATABASE"; empty: catalog.db
  std::string blobs{};                             // "s3://BUCKET/PREFIX?endpoint=URL"; empty: blobs/
  uint64_t blob_cache_bytes = uint64_t{16} << 30;  // of an s3 store, in blobs/

  bool IsCatalogLocal() const { return catalog.empty(); }
  bool AreBlobsLocal() const { return blobs.empty(); }
};

// Files of the operator in the data directory, 0600.
inline constexpr char kPostgresPasswordFile[] = "keys/postgres-password";  // one line
inline constexpr char kS3KeysFile[] = "keys/s3-keys";       // access key, secret key, a line each
inline constexpr char kServersCaFile[] = "servers-ca.pem";  // authorities; else the system's

// What is needed to open stores, read while files are in reach: a confined custodian has the data directory
// only.
class Stores {
 public:
  // InvalidArgument names the setting. `directory` is the data directory.
  static Result<Stores> Prepare(StoreSettings settings, int directory, const Clock& clock,
                                RandomSource& random);

  // From now on through these outlets.
  void Use(const outlet::Outlets& outlets) { outlets_ = &outlets; }

  struct CatalogOptions {
    bool create = false;
    std::string path{};  // of catalog.db, where the catalog is local
  };
  Result<std::unique_ptr<catalog::Catalog>> OpenCatalog(const CatalogOptions& options) const;
  struct BlobsOptions {
    std::string local_folder = ".";  // in the data directory, or absolute: staging, and the cache of a bucket
    std::optional<uint64_t> cache_bytes{};  // instead of the settings'
  };
  Result<std::unique_ptr<blobs::BlobStore>> OpenBlobs(const BlobsOptions& options) const;
  Result<std::unique_ptr<blobs::BlobStore>> OpenBlobs() const { return OpenBlobs(BlobsOptions{}); }
  // The seat of the one custodian that writes; null when another one has it. With a local catalog none is
  // needed: FailedPrecondition.
  Result<std::unique_ptr<catalog::WriterLock>> TryToBecomeWriter() const;

  const StoreSettings& settings() const { return settings_; }
  // Authorities that servers are checked against, PEM.
  const std::string& ca_pem() const { return ca_pem_; }
  // For fetch::FetcherOptions::resolved.
  std::vector<fetch::ResolvedHost> Resolved() const;
  // Of a PostgreSQL catalog: the connection string with password and outlet. Holds a secret.
  Result<std::string> CatalogUrl() const;

 private:
  Stores(StoreSettings settings, int directory, const Clock& clock, RandomSource& random)
      : settings_(std::move(settings)), directory_(directory), clock_(&clock), random_(&random) {}

  StoreSettings settings_;
  int directory_;
  const Clock* clock_;
  RandomSource* random_;
  const outlet::Outlets* outlets_ = nullptr;
  std::string ca_pem_;
  Secret postgres_password_;
  std::string s3_access_key_;
  Secret s3_secret_key_;
};

}  // namespace glasscase::custodian
