#include "uploads.h"

#include <algorithm>
#include <set>

#include "names.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

// What stays free for the catalog and the audit log.
constexpr uint64_t kReservedBytes = uint64_t{64} << 20;

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

Error BadFile(std::string_view path, std::string_view why) {
  return Error::InvalidArgument("file \"" + Printable(path) + "\" " + std::string(why));
}

// Paths that a case-blind file system would take for one, and a file that would have to be a folder too.
Status CheckCollisions(const std::vector<UploadedFile>& files) {
  std::set<std::string> seen;
  for (const UploadedFile& file : files)
    if (!seen.insert(LowerCase(file.path)).second)
      return Fail(BadFile(file.path, "is there twice (upper and lower case are not told apart)"));
  for (const UploadedFile& file : files) {
    const auto below = seen.lower_bound(LowerCase(file.path) + "/");
    if (below != seen.end() && below->starts_with(LowerCase(file.path) + "/"))
      return Fail(BadFile(file.path, "cannot be a folder too"));
  }
  return Ok();
}

Status ChooseGraph(std::vector<UploadedFile>& files) {
  const auto is_graph = [](const UploadedFile& file) {
    return file.path.find('/') == file.path.npos && LowerCase(file.path).ends_with(".onnx");
  };
  const auto graphs = std::count_if(files.begin(), files.end(), is_graph);
  if (files.size() > 1 && graphs != 1)
    return Fail(Error::InvalidArgument(
        "among several files exactly one .onnx file must be at the top: found " + std::to_string(graphs)));
  for (UploadedFile& file : files) file.is_graph = files.size() == 1 || is_graph(file);
  return Ok();
}

Status Complete(Desk& desk, UploadedFile& file) {
  if (file.received() != file.bytes)
    return Fail(BadFile(file.path, "is not complete: announced=" + std::to_string(file.bytes) +
                                       ", received=" + std::to_string(file.received())));
  if (!file.staged) {
    GC_TRY(file.staged, desk.blobs.Stage());
  }
  GC_TRY(file.sha256, file.staged->Finish());
  if (file.announced_sha256 && *file.announced_sha256 != file.sha256)
    return Fail(BadFile(file.path, "changed on its way: announced sha256=" + ToHex(*file.announced_sha256) +
                                       ", received=" + ToHex(file.sha256)));
  return Ok();
}

}  // namespace

Result<std::vector<UploadedFile>> CheckAnnouncedFiles(const rpc::BeginUploadRequest& request) {
  const auto count = static_cast<size_t>(request.files_size());
  if (count == 0) return Fail(Error::InvalidArgument("files: no file was announced"));
  if (count > kUploadFilesMax)
    return Fail(Error::InvalidArgument("at most " + std::to_string(kUploadFilesMax) +
                                       " files make a model, not " + std::to_string(count) +
                                       "; write its external data into one file (onnx.save_model with "
                                       "all_tensors_to_one_file=True)"));
  std::vector<UploadedFile> files(count);
  uint64_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    const rpc::UploadFile& announced = request.files(static_cast<int>(i));
    GC_TRY_VOID(CheckFilePath(announced.path()));
    const auto bytes = static_cast<uint64_t>(announced.bytes());
    if (announced.bytes() < 0 || bytes > kUploadBytesMax - total)
      return Fail(
          BadFile(announced.path(), "has too many bytes: the files of a model have at most 16 GiB together"));
    total += bytes;
    files[i].path = announced.path();
    files[i].bytes = bytes;
    if (!announced.sha256().empty()) {
      GC_TRY(files[i].announced_sha256,
             Named("sha256 of \"" + Printable(announced.path()) + "\"", DigestFromHex(announced.sha256())));
    }
  }
  GC_TRY_VOID(CheckCollisions(files));
  if (!request.kept()) GC_TRY_VOID(ChooseGraph(files));
  return files;
}

Status Uploads::CheckRoom(const std::vector<UploadedFile>& files) const {
  uint64_t wanted = kReservedBytes;
  for (const UploadedFile& file : files) wanted += file.bytes;
  for (const auto& [id, upload] : uploads_)
    for (const UploadedFile& file : upload->files) wanted += file.bytes - file.received();
  GC_TRY(const uint64_t free, desk_.blobs.BytesFree());
  if (wanted <= free) return Ok();
  return Fail(Error::ResourceExhausted("the disk of the data directory has too little room: needed=" +
                                       std::to_string(wanted) + ", free=" + std::to_string(free)));
}

