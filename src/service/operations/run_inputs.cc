#include "run_inputs.h"

#include <glasscase/training/recipe.h>
#include <glasscase/training/translation_recipe.h>

#include "routes.h"

namespace glasscase::operations {
namespace {

using Held = std::weak_ptr<const Preparation>;

void SendFolder(Desk& desk, const Preparation& to, const InputFolder& folder, std::vector<Fd> fds) {
  rpc::FromCustodian message;
  message.mutable_job_inputs()->set_run(std::string(to.run.id.AsBytes()));
  for (const catalog::VersionFile& file : folder.files) {
    rpc::JobFile& row = *message.mutable_job_inputs()->add_files();
    row.set_path(folder.path + file.path);
    row.set_bytes(file.bytes);
    row.set_sha256(std::string(AsText(file.sha256)));
  }
  desk.links.Send(to.worker, message, std::move(fds));
}

void SendJob(Desk& desk, const Preparation& to) {
  rpc::FromCustodian start;
  start.mutable_run_job()->set_run(std::string(to.run.id.AsBytes()));
  start.mutable_run_job()->set_recipe(to.run.recipe);
  if (!to.run.translates.IsNil()) start.mutable_run_job()->set_kind(rpc::RunJob::TRANSLATION);
  if (!to.run.repeats.IsNil()) {
    start.mutable_run_job()->set_kind(rpc::RunJob::VERIFICATION);
    const auto original = desk.catalog.FindRun(to.run.repeats);
    if (original && *original) start.mutable_run_job()->set_original_record((*original)->record);
  }
  desk.links.Send(to.worker, start);
}

// What it is called where its owner calls it so.
Result<std::string> FullName(Desk& desk, const catalog::Version& version) {
  GC_TRY(const auto model, desk.catalog.FindModel(version.model));
  if (!model) return version.id.ToString();
  return desk.SubjectName(model->owner) + "/" + model->name + "@" + version.label;
}

Status CheckRight(Desk& desk, const Uuid& owner, const catalog::Version& version, int64_t at_micros) {
  GC_TRY(const bool may, MayStillTake(desk, owner, version, at_micros));
  if (may) return Ok();
  GC_TRY(const std::string name, FullName(desk, version));
  return Fail(Error::FailedPrecondition("an input of the run may not be taken any more: " + name +
                                        ": its grant was withdrawn or has ended, or the version is retired"));
}

Status CheckRight(Desk& desk, const Uuid& owner, const Uuid& version, int64_t at_micros) {
  GC_TRY(const auto found, desk.catalog.FindVersion(version));
  return found ? CheckRight(desk, owner, *found, at_micros) : Ok();
}

void SendFrom(Desk& desk, StoreWork& store, const Held& held, size_t next) {
  const auto preparation = held.lock();
  if (!preparation) return;
  if (next == preparation->folders.size()) {
    SendJob(desk, *preparation);
    return preparation->sent();
  }
  std::vector<Digest> wanted;
  for (const catalog::VersionFile& file : preparation->folders[next].files) wanted.push_back(file.sha256);
  const auto opened = std::make_shared<std::vector<Fd>>();
  store.Do({.work = [&blobs = desk.blobs, wanted = std::move(wanted), opened]() -> Status {
              for (const Digest& sha256 : wanted) {
                GC_TRY(opened->emplace_back(), blobs.Open(sha256));
              }
              return Ok();
            },
            .then =
                [&desk, &store, held, next, opened](const Status& done) {
                  const auto still = held.lock();
                  if (!still) return;
                  if (!done) return still->failed(done.error());
                  const InputFolder& folder = still->folders[next];
                  const Status may = CheckRight(desk, still->run.owner, folder.version, desk.now());
                  if (!may && folder.only_tells_range) return SendFrom(desk, store, held, next + 1);
                  if (!may) return still->failed(may.error());
                  SendFolder(desk, *still, folder, std::move(*opened));
                  SendFrom(desk, store, held, next + 1);
                }});
}

constexpr std::string_view kData = "data/";

// Of a dataset that only tells a range: what can tell one, as long as there are not too many.
void KeepThoseThatTellARange(std::vector<catalog::VersionFile>& files, size_t& left) {
  std::erase_if(files, [&](const catalog::VersionFile& file) {
    if (left == 0 || !training::TranslationRecipe::MayTellRange(file.path, file.bytes)) return true;
    --left;
    return false;
  });
}

using Named = std::vector<std::pair<std::string, Uuid>>;

Result<Named> NamedInRecipe(const Desk& desk, const catalog::Run& run) {
  GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
  Named named = {{"code/", recipe.code.version}};
  for (const auto& [name, dataset] : recipe.data)
    named.emplace_back(std::string(kData) + name + "/", dataset.version.version);
  if (run.repeats.IsNil()) return named;
  GC_TRY(const auto original, desk.catalog.FindRun(run.repeats));
  if (!original) return Fail(Error::NotFound("the run that is to be done again is not there any more"));
  named.emplace_back("original/", original->result);
  return named;
}

Result<Named> NamedInTranslation(const catalog::Run& run) {
  GC_TRY(const auto recipe, training::TranslationRecipe::Parse(run.recipe));
  Named named = {{"source/", recipe.source.version}};
  if (recipe.code) named.emplace_back("code/", recipe.code->version);
  for (const auto& [name, dataset] : recipe.data)
    named.emplace_back(std::string(kData) + name + "/", dataset.version);
  return named;
}

Result<Named> NamedIn(const Desk& desk, const catalog::Run& run) {
  return run.translates.IsNil() ? NamedInRecipe(desk, run) : NamedInTranslation(run);
}

}  // namespace

Status CheckRights(Desk& desk, const Uuid& owner, const std::vector<Uuid>& versions, int64_t at_micros) {
  for (const Uuid& version : versions) GC_TRY_VOID(CheckRight(desk, owner, version, at_micros));
  return Ok();
}

Result<std::vector<Uuid>> VersionsIn(const Desk& desk, const catalog::Run& run) {
  GC_TRY(const Named named, NamedIn(desk, run));
  std::vector<Uuid> versions;
  for (const auto& [path, version] : named) versions.push_back(version);
  return versions;
}

Result<std::vector<InputFolder>> InputsOf(Desk& desk, const catalog::Run& run) {
  GC_TRY(auto named, NamedIn(desk, run));
  std::vector<InputFolder> folders;
  size_t total_files = 0;
  size_t data_files_left = training::TranslationRecipe::kDataFilesMax;
  for (auto& [path, version] : named) {
    GC_TRY(auto files, desk.catalog.FilesOf(version));
    GC_TRY(const auto input, desk.catalog.FindVersion(version));
    const bool tells_range = !run.translates.IsNil() && path.starts_with(kData);
    const bool is_gone = files.empty() || !input || input->state == catalog::VersionState::kErased;
    if (is_gone && !tells_range)
      return Fail(Error::NotFound("an input of the run is not there any more: " + version.ToString()));
    const Status may = is_gone ? Ok() : CheckRight(desk, run.owner, *input, desk.now());
    if (!may && !tells_range) return Fail(may.error());
    if (is_gone || !may) continue;  // it would only have told a range: the evidence says where that came from
    if (tells_range) KeepThoseThatTellARange(files, data_files_left);
    if (files.empty()) continue;
    if (total_files += files.size(); total_files > kInputFilesMax)
      return Fail(Error::FailedPrecondition("the run's inputs are more than " +
                                            std::to_string(kInputFilesMax) +
                                            " files together: pack some into one, as into a .zip or .npz"));
    folders.push_back({.version = version,
                       .path = std::move(path),
                       .files = std::move(files),
                       .only_tells_range = tells_range});
  }
  return folders;
}

void SendInputs(Desk& desk, StoreWork& store, const std::shared_ptr<const Preparation>& preparation) {
  SendFrom(desk, store, preparation, 0);
}

}  // namespace glasscase::operations
