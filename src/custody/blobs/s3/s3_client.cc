#include "s3_client.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <limits>
#include <thread>

#include <glasscase/crypto/sha256.h>

namespace glasscase::blobs {
namespace {

constexpr uint64_t kPartsMax = 10'000;
constexpr uint64_t kAnswerBytesMax = uint64_t{4} << 20;
constexpr size_t kPagesMax = 10'000;
constexpr int64_t kPauseMsMax = 5'000;
constexpr int64_t kNanosPerMs = 1'000'000;

bool IsTemporary(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}
// Of a 4xx, or of a 200 that turned out not to be one.
bool IsTemporary(std::string_view code) {
  return code == "RequestTimeout" || code == "InternalError" || code == "SlowDown" ||
         code == "ServiceUnavailable" || code == "OperationAborted" || code == "ConditionalRequestConflict";
}
bool IsTemporary(Code code) { return code == Code::kUnavailable || code == Code::kDeadlineExceeded; }

// Fewer bytes than asked for only at the end of the file.
Result<size_t> ReadAt(int fd, std::span<uint8_t> room, uint64_t offset) {
  while (true) {
    const ssize_t got = ::pread(fd, room.data(), room.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return Fail(Error::FromErrno(errno, "cannot read the bytes to upload"));
  }
}

fetch::StreamedBody BodyOf(int fd, uint64_t begin, uint64_t bytes) {
  return {.pull = [fd, at = begin](std::span<uint8_t> room) mutable -> Result<size_t> {
            GC_TRY(const size_t got, ReadAt(fd, room, at));
            at += got;
            return got;
          },
          .bytes = bytes};
}

Result<Digest> DigestOfRange(int fd, uint64_t begin, uint64_t bytes) {
  Sha256Stream hash;
  Bytes piece(size_t{256} << 10);
  while (bytes > 0) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(piece.size(), bytes));
    GC_TRY(const size_t got, ReadAt(fd, std::span(piece).first(wanted), begin));
    if (got == 0) return Fail(Error::Internal("the bytes to upload end before they should"));
    hash.Update(ByteSpan(piece).first(got));
    begin += got;
    bytes -= got;
  }
  return hash.Finish();
}

std::string CodeOf(const fetch::Answer& answer) {
  const auto error = ReadS3Error(answer.body);
  return error ? error->code : "";
}

}  // namespace

struct S3Client::Call {
  std::string method;
  std::string url;
  std::string what;  // "upload blob ab12…", for messages
  std::vector<fetch::Header> headers{};
  std::string body{};
  std::function<fetch::StreamedBody()> streamed{};  // made anew for each attempt
  Digest payload_sha256{};
  std::function<Status()> begin{};  // before each attempt
  fetch::Sink sink{};
  bool carries_blob = false;  // takes as long as it moves
};

S3Client::S3Client(S3Options options, S3Address address, std::unique_ptr<fetch::Fetcher> fetcher,
                   const Clock& clock, RandomSource& random)
    : options_(std::move(options)),
      address_(std::move(address)),
      fetcher_(std::move(fetcher)),
      clock_(clock),
      random_(random) {
  credentials_.region = options_.region;
  credentials_.service = "s3";
  credentials_.access_key = options_.access_key;
  credentials_.secret_key = Secret(std::string(options_.secret_key.Reveal(RevealToken())));
}

Result<std::unique_ptr<S3Client>> S3Client::Create(S3Options options, const Clock& clock,
                                                   RandomSource& random) {
  GC_TRY(S3Address address, S3Address::Of(options));
  GC_TRY(auto fetcher, fetch::Fetcher::Create(options.fetcher));
  return std::unique_ptr<S3Client>(
      new S3Client(std::move(options), std::move(address), std::move(fetcher), clock, random));
}

// ---- asking ----

Result<fetch::Answer> S3Client::AskOnce(const Call& call) {
  fetch::Request request{.method = call.method, .url = call.url, .headers = call.headers};
  // libcurl would call the body a form, and sign that.
  if (call.method == "PUT" || call.method == "POST")
    request.headers.push_back({"Content-Type", "application/octet-stream"});
  request.headers.push_back({"x-amz-content-sha256", ToHex(call.payload_sha256)});
  if (!options_.session_token.empty())
    request.headers.push_back(
        {"x-amz-security-token", std::string(options_.session_token.Reveal(RevealToken()))});
  request.body = AsBytes(call.body);
  if (call.streamed) request.streamed = call.streamed();
  request.sink = call.sink;
  request.answer_bytes_max = call.sink ? std::numeric_limits<uint64_t>::max() : kAnswerBytesMax;
  request.sign_with = &credentials_;
  request.total_timeout_ms = call.carries_blob ? 0 : options_.request_timeout_ms;
  request.stall_timeout_ms = options_.request_timeout_ms;
  return fetcher_->Fetch(request);
}

