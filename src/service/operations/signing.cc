// What the installation signs of a version, in words that tools of others understand. Made when it is asked
// for, out of rows that never change: so versions of before there was a key have theirs too.
#include <glasscase/provenance/bundle.h>
#include <glasscase/provenance/model_signature.h>
#include <glasscase/provenance/publish.h>

#include "routes.h"

namespace glasscase::operations {
namespace {

Outcome Signed(Desk& desk, std::string bundle, const NamedModel& named, const catalog::Version& version) {
  Outcome outcome;
  rpc::SignatureAnswer* answer = outcome.answer.mutable_signature();
  answer->set_signature(std::move(bundle));
  answer->set_public_key(desk.signing_key.public_key().Pem());
  answer->set_name(named.FullName());
  answer->set_version(version.label);
  return outcome;
}

// One file is signed as a file, several as the folder that they were published as.
Result<std::string> SignFiles(Desk& desk, const NamedModel& named, const catalog::Version& version) {
  GC_TRY(const auto files, desk.catalog.FilesOf(version.id));
  std::vector<provenance::Resource> resources;
  const bool is_one_file = files.size() == 1;
  for (const catalog::VersionFile& file : files)
    resources.push_back(
        {.name = is_one_file ? std::string(provenance::kTheFileItself) : file.path, .sha256 = file.sha256});
  return provenance::SignModel(named.model.name, std::move(resources), {}, desk.signing_key);
}

provenance::Publication PublicationOf(Desk& desk, const NamedModel& named, const catalog::Version& version) {
  provenance::Publication publication{.publisher = desk.SubjectName(version.published_by),
                                      .asset = named.model.id,
                                      .asset_name = named.FullName(),
                                      .version = version.id,
                                      .version_label = version.label,
                                      .manifest = version.manifest_digest,
                                      .media_type = version.media_type,
                                      .licence = {},
                                      .ledger = {}};
  if (!named.model.licence.empty()) publication.licence = named.model.licence;
  const auto index = desk.ledger.FindVersionEntry(named.model.id, version.id);
  if (index)
    publication.ledger = provenance::LedgerPlace{.origin = desk.ledger.verifier().name(), .index = *index};
  return publication;
}

}  // namespace

// Of the bytes, which it names one by one: for those who may have them.
Result<Outcome> SignVersion(Workplace& place, Act& act) {
  GC_TRY(const Taken taken, FindTaken(place.desk, act, act.request.signature().model()));
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY(std::string bundle, SignFiles(place.desk, taken.named, taken.version));
  return Signed(place.desk, std::move(bundle), taken.named, taken.version);
}

// That it was published: for everybody who sees the version.
Result<Outcome> StateVersion(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindModel(desk, act, act.request.statement().model()));
  GC_TRY(const catalog::Version version, FindVisibleVersion(desk, act, named));
  GC_TRY_VOID(desk.Permit(act));
  desk.ledger.PublishNow();
  const provenance::Statement statement =
      provenance::MakePublishStatement(PublicationOf(desk, named, version));
  GC_TRY(std::string bundle, provenance::SignStatement(statement, desk.signing_key));
  return Signed(desk, std::move(bundle), named, version);
}

}  // namespace glasscase::operations
