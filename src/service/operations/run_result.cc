#include "run_result.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>
#include <glasscase/training/recipe.h>
#include <glasscase/training/translation_recipe.h>

#include "chain_desk.h"
#include "inspections.h"
#include "ledger_entries.h"
#include "names.h"
#include "publishing.h"
#include "table_rows.h"

namespace glasscase::operations {
namespace {

Error NotAsAnnounced(const RunFile& file, const std::string& why) {
  return {kNotAsAnnounced,
          "its worker gave a result that is not as announced: " + Printable(file.path) + " " + why};
}

Status CheckGiven(const RunFile& file) {
  struct stat facts {};
  if (::fstat(file.file->get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    return Fail(NotAsAnnounced(file, "is no file"));
  if (static_cast<uint64_t>(facts.st_size) == file.bytes) return Ok();
  return Fail(NotAsAnnounced(
      file, "has " + std::to_string(facts.st_size) + " bytes, not " + std::to_string(file.bytes)));
}

Status StageFile(blobs::BlobStore& store, RunFile& file) {
  GC_TRY_VOID(CheckGiven(file));
  GC_TRY(auto staged, store.Stage());
  std::vector<uint8_t> buffer(size_t{1} << 20);
  while (staged->bytes() < file.bytes) {
    const size_t wanted =
        static_cast<size_t>(std::min<uint64_t>(buffer.size(), file.bytes - staged->bytes()));
    const ssize_t got = ::pread(file.file->get(), buffer.data(), wanted, static_cast<off_t>(staged->bytes()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Fail(NotAsAnnounced(file, "cannot be read: " + Error::FromErrno(errno, "pread").message()));
    if (got == 0) return Fail(NotAsAnnounced(file, "got shorter while it was read"));
    GC_TRY_VOID(staged->Append(ByteSpan(buffer.data(), static_cast<size_t>(got))));
  }
  GC_TRY_VOID(CheckGiven(file));  // one that grows meanwhile is no result either
  GC_TRY(file.sha256, staged->Finish());
  file.blob = std::move(staged);
  return Ok();
}

constexpr uint64_t kTranslationBytesMax = uint64_t{4} << 30;

struct Parent {
  catalog::Relation relation;
  catalog::Version version;
};

using NamedParents = std::vector<std::pair<catalog::Relation, Uuid>>;

Result<NamedParents> NamedIn(const catalog::Run& run) {
  if (!run.translates.IsNil()) {
    GC_TRY(const auto recipe, training::TranslationRecipe::Parse(run.recipe));
    NamedParents named = {{catalog::Relation::kTranslatedFrom, recipe.source.version}};
    if (recipe.code) named.emplace_back(catalog::Relation::kDerivedFrom, recipe.code->version);
    return named;
  }
  GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
  NamedParents named = {{catalog::Relation::kDerivedFrom, recipe.code.version}};
  for (const auto& [name, dataset] : recipe.data)
    named.emplace_back(
        dataset.role == training::Role::kTrain ? catalog::Relation::kTrainedOn : catalog::Relation::kTestedOn,
        dataset.version.version);
  return named;
}

Result<std::vector<Parent>> ParentsOf(Desk& desk, const catalog::Run& run) {
  GC_TRY(const NamedParents named, NamedIn(run));
  std::vector<Parent> parents;
  for (const auto& [relation, id] : named) {
    GC_TRY(auto version, desk.catalog.FindVersion(id));
    if (!version) return Fail(Error::NotFound("an input of the run is not there any more: " + id.ToString()));
    if (relation == catalog::Relation::kTranslatedFrom && version->state == catalog::VersionState::kErased)
      return Fail(Error::FailedPrecondition("what it translates was erased meanwhile"));
    const bool is_there =
        std::any_of(parents.begin(), parents.end(), [&, r = relation](const Parent& parent) {
          return parent.relation == r && parent.version.id == version->id;
        });
    if (!is_there) parents.push_back({relation, *std::move(version)});
  }
  return parents;
}

Result<std::string> LabelFor(Desk& desk, const catalog::Run& run) {
  GC_TRY(const auto versions, desk.catalog.VersionsOf(run.asset));
  const auto is_taken = [&](const std::string& label) {
    return std::any_of(versions.begin(), versions.end(),
                       [&](const catalog::Version& version) { return version.label == label; });
  };
  if (!run.label.empty() && is_taken(run.label))
    return Fail(Error::AlreadyExists("the version " + run.label + " was published meanwhile"));
  if (!run.label.empty()) return run.label;
  return NextVersionNumber(versions);
}

bool IsGraph(const RunFile& file) {
  return file.path.find('/') == std::string::npos && file.path.ends_with(".onnx");
}

// One ONNX file, perhaps with the files of its weights beside it.
bool IsOnnx(const std::vector<RunFile>& files) {
  return std::count_if(files.begin(), files.end(), IsGraph) == 1;
}

Status CheckRow(Desk& desk, const catalog::Model& model, const catalog::Version& version) {
  GC_TRY(const auto owner, desk.catalog.FindSubject(model.owner));
  GC_TRY(auto versions, desk.catalog.VersionsOf(model.id));
  versions.push_back(version);
  if (owner && RowBytes(ToRow(model, *owner, versions)) <= kModelRowBytesMax) return Ok();
  return Fail(Error::ResourceExhausted("the inputs and outputs of all versions of " + model.name +
                                       " take too much room; erase old versions or take another name"));
}

// What the ledger says of the run itself, beside the version that it made.
Result<EntryDraft> EntryOf(const catalog::Run& run, const catalog::Model& model,
                           const catalog::Version& version) {
  const bool translates = !run.translates.IsNil();
  EntryDraft entry(translates ? "translation" : "run", model, version.created_micros);
  entry.About(version).Say("run", run.id.ToString());
  if (!translates)
    return entry.Hide("recipe", ToHex(run.recipe_sha256))
        .Hide("result", ToHex(version.manifest_digest))
        .Hide("outcome", "succeeded")
        .Hide("report", ToHex(Sha256(AsBytes(run.record))));
  if (run.evidence.empty()) return Fail(Error::FailedPrecondition("it came without evidence"));
  return entry.Hide("report", ToHex(Sha256(AsBytes(run.evidence))));
}

}  // namespace

Status CheckResult(const catalog::Run& run, const std::vector<RunFile>& files) {
  uint64_t left = kTranslationBytesMax;
  if (run.translates.IsNil()) {
    GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
    left = recipe.limits.disk_bytes;
  }
  const uint64_t most = left;
  std::vector<std::string_view> paths;
  for (const RunFile& file : files) {
    paths.push_back(file.path);
    if (file.bytes > left)
      return Fail(Error::FailedPrecondition(
          "the result has more bytes than it may: limits.disk_bytes of its recipe, or the bound of a "
          "translation, which is " +
          std::to_string(most)));
    left -= file.bytes;
  }
  if (const Status usable = manifest::CheckPaths(paths); !usable)
    return Fail(usable.error().WithContext("the result"));
  return Ok();
}

Status StageFiles(blobs::BlobStore& store, std::vector<RunFile>& files) {
  for (RunFile& file : files) GC_TRY_VOID(StageFile(store, file));
  return Ok();
}

Status CommitFiles(std::vector<RunFile>& files) {
  for (RunFile& file : files) GC_TRY_VOID(file.blob->Commit());
  return Ok();
}

std::optional<rpc::InspectJob> InspectionOf(const std::vector<RunFile>& files) {
  if (!IsOnnx(files)) return std::nullopt;
  rpc::InspectJob job;
  for (const RunFile& file : files) {
    rpc::ModelFile& row = *job.add_files();
    row.set_path(file.path);
    row.set_bytes(file.bytes);
    row.set_sha256(std::string(AsText(file.sha256)));
    row.set_is_graph(IsGraph(file));
  }
  return job;
}

Result<std::vector<Fd>> OpenFiles(const std::vector<RunFile>& files) {
  std::vector<Fd> fds;
  for (const RunFile& file : files) {
    GC_TRY(fds.emplace_back(), file.blob->Open());
  }
  return fds;
}

Result<catalog::Version> InsertResult(Desk& desk, catalog::Transaction& transaction, const catalog::Run& run,
                                      const std::vector<RunFile>& files,
                                      const std::optional<rpc::InspectReport>& report) {
  GC_TRY(const auto model, desk.catalog.FindModel(run.asset));
  if (!model) return Fail(Error::NotFound("the asset of the run is not there any more"));
  std::vector<catalog::VersionFile> rows;
  catalog::Version version{.id = Uuid::Random(), .model = run.asset};
  for (const RunFile& file : files) {
    rows.push_back(
        {.path = file.path, .bytes = file.bytes, .sha256 = file.sha256, .is_graph = report && IsGraph(file)});
    version.bytes += file.bytes;
  }
  GC_TRY(version.label, LabelFor(desk, run));
  version.manifest_digest = manifest::DigestOf(rows);
  version.sha256 = rows.size() == 1 ? rows[0].sha256 : version.manifest_digest;
  version.hostable = report.has_value();
  if (report) {
    GC_TRY_VOID(TakeOver(*report, version));
    GC_TRY_VOID(CheckRow(desk, *model, version));
  } else {
    version.media_type = "application/octet-stream";
  }
  version.producer = "run " + run.id.ToString();
  version.published_by = run.owner;
  version.created_micros = desk.now();

  const std::string name = desk.SubjectName(model->owner) + "/" + model->name;
  GC_TRY(const std::vector<Parent> parents, ParentsOf(desk, run));
  GC_TRY_VOID(transaction.InsertVersion(version, rows));
  GC_TRY(const auto versions, desk.catalog.VersionsOf(run.asset));
  if (desk.anchor != nullptr)
    GC_TRY_VOID(ChainDesk::QueueRegistration(transaction, version, versions.size() == 1));
  EntryDraft published = VersionEntry(*model, name, version, version.created_micros);
  for (const Parent& parent : parents) {
    const catalog::Lineage edge{.child = version.id,
                                .parent = parent.version.id,
                                .relation = parent.relation,
                                .witnessed = true,
                                .created_micros = version.created_micros};
    GC_TRY_VOID(transaction.InsertLineage(edge));
    published.From(edge, parent.version.model);
  }
  GC_TRY_VOID(published.Queue(transaction));
  GC_TRY(const EntryDraft ran, EntryOf(run, *model, version));
  GC_TRY_VOID(ran.Queue(transaction));
  return version;
}

}  // namespace glasscase::operations