bool S3Client::PauseBeforeNext(int attempts, int64_t begun_nanos) {
  const int doublings = std::min(attempts - 1, 16);
  const int64_t most = std::clamp<int64_t>(options_.retries.first_pause_ms << doublings, 0, kPauseMsMax);
  uint64_t draw = 0;
  random_.Fill({reinterpret_cast<uint8_t*>(&draw), sizeof draw});
  const int64_t pause = static_cast<int64_t>(draw % (static_cast<uint64_t>(most) + 1));
  const int64_t spent = (clock_.MonotonicNanos() - begun_nanos) / kNanosPerMs;
  if (attempts >= options_.retries.attempts || spent + pause > options_.retries.total_ms) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(pause));
  return true;
}

Result<fetch::Answer> S3Client::Ask(const Call& call) {
  const int64_t begun = clock_.MonotonicNanos();
  for (int attempts = 1;; ++attempts) {
    if (call.begin) GC_TRY_VOID(call.begin());
    auto answer = AskOnce(call);
    std::string why;
    if (answer) {
      const std::string code = answer->status == 200 && call.method != "POST" ? "" : CodeOf(*answer);
      if (!IsTemporary(answer->status) && !IsTemporary(code)) return answer;
      why = "HTTP status " + std::to_string(answer->status) + " " + Printable(code, 40);
    } else {
      if (!IsTemporary(answer.error().code())) return Fail(answer.error().WithContext("cannot " + call.what));
      why = answer.error().message();
    }
    if (!PauseBeforeNext(attempts, begun))
      return Fail(Error::Unavailable("cannot " + call.what + ": asked " + address_.host() + " " +
                                     std::to_string(attempts) + " times, last: " + why));
  }
}

Error S3Client::ErrorOf(const fetch::Answer& answer, std::string_view what) const {
  const auto told = ReadS3Error(answer.body);
  const std::string code = told ? told->code : "";
  const std::string start = "cannot " + std::string(what) + ": ";
  const std::string said = address_.host() + " says " + std::to_string(answer.status) + " " +
                           Printable(code, 60) + (told ? ": " + Printable(told->message, 200) : "");
  if (code == "NoSuchBucket")
    return Error::FailedPrecondition(start + "there is no bucket " + address_.bucket() + " at " +
                                     address_.host() + "; make it, or correct the bucket's name");
  if (code == "InvalidAccessKeyId" || code == "XAdminUserNotFound")  // the latter is versitygw's
    return Error::PermissionDenied(start + "the access key is not known; correct it: " + said);
  if (code == "SignatureDoesNotMatch")
    return Error::PermissionDenied(start +
                                   "the secret key is not that of the access key; correct it: " + said);
  if (code == "InvalidToken" || code == "ExpiredToken")
    return Error::PermissionDenied(start + "the session token is not valid (any more): " + said);
  if (code == "RequestTimeTooSkewed")
    return Error::FailedPrecondition(start + "the clocks differ; set this machine's: " + said);
  if (code == "AuthorizationHeaderMalformed" || (answer.status >= 300 && answer.status <= 399))
    return Error::FailedPrecondition(start + "the region or the endpoint is not the bucket's: " + said);
  if (answer.status == 401 || answer.status == 403)
    return Error::PermissionDenied(start + "the access key may not do this; allow it in bucket " +
                                   address_.bucket() + ": " + said);
  // A page without a code is some proxy's, and no word about the object. (Answers to HEAD have no body.)
  if (answer.status == 404 && (code == "NoSuchKey" || answer.body.empty()))
    return Error::NotFound(start + "there is no such object");
  if (code == "BadDigest" || code == "XAmzContentSHA256Mismatch" || code == "XAmzContentChecksumMismatch")
    return Error::DataLoss(start + "the bytes arrived changed: " + said);
  return Error::FailedPrecondition(start + said);
}

Error S3Client::ErrorOfHead(const fetch::Answer& answer, std::string_view what) {
  if (auto page = Page(""); !page && page.error().code() != Code::kDataLoss) return page.error();
  return ErrorOf(answer, what);
}

