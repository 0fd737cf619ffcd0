#include "reports.h"

#include <cstring>

#include <glasscase/core/log.h>

#include "uploads.h"

namespace glasscase::operations {
namespace {

constexpr int64_t kClockSlackMicros = 60'000'000;

access::Stage StageOf(process::ProcessKind kind) {
  switch (kind) {
    case process::ProcessKind::kPublicEdge: return access::Stage::kPublicEdge;
    case process::ProcessKind::kControlEdge: return access::Stage::kControlEdge;
    default: return access::Stage::kHost;
  }
}

bool IsSound(const access::AuditRecord& record, access::Stage stage, int64_t now) {
  return record.stage == stage && record.allowed <= 1 && record.count > 0 &&
         record.object_bytes <= sizeof record.object && access::ReasonName(record.reason) != "unknown" &&
         record.time_micros > now - kClockSlackMicros && record.time_micros < now + kClockSlackMicros;
}

// The version, when it belongs to the owner that the host works for.
Result<catalog::Version> VersionForHost(Desk& desk, const PeerId& host, const std::string& id_bytes) {
  GC_TRY(const Uuid id, Uuid::FromBytes(id_bytes));
  GC_TRY(auto version, desk.catalog.FindVersion(id));
  GC_TRY(const auto owner, desk.catalog.FindOwnerOfSlot(host.slot));
  if (!version || !owner) return Fail(Error::NotFound("no such version"));
  GC_TRY(const auto model, desk.catalog.FindModel(version->model));
  if (!model || model->owner != owner->id) return Fail(Error::NotFound("no such version"));
  return std::move(*version);
}

Result<std::vector<Digest>> ListFiles(Desk& desk, const PeerId& host, rpc::ModelFiles* answer) {
  GC_TRY(const catalog::Version version, VersionForHost(desk, host, answer->version()));
  if (version.state == catalog::VersionState::kRetired || version.state == catalog::VersionState::kErased)
    return Fail(Error::FailedPrecondition("the version cannot be called any more"));
  GC_TRY(const auto files, desk.catalog.FilesOf(version.id));
  std::vector<Digest> digests;
  for (const catalog::VersionFile& file : files) {
    rpc::ModelFile* row = answer->add_files();
    row->set_path(file.path);
    row->set_bytes(file.bytes);
    row->set_sha256(std::string(AsText(file.sha256)));
    row->set_is_graph(file.is_graph);
    digests.push_back(file.sha256);
  }
  return digests;
}

// What a host asked for, on its way to it.
struct Serving {
  rpc::FromCustodian message;
  std::vector<Digest> digests;
  std::vector<Fd> fds;
};

void SendServed(Desk& desk, const LinkId& host, Serving& serving, const Status& done) {
  if (!desk.links.IsCurrent(host)) return;
  if (!done) {
    rpc::ModelFiles* answer = serving.message.mutable_model_files();
    answer->clear_files();
    answer->set_code(static_cast<uint32_t>(done.error().code()));
    answer->set_message(done.error().message());
    serving.fds.clear();
  }
  desk.links.Send(host.peer, serving.message, std::move(serving.fds));
}

}  // namespace

void TakeAuditRecords(Desk& desk, const PeerId& from, std::string_view records,
                      const std::function<std::string_view(uint16_t)>& route_name) {
  const access::Stage stage = StageOf(from.kind);
  const int64_t now = desk.now();
  size_t refused = records.size() % sizeof(access::AuditRecord) == 0 ? 0 : 1;
  for (; records.size() >= sizeof(access::AuditRecord); records.remove_prefix(sizeof(access::AuditRecord))) {
    access::AuditRecord record;
    std::memcpy(&record, records.data(), sizeof record);
    if (!IsSound(record, stage, now)) {
      ++refused;
      continue;
    }
    const std::string name = desk.SubjectName(record.subject);
    desk.audit.Add({.time_micros = record.time_micros,
                    .stage = stage,
                    .route = route_name(record.route),
                    .subject = record.subject,
                    .subject_name = name,
                    .token = record.token,
                    .object = std::string_view(record.object, record.object_bytes),
                    .allowed = record.allowed == 1,
                    .reason = record.reason,
                    .count = record.count});
    if (stage != access::Stage::kHost && !record.token.IsNil() && !name.empty())
      desk.NoteTokenUse(record.token, record.time_micros);
  }
  if (refused > 0)
    LogWarning("the " + std::string(process::ProcessKindName(from.kind)) + " sent " +
               std::to_string(refused) + " audit records that cannot be true; they were dropped");
}

void ServeModel(Desk& desk, const LinkId& host, const rpc::NeedModel& wanted) {
  const auto serving = std::make_shared<Serving>();
  rpc::ModelFiles* answer = serving->message.mutable_model_files();
  answer->set_version(wanted.version());
  auto digests = ListFiles(desk, host.peer, answer);
  if (!digests) return SendServed(desk, host, *serving, Fail(digests.error()));
  serving->digests = std::move(*digests);
  desk.store_reads.Do(
      {.work = [&store = desk.blobs, serving]() -> Status {
         for (const Digest& sha256 : serving->digests) {
           GC_TRY(Fd fd, store.Open(sha256));
           serving->fds.push_back(std::move(fd));
         }
         return Ok();
       },
       .then = [&desk, host, serving](const Status& done) { SendServed(desk, host, *serving, done); }});
}

Result<TableChange> FaultCounter::Note(const LinkId& host, const rpc::ModelFault& fault) {
  GC_TRY(const catalog::Version version, VersionForHost(desk_, host.peer, fault.version()));
  if (!counted_.emplace(host.serial, version.id).second) return TableChange{};
  const uint32_t faults = version.faults + 1;
  const bool disable = faults >= kFaultsMax && version.state == catalog::VersionState::kPublished;
  const std::string why = Printable(fault.reason(), 200);
  const auto change = [&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.SetVersionFaults(version.id, faults));
    if (!disable) return Ok();
    return t.SetVersionState(version.id, catalog::VersionState::kDisabled,
                             "disabled at " + TimeText(desk_.now()) + " because it ended its host " +
                                 std::to_string(faults) + " times, the last time: " + why +
                                 "; its owner may try it again by making it the default");
  };
  GC_TRY_VOID(desk_.Change(change));
  LogWarning("version " + version.id.ToString() + " ended its host, for the " + std::to_string(faults) +
             ". time: " + why);
  TableChange told;
  if (disable) told.models.push_back(version.model);
  return told;
}

void FaultCounter::Forget(const LinkId& host) {
  std::erase_if(counted_, [&](const auto& entry) { return entry.first == host.serial; });
}

}  // namespace glasscase::operations
