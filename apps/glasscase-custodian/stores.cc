#include "stores.h"

#include <fcntl.h>

#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/blobs_s3/s3_blob_store.h>
#include <glasscase/catalog_sqlite/sqlite_catalog.h>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

using outlet::Server;
using outlet::UrlParameter;

constexpr char kSystemCaFile[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr size_t kCaBytesMax = size_t{4} << 20;

std::string Line(std::string_view text, size_t number) {
  for (; number > 0; --number) {
    const size_t end = text.find('\n');
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

std::string PercentEscaped(std::string_view text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) escaped += "%" + ToHex(AsBytes(text.substr(i, 1)));
  return escaped;
}

bool HoldsPassword(std::string_view url) {
  const size_t begin = url.find("://");
  const std::string_view authority = url.substr(begin + 3, url.find_first_of("/?#", begin + 3) - begin - 3);
  const size_t at = authority.rfind('@');
  return at != authority.npos && authority.substr(0, at).find(':') != authority.npos;
}

Status CheckCatalogUrl(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    return Fail(Error::InvalidArgument("catalog: write postgresql://USER@HOST/DATABASE, not \"" +
                                       Printable(url.substr(0, 20)) + "\""));
  if (HoldsPassword(url) || !UrlParameter(url, "password").empty())
    return Fail(Error::InvalidArgument(
        std::string("catalog: a password must not stand in the URL, which others on this machine can read; "
                    "write it into ") +
        kPostgresPasswordFile + " of the data directory, mode 0600"));
  return Server::OfUrl(url).map([](const Server&) {});
}

Status CheckBlobsUrl(const std::string& url) {
  if (!url.starts_with("s3://"))
    return Fail(
        Error::InvalidArgument("blobs: write s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION"));
  return Server::OfUrl(url).map([](const Server&) {});
}

struct S3Place {
  std::string bucket;
  std::string prefix;
};

S3Place PlaceOf(std::string_view url) {
  url.remove_prefix(std::string_view("s3://").size());
  url = url.substr(0, url.find('?'));
  const size_t slash = url.find('/');
  S3Place place{.bucket = std::string(url.substr(0, slash)), .prefix = {}};
  if (slash != url.npos) place.prefix = std::string(url.substr(slash + 1));
  if (!place.prefix.empty() && !place.prefix.ends_with('/')) place.prefix += '/';
  return place;
}

}  // namespace

Result<Stores> Stores::Prepare(StoreSettings settings, int directory, const Clock& clock,
                               RandomSource& random) {
  Stores stores(std::move(settings), directory, clock, random);
  if (!stores.settings_.IsCatalogLocal()) {
    GC_TRY_VOID(CheckCatalogUrl(stores.settings_.catalog));
    GC_TRY(const std::string password, ReadFileAt(directory, kPostgresPasswordFile, 4096));
    stores.postgres_password_ = Secret(Line(password, 0));
  }
  if (!stores.settings_.AreBlobsLocal()) {
    GC_TRY_VOID(CheckBlobsUrl(stores.settings_.blobs));
    GC_TRY(const std::string keys, ReadFileAt(directory, kS3KeysFile, 4096));
    if (Line(keys, 1).empty())
      return Fail(Error::FailedPrecondition(
          std::string("blobs: write the access key and the secret key, a line each, into ") + kS3KeysFile +
          " of the data directory, mode 0600"));
    stores.s3_access_key_ = Line(keys, 0);
    stores.s3_secret_key_ = Secret(Line(keys, 1));
  }
  GC_TRY(stores.ca_pem_, ReadFileAt(directory, kServersCaFile, kCaBytesMax));
  if (stores.ca_pem_.empty()) {
    GC_TRY(stores.ca_pem_, ReadFileAt(AT_FDCWD, kSystemCaFile, kCaBytesMax));
  }
  return stores;
}

std::vector<fetch::ResolvedHost> Stores::Resolved() const {
  std::vector<fetch::ResolvedHost> resolved;
  if (outlets_ == nullptr) return resolved;
  for (size_t i = 0; i < outlets_->servers().size(); ++i) {
    const Server& server = outlets_->servers()[i];
    resolved.push_back({.host = server.host,
                        .port = server.port,
                        .address = "127.0.0.1",
                        .connect_port = outlets_->ports()[i]});
  }
  return resolved;
}

Result<std::string> Stores::CatalogUrl() const {
  std::string url = settings_.catalog;
  char joint = url.find('?') == url.npos ? '?' : '&';
  const auto add = [&](std::string_view name, const std::string& value) {
    url += joint;
    url += std::string(name) + "=" + value;
    joint = '&';
  };
  if (outlets_ != nullptr) {
    GC_TRY(const Server server, Server::OfUrl(settings_.catalog));
    GC_TRY(const uint16_t port, outlets_->PortOf(server));
    add("hostaddr", "127.0.0.1");
    add("port", std::to_string(port));
  }
  if (!postgres_password_.empty()) add("password", PercentEscaped(postgres_password_.Reveal(RevealToken())));
  return url;
}

Result<std::unique_ptr<catalog::Catalog>> Stores::OpenCatalog(const CatalogOptions& options) const {
  if (settings_.IsCatalogLocal())
    return catalog::OpenSqliteCatalog(options.path, *clock_, {.create = options.create});
  GC_TRY(std::string url, CatalogUrl());
  return catalog::OpenPostgresCatalog(std::move(url), *clock_, {.create = options.create});
}

Result<std::unique_ptr<catalog::WriterLock>> Stores::TryToBecomeWriter() const {
  if (settings_.IsCatalogLocal())
    return Fail(Error::FailedPrecondition("a catalog in a file has one custodian anyway"));
  GC_TRY(const std::string url, CatalogUrl());
  // Asked on the thread on which revocations wait.
  return catalog::TryToBecomeWriter(url, {.answer_timeout_ms = 2'000});
}

Result<std::unique_ptr<blobs::BlobStore>> Stores::OpenBlobs(const BlobsOptions& where) const {
  GC_TRY(Fd directory, OpenFolderAt(directory_, where.local_folder));
  GC_TRY(auto local, blobs::OpenFilesystemBlobStore(std::move(directory)));
  if (settings_.AreBlobsLocal()) return local;
  S3Place place = PlaceOf(settings_.blobs);
  const std::string region = UrlParameter(settings_.blobs, "region");
  blobs::S3Options options;
  options.endpoint = UrlParameter(settings_.blobs, "endpoint");
  options.bucket = std::move(place.bucket);
  options.prefix = std::move(place.prefix);
  if (!region.empty()) options.region = region;
  options.path_style = UrlParameter(settings_.blobs, "path-style") != "no";
  options.access_key = s3_access_key_;
  options.secret_key = Secret(std::string(s3_secret_key_.Reveal(RevealToken())));
  options.cache_bytes_max = where.cache_bytes.value_or(settings_.blob_cache_bytes);
  options.fetcher.ca_pem = ca_pem_;
  options.fetcher.resolved = Resolved();
  return blobs::OpenS3BlobStore(std::move(options),
                                {.local = std::move(local), .clock = *clock_, .random = *random_});
}

}  // namespace glasscase::custodian