Result<Uuid> Uploads::Begin(const Act& act, std::vector<UploadedFile> files, bool kept) {
  const auto of_subject = std::count_if(uploads_.begin(), uploads_.end(), [&](const auto& entry) {
    return entry.second->subject == act.caller->id;
  });
  if (uploads_.size() >= kMax || static_cast<size_t>(of_subject) >= kPerSubjectMax)
    return Fail(Error::ResourceExhausted("too many uploads are under way; finish or abandon one"));
  GC_TRY_VOID(CheckRoom(files));
  auto upload = std::make_unique<Upload>();
  upload->id = Uuid::Random();
  upload->from = act.from;
  upload->subject = act.caller->id;
  upload->files = std::move(files);
  upload->kept = kept;
  upload->touched_ns = desk_.clock.MonotonicNanos();
  const Uuid id = upload->id;
  uploads_[id] = std::move(upload);
  return id;
}

Result<std::map<Uuid, std::unique_ptr<Upload>>::iterator> Uploads::Find(const Act& act, std::string_view id) {
  const auto parsed = Uuid::Parse(id);
  const auto found = parsed ? uploads_.find(*parsed) : uploads_.end();
  if (found != uploads_.end() && found->second->subject == act.caller->id) return found;
  return Fail(Error::NotFound("no upload \"" + Printable(id) + "\" of yours is under way; begin it again"));
}

Status Uploads::Append(const Act& act, const rpc::UploadPieceRequest& piece) {
  GC_TRY(const auto found, Find(act, piece.upload()));
  Upload& upload = *found->second;
  if (piece.file() >= upload.files.size())
    return Fail(Error::InvalidArgument("the upload has no file " + std::to_string(piece.file())));
  UploadedFile& file = upload.files[piece.file()];
  if (piece.offset() < 0 || static_cast<uint64_t>(piece.offset()) != file.received())
    return Fail(Error::OutOfRange("piece of \"" + Printable(file.path) + "\" at offset " +
                                  std::to_string(piece.offset()) + ", expected " +
                                  std::to_string(file.received())));
  if (piece.data().size() > file.bytes - file.received())
    return Fail(BadFile(file.path, "is longer than announced: " + std::to_string(file.bytes)));
  if (!file.staged) {
    GC_TRY(file.staged, desk_.blobs.Stage());
  }
  Status appended = file.staged->Append(AsBytes(piece.data()));
  if (!appended) {
    uploads_.erase(found);  // its room is what is missing
    return appended;
  }
  // Ends the file's last sync here, and frees its descriptor.
  if (file.received() == file.bytes) GC_TRY_VOID(file.staged->Finish());
  upload.touched_ns = desk_.clock.MonotonicNanos();
  return Ok();
}

Result<std::unique_ptr<Upload>> Uploads::Take(const Act& act, std::string_view id) {
  GC_TRY(const auto found, Find(act, id));
  std::unique_ptr<Upload> upload = std::move(found->second);
  uploads_.erase(found);
  for (UploadedFile& file : upload->files) GC_TRY_VOID(Complete(desk_, file));
  return upload;
}

Status Uploads::Drop(const Act& act, std::string_view id) {
  GC_TRY(const auto found, Find(act, id));
  uploads_.erase(found);
  return Ok();
}

void Uploads::DropOf(const LinkId& link) {
  std::erase_if(uploads_, [&](const auto& entry) { return entry.second->from == link; });
}

void Uploads::DropIdle() {
  const int64_t oldest = desk_.clock.MonotonicNanos() - kIdleNs;
  std::erase_if(uploads_, [&](const auto& entry) { return entry.second->touched_ns < oldest; });
}

// ---- the acts ----

Result<Outcome> BeginUpload(Workplace& place, Act& act) {
  GC_TRY(auto files, CheckAnnouncedFiles(act.request.begin_upload()));
  act.object = files[0].path;
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(const Uuid id, place.uploads.Begin(act, std::move(files), act.request.begin_upload().kept()));
  Outcome outcome;
  outcome.answer.mutable_upload()->set_id(id.ToString());
  return outcome;
}

Result<Outcome> UploadPiece(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY_VOID(place.uploads.Append(act, act.request.upload_piece()));
  Outcome outcome;
  outcome.answer.mutable_done();
  return outcome;
}

Result<Outcome> AbandonUpload(Workplace& place, Act& act) {
  act.object = act.request.abandon_upload().upload();
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY_VOID(place.uploads.Drop(act, act.object));
  Outcome outcome;
  outcome.answer.mutable_done();
  return outcome;
}

}  // namespace glasscase::operations
