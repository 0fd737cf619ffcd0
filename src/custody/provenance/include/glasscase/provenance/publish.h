// Our own statement: somebody published this version of this asset. api/formats/provenance.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>
#include <glasscase/provenance/statement.h>

namespace glasscase::provenance {

inline constexpr std::string_view kPublishPredicate = "urn:glasscase:predicate:publish:v1";

// Said openly, or as a salted commitment that its owner can open later.
struct Commitment {
  Digest sha256{};
  bool operator==(const Commitment&) const = default;
};
using Named = std::variant<std::string, Commitment>;

struct LedgerPlace {
  std::string origin;  // the log's name, as in its checkpoints
  uint64_t index = 0;  // of the entry, from 0
  bool operator==(const LedgerPlace&) const = default;
};

struct Publication {
  Named publisher;
  Uuid asset;
  Named asset_name;
  Uuid version;
  Named version_label;
  Digest manifest{};  // api/formats/manifest.md
  std::string media_type;
  std::optional<std::string> licence;  // an SPDX expression, or what the owner wrote
  std::optional<LedgerPlace> ledger;   // left out while the entry is pending
  bool operator==(const Publication&) const = default;
};

// The statement's one subject is "urn:uuid:<version>" with the manifest's digest.
Statement MakePublishStatement(const Publication& publication);

// InvalidArgument: another predicate, other subjects, a member missing or wrong. Members that are not known
// here are passed over, as in-toto asks.
Result<Publication> ReadPublishStatement(const Statement& statement);

}  // namespace glasscase::provenance
