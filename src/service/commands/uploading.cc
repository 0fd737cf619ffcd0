// tus 1.0.0 (https://tus.io), as api/http/openapi.yaml describes it.
#include "uploading.h"

#include <charconv>
#include <fstream>
#include <set>

#include <glasscase/core/bytes.h>

#include "interrupt.h"
#include "json_members.h"
#include "patience.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr char kPath[] = "/glasscase/v1/uploads";
constexpr char kResumable[] = "Tus-Resumable: 1.0.0";
constexpr int64_t kStallSeconds = 60;

std::string PathOf(const std::string& upload) { return std::string(kPath) + "/" + PercentEncode(upload); }

Result<uint64_t> OffsetIn(const HttpAnswer& answer) {
  uint64_t offset = 0;
  const std::string& text = answer.upload_offset;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return offset;
  return Fail(Error::Internal("the server does not say where the upload stands"));
}

// Another connection of ours may still be seen as writing: it ends soon.
bool IsForAMoment(long status) { return status == 409 || status == 423 || status == 503; }

}  // namespace

Status Uploading::Begin(const std::vector<ModelFile>& files) {
  GC_TRY(const json::value answer, api_.Get(kPath));
  std::set<std::string> taken;
  for (const ModelFile& file : files) {
    SentFile sent;
    for (const json::value& upload : ArrayOf(answer, "uploads")) {
      const std::string id = TextOf(upload, "id");
      const bool same = TextOf(upload, "sha256") == file.sha256 &&
                        IntegerOf(upload, "bytes") == static_cast<int64_t>(file.bytes);
      if (!same || !sent.upload.empty() || taken.contains(id)) continue;
      sent = {.upload = id, .bytes_there = static_cast<uint64_t>(IntegerOf(upload, "offset"))};
    }
    if (sent.upload.empty()) {
      GC_TRY(sent, BeginFile(file));
    }
    taken.insert(sent.upload);
    sent_.push_back(std::move(sent));
  }
  return Ok();
}

uint64_t Uploading::bytes_there() const {
  uint64_t bytes = 0;
  for (const SentFile& sent : sent_) bytes += sent.bytes_there;
  return bytes;
}

Result<SentFile> Uploading::BeginFile(const ModelFile& file) {
  HttpRequest request = api_.NewRequest("POST", kPath);
  request.fields = {kResumable, "Upload-Length: " + std::to_string(file.bytes),
                    "Upload-Metadata: filename " + ToBase64(AsBytes(file.name)) + ",sha256 " +
                        ToBase64(AsBytes(file.sha256))};
  GC_TRY(const HttpAnswer answer, api_.Exchange(request));
  const std::string id = answer.location.substr(answer.location.rfind('/') + 1);
  if (answer.status != 201) return Fail(ExplainRefusal(answer, api_.url()).WithContext(file.name));
  if (id.empty()) return Fail(Error::Internal("the server does not say where the upload is"));
  return SentFile{.upload = id, .bytes_there = 0};
}

Status Uploading::Send(const std::vector<ModelFile>& files, const std::function<void(uint64_t)>& report) {
  uint64_t done = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    const Status sent = SendFile(files[i], sent_[i], [&](uint64_t there) { report(done + there); });
    if (!sent) return Fail(sent.error().WithContext(files[i].name));
    done += files[i].bytes;
  }
  return Ok();
}

Status Uploading::SendFile(const ModelFile& file, const SentFile& sent,
                           const std::function<void(uint64_t)>& report) {
  Patience patience(console_);
  uint64_t offset = sent.bytes_there;
  report(offset);
  while (offset < file.bytes) {
    auto there = SendFrom(file, sent.upload, offset, report);
    while (!there && Patience::MayPass(there.error())) {
      GC_TRY_VOID(patience.WaitAfter(there.error()));
      there = AskOffset(sent.upload);
    }
    if (!there) return Fail(there.error());
    if (*there > offset) patience.Progressed();
    offset = *there;
  }
  return Ok();
}

// Gives where the upload stands afterwards.
Result<uint64_t> Uploading::SendFrom(const ModelFile& file, const std::string& upload, uint64_t offset,
                                     const std::function<void(uint64_t)>& report) {
  std::ifstream stream(file.path, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  uint64_t read = offset;
  HttpRequest request = api_.NewRequest("PATCH", PathOf(upload));
  request.content_type = "application/offset+octet-stream";
  request.fields = {kResumable, "Upload-Offset: " + std::to_string(offset)};
  request.timeout_seconds = 0;
  request.stall_seconds = kStallSeconds;
  request.read_body_bytes = static_cast<int64_t>(file.bytes - offset);
  request.read_body = [&](char* buffer, size_t size) {
    stream.read(buffer, static_cast<std::streamsize>(size));
    read += static_cast<uint64_t>(stream.gcount());
    report(read);
    return static_cast<size_t>(stream.gcount());
  };
  GC_TRY(const HttpAnswer answer, api_.Exchange(request));
  if (answer.status == 204) return OffsetIn(answer);
  const Error refusal = ExplainRefusal(answer, api_.url());
  if (IsForAMoment(answer.status)) return Fail(Error::Unavailable(refusal.message()));
  return Fail(refusal);
}

Result<uint64_t> Uploading::AskOffset(const std::string& upload) {
  HttpRequest request = api_.NewRequest("HEAD", PathOf(upload));
  request.fields = {kResumable};
  GC_TRY(const HttpAnswer answer, api_.Exchange(request));
  if (answer.status == 200) return OffsetIn(answer);
  if (IsForAMoment(answer.status)) return Fail(Error::Unavailable("the server is restarting"));
  if (answer.status == 404) return Fail(Error::NotFound("the server has dropped the upload; publish again"));
  return Fail(ExplainRefusal(answer, api_.url()));
}

void Uploading::Drop() {
  ForgetInterrupt();  // or the requests that tidy up would be interrupted too
  for (const SentFile& sent : sent_) {
    HttpRequest request = api_.NewRequest("DELETE", PathOf(sent.upload));
    request.fields = {kResumable};
    static_cast<void>(api_.Exchange(request));
  }
  sent_.clear();
}

}  // namespace glasscase::commands
