#include "s3_address.h"

#include <algorithm>

namespace glasscase::blobs {
namespace {

constexpr size_t kPrefixBytesMax = 512;  // of 1,024 that S3 allows a name

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsPlain(char c) { return IsLetterOrDigit(c) || c == '-' || c == '.' || c == '_'; }

// RFC 3986, section 2.1, as Signature Version 4 wants it: all but unreserved characters.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (IsPlain(c) || c == '~') {
      escaped += c;
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

// Sorted, and with a "=" after names without a value: libcurl signs the query as it stands.
std::string QueryText(Query query) {
  std::ranges::sort(query);
  std::string text;
  for (const auto& [name, value] : query)
    text += (text.empty() ? "?" : "&") + Escaped(name) + "=" + Escaped(value);
  return text;
}

Status CheckBucket(std::string_view bucket) {
  const bool fits = bucket.size() >= 3 && bucket.size() <= 63 && std::ranges::all_of(bucket, [](char c) {
                      return IsLetterOrDigit(c) || c == '-' || c == '.' || c == '_';
                    });
  if (!fits || !IsLetterOrDigit(bucket.front()) || !IsLetterOrDigit(bucket.back()))
    return Fail(Error::InvalidArgument("the bucket's name is not one that S3 allows: " + Printable(bucket)));
  return Ok();
}

// Servers and proxies may resolve "//" and "..", which would no longer be the name that was signed.
Status CheckPrefix(std::string_view prefix) {
  const bool fits = prefix.size() <= kPrefixBytesMax && !prefix.starts_with('/') &&
                    ("/" + std::string(prefix)).find("/.") == std::string::npos &&
                    prefix.find("//") == std::string_view::npos &&
                    std::ranges::all_of(prefix, [](char c) { return IsPlain(c) || c == '/'; });
  if (!fits)
    return Fail(
        Error::InvalidArgument("the prefix of object names may hold letters, digits and -._/ only, no part "
                               "that begins with a dot, and at most " +
                               std::to_string(kPrefixBytesMax) + " characters: " + Printable(prefix)));
  return Ok();
}

Status CheckCredentials(const S3Options& options) {
  // They are separated by ":" and "/" on their way to the signature.
  const bool plain = std::ranges::none_of(
      options.access_key, [](char c) { return c <= ' ' || c >= 0x7f || c == ':' || c == '/'; });
  if (options.access_key.empty() || !plain)
    return Fail(Error::InvalidArgument("the access key of S3 is missing or not one"));
  if (options.secret_key.empty()) return Fail(Error::InvalidArgument("the secret key of S3 is missing"));
  if (options.region.empty() || !std::ranges::all_of(options.region, IsPlain))
    return Fail(Error::InvalidArgument("not a region of S3: " + Printable(options.region)));
  return Ok();
}

Status CheckSizes(const S3Options& options) {
  if (options.part_bytes_min == 0 || options.part_bytes_min > uint64_t{5} << 30)
    return Fail(Error::InvalidArgument("parts of an S3 upload have 1 byte to 5 GiB"));
  if (options.multipart_above_bytes > uint64_t{5} << 30)
    return Fail(Error::InvalidArgument("S3 takes no more than 5 GiB in one piece"));
  if (options.retries.attempts < 1) return Fail(Error::InvalidArgument("S3 needs at least one attempt"));
  return Ok();
}

}  // namespace

Result<S3Address> S3Address::Of(const S3Options& options) {
  GC_TRY_VOID(CheckBucket(options.bucket));
  GC_TRY_VOID(CheckPrefix(options.prefix));
  GC_TRY_VOID(CheckCredentials(options));
  GC_TRY_VOID(CheckSizes(options));
  S3Address address;
  address.bucket_ = options.bucket;
  address.names_begin_ = options.prefix + "sha256/";
  std::string endpoint = options.endpoint;
  if (endpoint.ends_with('/')) endpoint.pop_back();
  const size_t scheme_end = endpoint.find("://");
  if (scheme_end == std::string::npos || endpoint.find_first_of("/?#", scheme_end + 3) != std::string::npos)
    return Fail(Error::InvalidArgument(
        "the endpoint of S3 is a URL without a path, like https://s3.eu-central-1.amazonaws.com"));
  if (!options.path_style) endpoint.insert(scheme_end + 3, options.bucket + ".");
  auto host = fetch::HostOf(endpoint);
  if (!host) return Fail(host.error().WithContext("the endpoint of S3"));
  address.host_ = *std::move(host);
  address.bucket_url_ = endpoint + "/" + (options.path_style ? options.bucket + "/" : "");
  return address;
}

std::string S3Address::UrlOf(const Digest& sha256, const Query& query) const {
  const std::string hex = ToHex(sha256);
  return bucket_url_ + names_begin_ + hex.substr(0, 2) + "/" + hex + QueryText(query);
}

std::string S3Address::UrlOfBucket(const Query& query) const { return bucket_url_ + QueryText(query); }

Result<Digest> S3Address::BlobNamed(std::string_view name) const {
  const Error none = Error::NotFound("not the name of a blob: " + Printable(name));
  if (!name.starts_with(names_begin_)) return Fail(none);
  name.remove_prefix(names_begin_.size());
  if (name.size() != 67 || name[2] != '/') return Fail(none);
  const auto digest = DigestFromHex(name.substr(3));
  // Written the one way that Open asks for it.
  if (!digest || ToHex(*digest) != name.substr(3) || name.substr(0, 2) != name.substr(3, 2))
    return Fail(none);
  return *digest;
}

}  // namespace glasscase::blobs