// ---- upload ----

Status S3Client::Upload(const Digest& sha256, int fd, uint64_t bytes) {
  const auto upload = [&](bool replace) {
    return bytes > options_.multipart_above_bytes ? UploadInParts(sha256, fd, bytes, replace)
                                                  : UploadWhole(sha256, fd, bytes, replace);
  };
  auto done = upload(false);
  if (done || done.error().code() != Code::kAlreadyExists) return done;
  GC_TRY(const bool whole, IsThere(sha256, bytes));
  return whole ? Ok() : upload(true);
}

Result<bool> S3Client::IsThere(const Digest& sha256, uint64_t bytes) {
  const auto size = Size(sha256);
  if (size) return *size == bytes;
  if (size.error().code() == Code::kNotFound) return false;
  return Fail(size.error());
}

Status S3Client::UploadWhole(const Digest& sha256, int fd, uint64_t bytes, bool replace) {
  Call call{.method = "PUT",
            .url = address_.UrlOf(sha256),
            .what = "upload blob " + ToHex(sha256),
            .headers = {{"x-amz-checksum-sha256", ToBase64(sha256)}}};
  if (!replace) call.headers.push_back({"If-None-Match", "*"});
  if (bytes > 0) call.streamed = [=] { return BodyOf(fd, 0, bytes); };
  call.payload_sha256 = sha256;
  call.carries_blob = true;
  GC_TRY(const auto answer, Ask(call));
  if (answer.status == 412) return Fail(Error::AlreadyExists("the object is there"));
  return answer.status == 200 ? Ok() : Status(Fail(ErrorOf(answer, call.what)));
}

Status S3Client::UploadInParts(const Digest& sha256, int fd, uint64_t bytes, bool replace) {
  if (!replace) {  // before the parts are sent, not after
    GC_TRY(const bool there, IsThere(sha256, bytes));
    if (there) return Ok();
  }
  Call call{.method = "POST",
            .url = address_.UrlOf(sha256, {{"uploads", ""}}),
            .what = "begin the upload of blob " + ToHex(sha256),
            .headers = {{"x-amz-checksum-algorithm", "SHA256"}, {"x-amz-checksum-type", "COMPOSITE"}}};
  call.payload_sha256 = Sha256({});
  GC_TRY(const auto answer, Ask(call));
  if (answer.status != 200) return Fail(ErrorOf(answer, call.what));
  GC_TRY(const std::string upload_id, ReadUploadId(answer.body));

  const uint64_t part_bytes = std::max(options_.part_bytes_min, (bytes + kPartsMax - 1) / kPartsMax);
  std::vector<UploadedPart> parts;
  for (uint64_t begin = 0; begin < bytes; begin += part_bytes) {
    auto part =
        UploadPart(sha256, upload_id, parts.size() + 1, fd, begin, std::min(part_bytes, bytes - begin));
    if (!part) {
      Abort(sha256, upload_id);
      return Fail(std::move(part.error()));
    }
    parts.push_back(*std::move(part));
  }
  auto completed = Complete(sha256, upload_id, parts, bytes, replace);
  if (!completed) Abort(sha256, upload_id);
  return completed;
}

Result<UploadedPart> S3Client::UploadPart(const Digest& sha256, const std::string& upload_id, size_t number,
                                          int fd, uint64_t begin, uint64_t bytes) {
  GC_TRY(const Digest part_sha256, DigestOfRange(fd, begin, bytes));
  const std::string checksum = ToBase64(part_sha256);
  Call call{.method = "PUT",
            .url = address_.UrlOf(sha256, {{"partNumber", std::to_string(number)}, {"uploadId", upload_id}}),
            .what = "upload part " + std::to_string(number) + " of blob " + ToHex(sha256),
            .headers = {{"x-amz-checksum-sha256", checksum}}};
  call.streamed = [=] { return BodyOf(fd, begin, bytes); };
  call.payload_sha256 = part_sha256;
  call.carries_blob = true;
  GC_TRY(const auto answer, Ask(call));
  if (answer.status != 200) return Fail(ErrorOf(answer, call.what));
  return UploadedPart{.etag = std::string(answer.HeaderOf("etag")), .sha256_base64 = checksum};
}

