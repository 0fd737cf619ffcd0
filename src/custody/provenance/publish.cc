#include <glasscase/json/object_reader.h>
#include <glasscase/provenance/publish.h>

#include <boost/json/value.hpp>

namespace glasscase::provenance {

using json::ObjectReader;

namespace {

constexpr char kCommitment[] = "commitment";

// {…, "<said_as>": "words"} or {…, "commitment": "<hexadecimal>"}.
void PutNamed(boost::json::object& object, std::string_view said_as, const Named& named) {
  if (const auto* text = std::get_if<std::string>(&named))
    object[{said_as.data(), said_as.size()}] = *text;
  else
    object[kCommitment] = ToHex(std::get<Commitment>(named).sha256);
}

Result<Named> ReadNamed(const ObjectReader& object, std::string_view said_as) {
  if (object.Has(said_as) == object.Has(kCommitment))
    return Fail(Error::InvalidArgument(object.path() + " must have either \"" + std::string(said_as) +
                                       "\" or \"commitment\""));
  if (object.Has(said_as)) return object.String(said_as);
  GC_TRY(const Digest sha256, object.Sha256(kCommitment));
  return Commitment{sha256};
}

Result<Uuid> ReadUuid(const ObjectReader& object) {
  GC_TRY(const std::string text, object.String("uuid"));
  const auto uuid = Uuid::Parse(text);
  if (!uuid || uuid->ToString() != text) return Fail(object.Wrong("uuid", "must be a UUID in lower case"));
  return *uuid;
}

}  // namespace

Statement MakePublishStatement(const Publication& publication) {
  boost::json::object publisher;
  PutNamed(publisher, "name", publication.publisher);
  boost::json::object asset{{"uuid", publication.asset.ToString()}};
  PutNamed(asset, "name", publication.asset_name);
  boost::json::object version{{"uuid", publication.version.ToString()}};
  PutNamed(version, "label", publication.version_label);
  boost::json::object predicate{{"publisher", std::move(publisher)},
                                {"asset", std::move(asset)},
                                {"version", std::move(version)},
                                {"manifest", boost::json::object{{"sha256", ToHex(publication.manifest)}}},
                                {"mediaType", publication.media_type}};
  if (publication.licence) predicate["licence"] = *publication.licence;
  if (publication.ledger)
    predicate["ledger"] =
        boost::json::object{{"origin", publication.ledger->origin}, {"index", publication.ledger->index}};
  return {.subjects = {{"urn:uuid:" + publication.version.ToString(), publication.manifest}},
          .predicate_type = std::string(kPublishPredicate),
          .predicate = std::move(predicate)};
}

Result<Publication> ReadPublishStatement(const Statement& statement) {
  if (statement.predicate_type != kPublishPredicate)
    return Fail(Error::InvalidArgument("not about publishing: the statement is a " +
                                       Printable(statement.predicate_type)));
  const boost::json::value value(statement.predicate);
  GC_TRY(const ObjectReader predicate, ObjectReader::Open(value, "predicate"));
  GC_TRY(const ObjectReader publisher, predicate.Object("publisher"));
  GC_TRY(const ObjectReader asset, predicate.Object("asset"));
  GC_TRY(const ObjectReader version, predicate.Object("version"));
  GC_TRY(const ObjectReader manifest, predicate.Object("manifest"));
  Publication publication;
  GC_TRY(publication.publisher, ReadNamed(publisher, "name"));
  GC_TRY(publication.asset, ReadUuid(asset));
  GC_TRY(publication.asset_name, ReadNamed(asset, "name"));
  GC_TRY(publication.version, ReadUuid(version));
  GC_TRY(publication.version_label, ReadNamed(version, "label"));
  GC_TRY(publication.manifest, manifest.Sha256("sha256"));
  GC_TRY(publication.media_type, predicate.String("mediaType"));
  if (predicate.Has("licence")) {
    GC_TRY(publication.licence, predicate.String("licence"));
  }
  if (predicate.Has("ledger")) {
    GC_TRY(const ObjectReader ledger, predicate.Object("ledger"));
    LedgerPlace place;
    GC_TRY(place.origin, ledger.String("origin"));
    GC_TRY(place.index, ledger.Whole("index"));
    publication.ledger = std::move(place);
  }
  // Readers that know only in-toto see the subject alone: it must say the same.
  if (statement.subjects != MakePublishStatement(publication).subjects)
    return Fail(
        Error::InvalidArgument("the statement's subject is not the version that its predicate names"));
  return publication;
}

}  // namespace glasscase::provenance
