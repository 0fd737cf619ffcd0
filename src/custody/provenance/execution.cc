#include <glasscase/provenance/execution.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <glasscase/json/object_reader.h>

namespace glasscase::provenance {

using json::Element;
using json::ObjectReader;

namespace {

boost::json::object Sha256Of(const Digest& digest) { return {{"sha256", ToHex(digest)}}; }

Result<Uuid> ReadUuid(const ObjectReader& object) {
  GC_TRY(const std::string text, object.String("uuid"));
  const auto uuid = Uuid::Parse(text);
  if (!uuid || uuid->ToString() != text) return Fail(object.Wrong("uuid", "must be a UUID in lower case"));
  return *uuid;
}

Result<Digest> ReadDigest(const ObjectReader& object, std::string_view member) {
  GC_TRY(const ObjectReader digest, object.Object(member));
  return digest.Sha256("sha256");
}

Result<Material> ReadMaterial(const boost::json::value& value, const std::string& path) {
  GC_TRY(const ObjectReader object, ObjectReader::Open(value, path));
  Material material;
  GC_TRY(material.role, object.String("role"));
  GC_TRY(material.name, object.String("name"));
  GC_TRY(material.version, ReadUuid(object));
  GC_TRY(material.sha256, ReadDigest(object, "digest"));
  return material;
}

Result<std::vector<Material>> ReadMaterials(const ObjectReader& predicate) {
  GC_TRY(const auto* array, predicate.Array("materials"));
  std::vector<Material> materials;
  for (size_t i = 0; i < array->size(); ++i) {
    GC_TRY(materials.emplace_back(), ReadMaterial((*array)[i], Element("predicate.materials", i)));
  }
  return materials;
}

Status ReadRun(const ObjectReader& predicate, Execution& execution) {
  GC_TRY(const ObjectReader run, predicate.Object("run"));
  GC_TRY(execution.run, ReadUuid(run));
  GC_TRY(execution.started_at, run.String("startedAt"));
  GC_TRY(execution.ended_at, run.String("endedAt"));
  GC_TRY(const ObjectReader by, predicate.Object("worker"));
  GC_TRY(execution.worker, by.String("name"));
  GC_TRY(const ObjectReader machine, by.Object("machine"));
  execution.machine = machine.object();
  return Ok();
}

Status ReadResult(const ObjectReader& predicate, Execution& execution) {
  GC_TRY(const ObjectReader asset, predicate.Object("asset"));
  GC_TRY(execution.asset, ReadUuid(asset));
  GC_TRY(execution.asset_name, asset.String("name"));
  GC_TRY(const ObjectReader version, predicate.Object("version"));
  GC_TRY(execution.version, ReadUuid(version));
  GC_TRY(execution.version_label, version.String("label"));
  GC_TRY(execution.manifest, ReadDigest(predicate, "manifest"));
  return Ok();
}

Status ReadRest(const ObjectReader& predicate, Execution& execution) {
  GC_TRY(execution.recipe, ReadDigest(predicate, "recipe"));
  GC_TRY(const ObjectReader environment, predicate.Object("environment"));
  execution.environment = environment.object();
  GC_TRY(execution.materials, ReadMaterials(predicate));
  if (predicate.Has("evidence")) {
    GC_TRY(execution.evidence, ReadDigest(predicate, "evidence"));
  }
  if (!predicate.Has("ledger")) return Ok();
  GC_TRY(const ObjectReader ledger, predicate.Object("ledger"));
  LedgerPlace place;
  GC_TRY(place.origin, ledger.String("origin"));
  GC_TRY(place.index, ledger.Whole("index"));
  execution.ledger = std::move(place);
  return Ok();
}

}  // namespace

Statement MakeExecutionStatement(const Execution& execution) {
  boost::json::array materials;
  for (const Material& material : execution.materials)
    materials.push_back({{"role", material.role},
                         {"name", material.name},
                         {"uuid", material.version.ToString()},
                         {"digest", Sha256Of(material.sha256)}});
  boost::json::object predicate{
      {"run",
       {{"uuid", execution.run.ToString()},
        {"startedAt", execution.started_at},
        {"endedAt", execution.ended_at}}},
      {"asset", {{"uuid", execution.asset.ToString()}, {"name", execution.asset_name}}},
      {"version", {{"uuid", execution.version.ToString()}, {"label", execution.version_label}}},
      {"manifest", Sha256Of(execution.manifest)},
      {"recipe", Sha256Of(execution.recipe)},
      {"environment", execution.environment},
      {"materials", std::move(materials)},
      {"worker", {{"name", execution.worker}, {"machine", execution.machine}}}};
  if (execution.evidence) predicate["evidence"] = Sha256Of(*execution.evidence);
  if (execution.ledger)
    predicate["ledger"] =
        boost::json::object{{"origin", execution.ledger->origin}, {"index", execution.ledger->index}};
  return {.subjects = {{"urn:uuid:" + execution.version.ToString(), execution.manifest}},
          .predicate_type = std::string(execution.evidence ? kTranslationPredicate : kRunPredicate),
          .predicate = std::move(predicate)};
}

Result<Execution> ReadExecutionStatement(const Statement& statement) {
  const bool translates = statement.predicate_type == kTranslationPredicate;
  if (!translates && statement.predicate_type != kRunPredicate)
    return Fail(
        Error::InvalidArgument("not about a run: the statement is a " + Printable(statement.predicate_type)));
  const boost::json::value value(statement.predicate);
  GC_TRY(const ObjectReader predicate, ObjectReader::Open(value, "predicate"));
  Execution execution;
  GC_TRY_VOID(ReadRun(predicate, execution));
  GC_TRY_VOID(ReadResult(predicate, execution));
  GC_TRY_VOID(ReadRest(predicate, execution));
  if (translates != execution.evidence.has_value())
    return Fail(predicate.Wrong("evidence", "must be there for a translation, and for that alone"));
  // Readers that know only in-toto see the subject alone: it must say the same.
  if (statement.subjects != MakeExecutionStatement(execution).subjects)
    return Fail(
        Error::InvalidArgument("the statement's subject is not the version that its predicate names"));
  return execution;
}

}  // namespace glasscase::provenance
