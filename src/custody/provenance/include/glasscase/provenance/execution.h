// Our own statement: this version was made by this run of ours, of these materials.
// api/formats/provenance.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>
#include <glasscase/provenance/publish.h>
#include <glasscase/provenance/statement.h>

namespace glasscase::provenance {

inline constexpr std::string_view kRunPredicate = "urn:glasscase:predicate:run:v1";
inline constexpr std::string_view kTranslationPredicate = "urn:glasscase:predicate:translation:v1";

// What went into the run.
struct Material {
  std::string role;  // "code", "train", "test", "source"
  std::string name;  // "owner/name@label"
  Uuid version;
  Digest sha256{};  // as it is registered
  bool operator==(const Material&) const = default;
};

struct Execution {
  Uuid run;
  std::string asset_name;
  Uuid asset;
  std::string version_label;
  Uuid version;
  Digest manifest{};  // of the result
  Digest recipe{};
  boost::json::object environment;  // of the recipe: runner and lock, or translator
  std::vector<Material> materials;
  std::string worker;
  boost::json::object machine;  // as the worker described it
  std::string started_at, ended_at;
  std::optional<Digest> evidence;     // of a translation: then the statement is one about that
  std::optional<LedgerPlace> ledger;  // of the entry; left out while it is pending
  bool operator==(const Execution&) const = default;
};

// The statement's one subject is "urn:uuid:<version>" with the manifest's digest.
Statement MakeExecutionStatement(const Execution& execution);

// InvalidArgument: another predicate, other subjects, a member missing or wrong. Members that are not known
// here are passed over, as in-toto asks.
Result<Execution> ReadExecutionStatement(const Statement& statement);

}  // namespace glasscase::provenance
