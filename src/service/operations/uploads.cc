#include "uploads.h"

#include <algorithm>
#include <set>

#include <boost/json/serialize.hpp>

#include <glasscase/core/log.h>
#include <glasscase/json/strict.h>
#include <glasscase/manifest/manifest.h>

#include "names.h"

namespace glasscase::operations {
namespace {

// What stays free for the catalog and the audit log.
constexpr uint64_t kReservedBytes = uint64_t{64} << 20;

Error BadFile(std::string_view path, std::string_view why) {
  return Error::InvalidArgument("file \"" + Printable(path) + "\" " + std::string(why));
}

// ---- the note beside the bytes: api/formats/data-directory.md ----

std::string NoteOf(const Upload& upload) {
  boost::json::object note = {
      {"bytes", upload.bytes}, {"metadata", upload.metadata}, {"subject", upload.subject.ToString()}};
  if (upload.announced_sha256) note["sha256"] = ToHex(*upload.announced_sha256);
  return boost::json::serialize(note);
}

Result<Upload> FromNote(const blobs::PartialInfo& info) {
  GC_TRY(const boost::json::value value, json::Parse(info.note));
  const auto* note = value.if_object();
  const auto text = [&](const char* name) {
    const auto* member = note == nullptr ? nullptr : note->if_contains(name);
    return member != nullptr && member->is_string() ? std::string(member->as_string()) : std::string();
  };
  Upload upload;
  upload.id = info.id;
  GC_TRY(upload.subject, Uuid::Parse(text("subject")));
  const auto* bytes = note->if_contains("bytes");
  if (bytes == nullptr || !bytes->is_int64() || bytes->as_int64() < 0)
    return Fail(Error::DataLoss("the note says no length"));
  upload.bytes = static_cast<uint64_t>(bytes->as_int64());
  upload.metadata = text("metadata");
  if (note->contains("sha256")) {
    GC_TRY(upload.announced_sha256, DigestFromHex(text("sha256")));
  }
  if (info.kept > upload.bytes) return Fail(Error::DataLoss("it holds more bytes than its length"));
  upload.kept = info.kept;
  upload.touched_micros = info.changed_micros;
  return upload;
}

// ---- the files of a publish ----

Status CheckPaths(const std::vector<UploadedFile>& files) {
  std::vector<std::string_view> paths;
  paths.reserve(files.size());
  for (const UploadedFile& file : files) paths.push_back(file.path);
  return manifest::CheckPaths(paths);
}

Status ChooseGraph(std::vector<UploadedFile>& files) {
  const auto is_graph = [](const UploadedFile& file) {
    return file.path.find('/') == file.path.npos && manifest::CollisionKey(file.path).ends_with(".onnx");
  };
  const auto graphs = std::count_if(files.begin(), files.end(), is_graph);
  if (files.size() > 1 && graphs != 1)
    return Fail(Error::InvalidArgument(
        "among several files exactly one .onnx file must be at the top: found " + std::to_string(graphs)));
  for (UploadedFile& file : files) file.is_graph = files.size() == 1 || is_graph(file);
  return Ok();
}

Status CheckCount(int count) {
  if (count == 0) return Fail(Error::InvalidArgument("files: none is named"));
  if (static_cast<size_t>(count) <= kPublishedFilesMax) return Ok();
  return Fail(Error::InvalidArgument("at most " + std::to_string(kPublishedFilesMax) +
                                     " files make a model, not " + std::to_string(count) +
                                     "; write its external data into one file (onnx.save_model with "
                                     "all_tensors_to_one_file=True)"));
}

Status SetDigest(UploadedFile& file) {
  file.sha256 = *file.upload->sha256;
  for (const auto& announced : {file.announced_sha256, file.upload->announced_sha256})
    if (announced && *announced != file.sha256)
      return Fail(BadFile(file.path, "changed on its way: announced sha256=" + ToHex(*announced) +
                                         ", received=" + ToHex(file.sha256)));
  return Ok();
}

}  // namespace

// ---- claims ----

Claim::Claim(Uploads& uploads, std::vector<UploadedFile> files)
    : uploads_(&uploads), files_(std::move(files)) {
  for (UploadedFile& file : files_) file.upload->publishing = true;
}

Claim::Claim(Claim&& other) noexcept
    : uploads_(std::exchange(other.uploads_, nullptr)), files_(std::move(other.files_)) {}

Claim::~Claim() {
  if (uploads_ == nullptr) return;
  for (UploadedFile& file : files_) {
    file.upload->publishing = false;
    file.upload->touched_micros = uploads_->desk_.now();
  }
}

void Claim::UseUp() {
  if (uploads_ == nullptr) return;
  for (UploadedFile& file : files_) {
    uploads_->Forget(*file.upload);
    uploads_->Erase(file.upload->id);
    file.upload = nullptr;
  }
  uploads_ = nullptr;
}

Result<Claim> Uploads::ClaimFor(const Act& act, const rpc::PublishRequest& request, bool kept) {
  GC_TRY_VOID(CheckCount(request.files_size()));
  std::vector<UploadedFile> files;
  std::set<const Upload*> named;
  uint64_t total = 0;
  for (const rpc::PublishedFile& wanted : request.files()) {
    GC_TRY_VOID(manifest::CheckPath(wanted.path()));
    GC_TRY(Upload * upload, Find(act, wanted.upload()));
    if (!named.insert(upload).second) return Fail(BadFile(wanted.path(), "names the upload of another file"));
    if (upload->busy())
      return Fail(Error::FailedPrecondition("file \"" + Printable(wanted.path()) +
                                            "\" is being written or published at the moment"));
    if (!upload->whole())
      return Fail(BadFile(wanted.path(), "is not complete: announced=" + std::to_string(upload->bytes) +
                                             ", received=" + std::to_string(upload->kept)));
    if (upload->bytes > kPublishedBytesMax - total)
      return Fail(BadFile(wanted.path(), "is too much: the files of a version have at most 16 GiB together"));
    total += upload->bytes;
    std::optional<Digest> announced;
    if (!wanted.sha256().empty()) {
      GC_TRY(announced,
             Named("sha256 of \"" + Printable(wanted.path()) + "\"", DigestFromHex(wanted.sha256())));
    }
    files.push_back(
        {.path = wanted.path(), .bytes = upload->bytes, .announced_sha256 = announced, .upload = upload});
  }
  GC_TRY_VOID(CheckPaths(files));
  if (!kept) GC_TRY_VOID(ChooseGraph(files));
  return Claim(*this, std::move(files));
}

void Uploads::FindDigests(Claim& claim, std::function<void(Status)> then) {
  auto missing = std::make_shared<std::vector<Upload*>>();
  for (UploadedFile& file : claim.files()) {
    if (!file.upload->sha256) missing->push_back(file.upload);
    if (const Status open = OpenBlob(*file.upload); !open) return then(open);
  }
  const auto finish = [&claim, then = std::move(then)](Status status) {
    for (UploadedFile& file : claim.files())
      if (status) status = SetDigest(file);
    then(std::move(status));
  };
  if (missing->empty()) return finish(Ok());
  auto status = std::make_shared<Status>();
  const uint64_t number = next_digesting_++;
  digesting_[number] = std::make_unique<SideJob>(
      desk_.loop,
      [missing, status] {
        for (Upload* upload : *missing) {
          auto digest = upload->blob->Finish();
          if (digest) {
            upload->sha256 = *digest;
          } else {
            *status = Fail(digest.error());
          }
        }
      },
      [this, number, status, finish] {
        const auto job = digesting_.extract(number);  // it runs this
        finish(*status);
      });
}

// ---- their life ----

Status Uploads::TakeUp() {
  GC_TRY(const auto partials, desk_.blobs.Partials());
  for (const blobs::PartialInfo& info : partials) {
    auto upload = FromNote(info);
    if (upload) {
      uploads_[info.id] = std::make_unique<Upload>(std::move(*upload));
      continue;
    }
    LogWarning("upload " + info.id.ToString() + " is dropped: " + upload.error().message());
    GC_TRY(const auto blob, desk_.blobs.ResumePartial(info.id));
    GC_TRY_VOID(blob->Discard());
  }
  DropIdle();
  return Ok();
}

Status Uploads::CheckRoom(const Uuid& subject, uint64_t bytes) const {
  size_t count = 0;
  uint64_t of_subject = bytes;
  uint64_t wanted = kReservedBytes + bytes;
  for (const auto& [id, upload] : uploads_) {
    wanted += upload->bytes - upload->kept;
    if (upload->subject != subject) continue;
    ++count;
    of_subject += upload->bytes;
  }
  if (uploads_.size() >= kMax || count >= kPerSubjectMax)
    return Fail(Error::ResourceExhausted(
        "too many uploads are under way; publish or drop some: yours=" + std::to_string(count) +
        ", at most=" + std::to_string(kPerSubjectMax)));
  if (of_subject > kBytesPerSubjectMax)
    return Fail(Error::ResourceExhausted(
        "your uploads have too many bytes; publish or drop some: wanted=" + std::to_string(of_subject) +
        ", at most=" + std::to_string(kBytesPerSubjectMax)));
  GC_TRY(const uint64_t free, desk_.blobs.BytesFree());
  if (wanted <= free) return Ok();
  return Fail(Error::ResourceExhausted("the disk of the data directory has too little room: needed=" +
                                       std::to_string(wanted) + ", free=" + std::to_string(free)));
}

Result<Upload*> Uploads::Create(const Act& act, const rpc::CreateUploadRequest& request) {
  if (request.bytes() < 0 || static_cast<uint64_t>(request.bytes()) > kPublishedBytesMax)
    return Fail(
        Error::OutOfRange("a file has at most 16 GiB, not " + std::to_string(request.bytes()) + " bytes"));
  if (request.metadata().size() > kMetadataBytesMax || !IsUtf8(request.metadata()))
    return Fail(Error::InvalidArgument("metadata must be UTF-8 of at most 4096 bytes"));
  auto upload = std::make_unique<Upload>();
  upload->id = Uuid::Random();
  upload->subject = act.caller->id;
  upload->bytes = static_cast<uint64_t>(request.bytes());
  upload->metadata = request.metadata();
  if (!request.sha256().empty()) {
    GC_TRY(upload->announced_sha256, Named("sha256", DigestFromHex(request.sha256())));
  }
  GC_TRY_VOID(CheckRoom(upload->subject, upload->bytes));
  GC_TRY(upload->blob, desk_.blobs.StagePartial(upload->id, NoteOf(*upload)));
  upload->touched_micros = desk_.now();
  Upload* made = upload.get();
  uploads_[made->id] = std::move(upload);
  return made;
}

Result<Upload*> Uploads::Find(const Act& act, std::string_view id) {
  const auto parsed = Uuid::Parse(id);
  const auto found = parsed ? uploads_.find(*parsed) : uploads_.end();
  const Upload* upload = found == uploads_.end() ? nullptr : found->second.get();
  if (upload != nullptr && upload->subject == act.caller->id && !upload->dropped && !IsExpired(*upload))
    return found->second.get();
  return Fail(
      Error::NotFound("no upload \"" + Printable(id) +
                      "\" of yours is here: it was published, dropped, or has expired; begin it again"));
}

std::vector<const Upload*> Uploads::Of(const Uuid& subject) const {
  std::vector<const Upload*> found;
  for (const auto& [id, upload] : uploads_)
    if (upload->subject == subject && !upload->dropped) found.push_back(upload.get());
  return found;
}

Status Uploads::OpenBlob(Upload& upload) {
  if (upload.blob) return Ok();
  GC_TRY(upload.blob, desk_.blobs.ResumePartial(upload.id));
  return Ok();
}

Result<Fd> Uploads::Receive(Upload& upload, uint64_t offset, Delivery delivery) {
  if (upload.busy())
    return Fail(
        Error::FailedPrecondition("another connection is writing this upload, or a publish reads it; ask for "
                                  "its offset and try again"));
  if (offset != upload.kept)
    return Fail(Error(Code::kAborted, "the upload stands at another offset: offset=" +
                                          std::to_string(upload.kept) + ", sent=" + std::to_string(offset)));
  if (delivery.bytes > upload.bytes - upload.kept)
    return Fail(
        Error::OutOfRange("that is more than the upload's length: length=" + std::to_string(upload.bytes) +
                          ", offset=" + std::to_string(offset) + ", sent=" + std::to_string(delivery.bytes)));
  const auto receiving = std::count_if(uploads_.begin(), uploads_.end(),
                                       [](const auto& e) { return bool(e.second->receiving); });
  if (static_cast<size_t>(receiving) >= kReceivingMax)
    return Fail(Error::Unavailable("too many uploads are written at the moment; try again"));
  GC_TRY_VOID(OpenBlob(upload));
  upload.receipt.reset();
  delivery.blob_bytes = upload.bytes;
  GC_TRY(upload.receiving,
         Receiving::Start(desk_.loop, *upload.blob, std::move(delivery),
                          [this, id = upload.id](const Received& received) { OnReceived(id, received); }));
  return upload.receiving->TakeEntrance();
}

void Uploads::OnReceived(const Uuid& id, const Received& received) {
  Upload& upload = *uploads_.at(id);
  const auto ended = std::move(upload.receiving);
  upload.kept = upload.blob->kept();
  upload.touched_micros = desk_.now();
  upload.receipt = ReceiptFor(upload, received);
  if (const auto then = std::exchange(upload.on_receipt, nullptr)) then();
  if (!upload.dropped) return;
  Forget(upload);
  Erase(id);
}

Result<rpc::UploadReceipt> Uploads::ReceiptFor(Upload& upload, const Received& received) {
  rpc::UploadReceipt receipt;
  if (!received.status) return Fail(received.status.error());
  // Which part is wrong cannot be told: nothing of it is of use.
  const bool wrong =
      received.sha256 && upload.announced_sha256 && *received.sha256 != *upload.announced_sha256;
  if (wrong || received.whole_mismatch) {
    GC_TRY_VOID(StartAgain(upload));
  } else {
    upload.sha256 = received.sha256;
  }
  receipt.set_checksum_mismatch(received.checksum_mismatch || wrong);
  *receipt.mutable_upload() = Describe(upload);
  return receipt;
}

// The same upload with no bytes.
Status Uploads::StartAgain(Upload& upload) {
  GC_TRY_VOID(upload.blob->Discard());
  upload.kept = 0;
  GC_TRY(upload.blob, desk_.blobs.StagePartial(upload.id, NoteOf(upload)));
  return Ok();
}

void Uploads::Await(Upload& upload, std::function<void()> then) {
  if (!upload.receiving) return then();
  if (const auto before = std::exchange(upload.on_receipt, std::move(then))) before();
}

Status Uploads::Drop(Upload& upload) {
  if (upload.publishing)
    return Fail(Error::FailedPrecondition("a publish reads this upload; wait until it has ended"));
  if (upload.receiving) {
    upload.dropped = true;
    upload.receiving->Stop();
    return Ok();
  }
  Forget(upload);
  Erase(upload.id);
  return Ok();
}

void Uploads::Forget(Upload& upload) {
  Status discarded = OpenBlob(upload);
  if (discarded) discarded = upload.blob->Discard();
  if (!discarded)
    LogWarning("bytes of upload " + upload.id.ToString() + " stay: " + discarded.error().message());
}

bool Uploads::IsExpired(const Upload& upload) const {
  return !upload.busy() && upload.touched_micros < desk_.now() - idle_micros_;
}

void Uploads::DropIdle() {
  std::vector<Uuid> expired;
  for (const auto& [id, upload] : uploads_)
    if (IsExpired(*upload)) expired.push_back(id);
  for (const Uuid& id : expired) {
    Forget(*uploads_.at(id));
    Erase(id);
  }
}

rpc::UploadInfo Uploads::Describe(const Upload& upload) const {
  rpc::UploadInfo info;
  info.set_id(upload.id.ToString());
  info.set_bytes(static_cast<int64_t>(upload.bytes));
  info.set_offset(static_cast<int64_t>(upload.kept));
  info.set_metadata(upload.metadata);
  if (upload.announced_sha256) info.set_sha256(ToHex(*upload.announced_sha256));
  info.set_expires_at(TimeText(upload.touched_micros + idle_micros_));
  info.set_in_use(upload.busy());
  return info;
}

// ---- the acts ----

Result<Outcome> CreateUpload(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(const Upload* upload, place.uploads.Create(act, act.request.create_upload()));
  Outcome outcome;
  *outcome.answer.mutable_upload() = place.uploads.Describe(*upload);
  return outcome;
}

Result<Outcome> ListUploads(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  auto* answer = outcome.answer.mutable_uploads();
  for (const Upload* upload : place.uploads.Of(act.caller->id))
    *answer->add_uploads() = place.uploads.Describe(*upload);
  return outcome;
}

Result<Outcome> ShowUpload(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(const Upload* upload, place.uploads.Find(act, act.request.show_upload().upload()));
  Outcome outcome;
  *outcome.answer.mutable_upload() = place.uploads.Describe(*upload);
  return outcome;
}

Result<Outcome> ReceiveUpload(Workplace& place, Act& act) {
  const rpc::ReceiveUploadRequest& request = act.request.receive_upload();
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(Upload * upload, place.uploads.Find(act, request.upload()));
  if (request.offset() < 0 || request.bytes() < 0)
    return Fail(Error::InvalidArgument("offset and length must not be negative"));
  Delivery delivery{.bytes = static_cast<uint64_t>(request.bytes()), .blob_bytes = 0, .checksum = {}};
  if (!request.checksum_algorithm().empty()) {
    const auto kind = ChecksumKindFromName(request.checksum_algorithm());
    if (!kind || request.checksum().size() != ChecksumBytes(*kind))
      return Fail(Error::InvalidArgument("the checksum must be a sha1 or sha256"));
    const ByteSpan digest = AsBytes(request.checksum());
    delivery.checksum = Checksum{.kind = *kind, .digest = Bytes(digest.begin(), digest.end())};
  }
  Outcome outcome;
  GC_TRY(Fd entrance,
         place.uploads.Receive(*upload, static_cast<uint64_t>(request.offset()), std::move(delivery)));
  outcome.descriptor = std::make_shared<Fd>(std::move(entrance));
  *outcome.answer.mutable_upload() = place.uploads.Describe(*upload);
  return outcome;
}

void AwaitUpload(Workplace& place, const std::shared_ptr<Act>& act, Reply reply) {
  const Status permitted = place.desk.Permit(*act);
  if (!permitted) return reply(Fail(permitted.error()));
  const auto found = place.uploads.Find(*act, act->request.await_upload().upload());
  if (!found) return reply(Fail(found.error()));
  Upload& upload = **found;
  place.uploads.Await(upload, [&upload, reply = std::move(reply)] {
    if (upload.receiving) return reply(Fail(Error::Unavailable("somebody else waits for this upload now")));
    if (!upload.receipt) return reply(Fail(Error::FailedPrecondition("nothing was sent to this upload")));
    if (!*upload.receipt) return reply(Fail(upload.receipt->error()));
    Outcome outcome;
    *outcome.answer.mutable_upload_receipt() = **upload.receipt;
    reply(std::move(outcome));
  });
}

Result<Outcome> DropUpload(Workplace& place, Act& act) {
  act.object = act.request.drop_upload().upload();
  GC_TRY(Upload * upload, place.uploads.Find(act, act.object));
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY_VOID(place.uploads.Drop(*upload));
  Outcome outcome;
  outcome.answer.mutable_done();
  return outcome;
}

}  // namespace glasscase::operations
