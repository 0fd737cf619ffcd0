// Taking: the bytes of a version, for its owner and for those with a grant to take it.
#include <algorithm>
#include <charconv>
#include <functional>

#include "routes.h"
#include "table_rows.h"

namespace glasscase::operations {
namespace {

using Covers = std::function<bool(const catalog::Grant&)>;
Result<bool> HasGrantToTake(Desk& desk, const Uuid& subject, const Uuid& model, int64_t at_micros,
                            const Covers& covers) {
  bool granted = false;
  const auto look = [&](const catalog::Grant& grant) {
    const bool ended = grant.expires_micros != 0 && grant.expires_micros <= at_micros;
    granted = granted || (grant.action == "take" && !ended && covers(grant));
    return Ok();
  };
  GC_TRY_VOID(desk.catalog.EachGrant({.subject = subject, .model = model, .with_revoked = false}, look));
  return granted;
}

// A grant without a version covers the default one, now and later; one with a version that one alone.
Result<bool> MayTake(Desk& desk, const Act& act, const catalog::Model& model, const Uuid& version,
                     const catalog::Version* by_default) {
  if (model.owner == act.caller->id) return true;
  return HasGrantToTake(desk, act.caller->id, model.id, desk.now(), [&](const catalog::Grant& grant) {
    return grant.version.IsNil() ? by_default != nullptr && by_default->id == version
                                 : grant.version == version;
  });
}

Result<uint64_t> Number(std::string_view member, const std::string& text) {
  if (text.empty()) return 0;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > INT64_MAX)
    return Fail(
        Error::InvalidArgument(std::string(member) + " must be a whole number: \"" + Printable(text) + "\""));
  return number;
}

rpc::FileInfo Describe(const catalog::VersionFile& file) {
  rpc::FileInfo row;
  row.set_path(file.path);
  row.set_bytes(static_cast<int64_t>(file.bytes));
  row.set_sha256(ToHex(file.sha256));
  return row;
}

}  // namespace

Result<Taken> FindTaken(Desk& desk, Act& act, const std::string& text) {
  GC_TRY(NamedModel named, FindModel(desk, act, text));
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  const catalog::Version* by_default = DefaultVersion(named.model, versions);
  if (!named.version && by_default == nullptr)
    return Fail(Error::NotFound(named.FullName() + " has no version in use; name one, as in NAME@VERSION"));
  const catalog::Version version = named.version ? *named.version : *by_default;
  GC_TRY(const bool may, MayTake(desk, act, named.model, version.id, by_default));
  const std::string what = named.FullName() + "@" + version.label;
  if (!may)
    return act.Refuse(access::Reason::kNoGrant,
                      Error::PermissionDenied("you have no grant to take " + what +
                                              "; its owner gives one with: " + "glasscase grant " +
                                              act.caller->name + " take " + named.FullName()));
  if (version.state == catalog::VersionState::kErased)
    return Fail(Error::NotFound(what + " is erased: its bytes are gone"));
  if (version.state == catalog::VersionState::kRetired && named.model.owner != act.caller->id)
    return Fail(Error::NotFound(what + " is retired: its owner alone may still take it"));
  act.reason =
      named.model.owner == act.caller->id ? access::Reason::kAllowedToOwner : access::Reason::kAllowedByGrant;
  return Taken{.named = std::move(named), .version = version};
}

Result<bool> MayTakeVersion(Desk& desk, const Act& act, const Uuid& id) {
  GC_TRY(const auto version, desk.catalog.FindVersion(id));
  if (!version || version->state == catalog::VersionState::kErased) return false;
  GC_TRY(const auto model, desk.catalog.FindModel(version->model));
  if (!model) return false;
  if (version->state == catalog::VersionState::kRetired && model->owner != act.caller->id) return false;
  GC_TRY(const auto versions, desk.catalog.VersionsOf(model->id));
  return MayTake(desk, act, *model, id, DefaultVersion(*model, versions));
}

Result<bool> MayStillTake(Desk& desk, const Uuid& subject, const catalog::Version& version,
                          int64_t at_micros) {
  GC_TRY(const auto model, desk.catalog.FindModel(version.model));
  if (!model) return false;
  if (model->owner == subject) return true;
  if (version.state == catalog::VersionState::kRetired || version.state == catalog::VersionState::kErased)
    return false;
  return HasGrantToTake(desk, subject, model->id, at_micros, [&](const catalog::Grant& grant) {
    return grant.version.IsNil() || grant.version == version.id;
  });
}

Result<Outcome> ListFiles(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const Taken taken, FindTaken(desk, act, act.request.list_files().model()));
  GC_TRY(const auto files, desk.catalog.FilesOf(taken.version.id));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::ListFilesAnswer* answer = outcome.answer.mutable_files();
  answer->set_name(taken.named.FullName());
  answer->set_version(taken.version.label);
  answer->set_sha256(ToHex(taken.version.sha256));
  for (const catalog::VersionFile& file : files) *answer->add_files() = Describe(file);
  return outcome;
}

static Result<catalog::VersionFile> FindTakenFile(Desk& desk, Act& act) {
  const rpc::OpenFileRequest& request = act.request.open_file();
  GC_TRY(const Taken taken, FindTaken(desk, act, request.model()));
  GC_TRY(const uint64_t number, Number("file", request.file()));
  GC_TRY(const auto files, desk.catalog.FilesOf(taken.version.id));
  if (number < files.size()) return files[number];
  return Fail(Error::NotFound("the version has no file " + std::to_string(number) + ": it has " +
                              std::to_string(files.size())));
}

// The edge gets the bytes as a descriptor and sends them itself; while it does, it asks again now and then.
void OpenFile(Workplace& place, const std::shared_ptr<Act>& act, Reply reply) {
  Desk& desk = place.desk;
  act->audited = !act->request.open_file().again();
  const auto file = FindTakenFile(desk, *act);
  const Status permitted = file ? desk.Permit(*act) : Fail(file.error());
  if (!permitted) return reply(Fail(permitted.error()));
  const auto opened = std::make_shared<Fd>();
  desk.store_reads.Do({.work = [&store = desk.blobs, sha256 = file->sha256, opened]() -> Status {
                         GC_TRY(*opened, store.Open(sha256));
                         return Ok();
                       },
                       .then =
                           [&desk, act, opened, file = *file, reply = std::move(reply)](const Status& done) {
                             if (!done) return reply(Fail(done.error()));
                             // What was withdrawn meanwhile is withdrawn.
                             const auto still = FindTakenFile(desk, *act);
                             if (!still) return reply(Fail(still.error()));
                             Outcome outcome;
                             outcome.descriptor = opened;
                             *outcome.answer.mutable_open_file()->mutable_file() = Describe(file);
                             reply(std::move(outcome));
                           }});
}

}  // namespace glasscase::operations