Status S3Client::Complete(const Digest& sha256, const std::string& upload_id,
                          const std::vector<UploadedPart>& parts, uint64_t bytes, bool replace) {
  Call call{.method = "POST",
            .url = address_.UrlOf(sha256, {{"uploadId", upload_id}}),
            .what = "complete the upload of blob " + ToHex(sha256)};
  call.headers = {{"x-amz-checksum-type", "COMPOSITE"}};
  if (!replace) call.headers.push_back({"If-None-Match", "*"});
  call.body = CompletionOf(parts);
  call.payload_sha256 = Sha256(AsBytes(call.body));
  GC_TRY(const auto answer, Ask(call));
  if (answer.status == 412) return Fail(Error::AlreadyExists("the object is there"));
  if (answer.status == 404 && CodeOf(answer) == "NoSuchUpload") {
    // An earlier attempt may have completed it, and its answer got lost.
    GC_TRY(const bool there, IsThere(sha256, bytes));
    if (there) return Ok();
    return Fail(Error::Unavailable("cannot " + call.what + ": " + address_.host() + " forgot the upload"));
  }
  // Servers may begin with 200 before they know.
  if (answer.status == 200 && CodeOf(answer).empty()) return Ok();
  return Fail(ErrorOf(answer, call.what));
}

// Nothing more can be done when this fails too: README.md names the lifecycle rule.
void S3Client::Abort(const Digest& sha256, const std::string& upload_id) {
  Call call{.method = "DELETE",
            .url = address_.UrlOf(sha256, {{"uploadId", upload_id}}),
            .what = "abort the upload of blob " + ToHex(sha256)};
  call.payload_sha256 = Sha256({});
  (void)Ask(call);
}

// ---- the rest ----

Status S3Client::Get(const Digest& sha256, const Download& download) {
  Call call{.method = "GET", .url = address_.UrlOf(sha256), .what = "download blob " + ToHex(sha256)};
  call.payload_sha256 = Sha256({});
  call.begin = download.begin;
  call.sink = download.take;
  call.carries_blob = true;
  GC_TRY(const auto answer, Ask(call));
  return answer.status == 200 ? Ok() : Status(Fail(ErrorOf(answer, call.what)));
}

Result<uint64_t> S3Client::Size(const Digest& sha256) {
  Call call{.method = "HEAD", .url = address_.UrlOf(sha256), .what = "look at blob " + ToHex(sha256)};
  call.payload_sha256 = Sha256({});
  GC_TRY(const auto answer, Ask(call));
  if (answer.status != 200) return Fail(ErrorOfHead(answer, call.what));
  const std::string_view text = answer.HeaderOf("content-length");
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return Fail(Error::DataLoss("cannot " + call.what + ": " + address_.host() + " does not say its size"));
  return bytes;
}

Status S3Client::Remove(const Digest& sha256) {
  Call call{.method = "DELETE", .url = address_.UrlOf(sha256), .what = "remove blob " + ToHex(sha256)};
  call.payload_sha256 = Sha256({});
  GC_TRY(const auto answer, Ask(call));
  if (answer.status == 204 || answer.status == 200) return Ok();
  if (answer.status == 404 && CodeOf(answer) == "NoSuchKey") return Ok();
  return Fail(ErrorOf(answer, call.what));
}

Result<ListPage> S3Client::Page(const std::string& token) {
  Query query = {{"list-type", "2"}, {"prefix", address_.names_begin()}};
  if (!token.empty()) query.emplace_back("continuation-token", token);
  Call call{
      .method = "GET", .url = address_.UrlOfBucket(query), .what = "list the bucket " + address_.bucket()};
  call.payload_sha256 = Sha256({});
  GC_TRY(const auto answer, Ask(call));
  if (answer.status != 200) return Fail(ErrorOf(answer, call.what));
  auto page = ReadListPage(answer.body);
  if (!page) return Fail(page.error().WithContext("cannot " + call.what + " at " + address_.host()));
  return page;
}

Result<std::vector<BlobInfo>> S3Client::List() {
  std::vector<BlobInfo> found;
  std::string token;
  for (size_t pages = 0; pages < kPagesMax; ++pages) {
    GC_TRY(const ListPage page, Page(token));
    for (const ListedObject& object : page.objects)
      if (const auto digest = address_.BlobNamed(object.name)) found.push_back({*digest, object.bytes});
    if (page.next.empty()) return found;
    if (page.next == token)
      return Fail(Error::DataLoss("the listing of " + address_.host() + " goes round in a circle"));
    token = page.next;
  }
  return Fail(Error::ResourceExhausted("the listing of " + address_.host() + " does not end"));
}

}  // namespace glasscase::blobs
