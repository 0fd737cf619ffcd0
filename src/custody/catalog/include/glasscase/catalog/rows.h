// What the catalog keeps. Times are microseconds since 1970 in UTC; 0 means never or not yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/access/quota.h>
#include <glasscase/access/table.h>
#include <glasscase/core/bytes.h>
#include <glasscase/core/ids.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::catalog {

struct Subject {
  Uuid id{};
  std::string name{};  // unique
  access::Roles roles = access::kLearner;
  std::optional<uint32_t> host_slot{};  // which host runs this owner's models; unique, never reused
  Uuid added_by{};                      // nil: `glasscase init`
  int64_t created_micros = 0;
};

// The digests are those of custody/access/token.h, one for each kind of process that looks tokens up.
struct Token {
  Uuid id{};
  Uuid subject{};
  Digest edge_digest{};
  Digest host_digest{};
  Digest custodian_digest{};  // unique
  std::string hint{};         // the last four characters
  int64_t created_micros = 0;
  int64_t expires_micros = 0;
  int64_t last_used_micros = 0;
  int64_t revoked_micros = 0;
};

struct Invitation {
  Uuid id{};
  Uuid subject{};
  Digest custodian_digest{};          // unique
  int64_t token_lifetime_micros = 0;  // of the token it yields, from redemption on; 0: without end
  int64_t created_micros = 0;
  int64_t expires_micros = 0;
  int64_t redeemed_micros = 0;
  int64_t revoked_micros = 0;
};

struct Grant {
  Uuid id{};
  Uuid subject{};
  Uuid model{};
  Uuid version{};                  // nil: the default version, now and later
  std::string action = "predict";  // or "take"
  std::optional<access::Quota> quota{};
  int64_t created_micros = 0;
  int64_t expires_micros = 0;
  int64_t revoked_micros = 0;
};

// What the owner says of an asset or a version in words of their own. A key is there once, and has neither a
// "=" nor a line feed in it; a value has no line feed.
struct Field {
  std::string key{};
  std::string value{};
  bool operator==(const Field&) const = default;
};

// Stored: never renumber.
enum class AssetKind : uint8_t { kModel = 1, kDataset = 2 };

// A model or another asset: what differs is in its versions.
struct Model {
  Uuid id{};
  Uuid owner{};
  std::string name{};      // unique for its owner
  Uuid default_version{};  // nil: the newest that is published
  int64_t created_micros = 0;
  AssetKind kind = AssetKind::kModel;
  std::optional<Digest> secret{};   // of the salts of its ledger entries; none once erased
  std::string licence{};            // an SPDX expression, or words
  std::vector<std::string> tags{};  // in order, no line feeds
  std::vector<Field> fields{};      // in order
  std::string card{};               // Markdown; empty: that of the default version
};

// Stored: never renumber.
enum class VersionState : uint8_t { kPublished = 1, kRetired = 2, kErased = 3, kDisabled = 4 };

struct Version {
  Uuid id{};
  Uuid model{};
  std::string label{};  // unique in its model, and never used again
  VersionState state = VersionState::kPublished;
  std::string note{};        // why disabled, or when retired or erased
  uint32_t faults = 0;       // how often it cost its host the life
  Digest sha256{};           // what is shown: the only file's, or the manifest's
  Digest manifest_digest{};  // api/formats/manifest.md
  uint64_t bytes = 0;        // of all files
  std::vector<TensorSpec> inputs{};
  std::vector<TensorSpec> outputs{};
  bool rows_independent = false;
  std::string rows_reason{};  // why not
  std::string producer{};
  std::string runtime_version{};  // of the inference runtime that loaded it at inspection
  int64_t parameters = 0;
  std::string card{};   // Markdown
  Uuid published_by{};  // subject
  int64_t created_micros = 0;
  bool hostable = true;  // an ONNX model that the inspection passed
  std::string media_type = "application/onnx";
  std::vector<Field> fields{};  // in order, as published
};

// Stored: never renumber.
enum class Relation : uint8_t {
  kDerivedFrom = 1,
  kTrainedOn = 2,
  kTestedOn = 3,
  kTranslatedFrom = 4,
  kReleasedAs = 5
};

// An edge of the lineage graph between two versions.
struct Lineage {
  Uuid child{};
  Uuid parent{};
  Relation relation = Relation::kDerivedFrom;
  bool witnessed = false;  // by a run of ours; else the owner's claim
  int64_t created_micros = 0;
  bool operator==(const Lineage&) const = default;
};

// Stored: never renumber.
enum class ChainActKind : uint8_t { kCheckpoint = 1, kRecord = 2, kChange = 3, kContract = 4 };

// Something to be written to a chain (ledger/anchor.h): queued with the act that it tells of.
struct ChainAct {
  Uuid id{};
  ChainActKind kind = ChainActKind::kCheckpoint;
  Uuid asset{};    // nil: of a checkpoint
  Uuid version{};  // that was published; nil: of a checkpoint
  int64_t created_micros = 0;
  std::string kept{};  // the submission, as Anchor::Prepare gave it; empty: not prepared yet
  bool is_final = false;
  std::string state = "waiting";  // "waiting", "sent", "written", "refused"
  std::string transaction{};
  std::string contract{};  // address, of a kContract that is written
  std::string note{};      // why it waits or was refused
  bool operator==(const ChainAct&) const = default;
};

// Stored: never renumber.
enum class RunState : uint8_t {
  kQueued = 1,
  kPreparing = 2,
  kRunning = 3,
  kRecording = 4,
  kSucceeded = 5,
  kFailed = 6,
  kCancelled = 7
};
constexpr bool HasEnded(RunState state) { return state >= RunState::kSucceeded; }

// A training execution: what is to be done, how far it is, what came of it.
struct Run {
  Uuid id{};
  Uuid owner{};
  Uuid asset{};          // a version of which its result becomes
  std::string label{};   // of that version; empty: the next one
  std::string recipe{};  // canonical (api/formats/recipe.md)
  Digest recipe_sha256{};
  int64_t priority = 0;  // larger: before others
  RunState state = RunState::kQueued;
  std::string reason{};  // why it is in that state, for its owner
  uint32_t attempts = 0;
  std::string worker{};
  int64_t created_micros = 0;
  int64_t started_micros = 0;   // 0: not yet
  int64_t ended_micros = 0;     // 0: not yet
  Uuid result{};                // the version; nil: none
  Uuid repeats{};               // the run that it does once more, to compare; nil: none
  Uuid translates{};            // the version that it translates; nil: none
  std::string wanted_worker{};  // the only one that may do it; empty: any
  std::string record{};         // JSON: machine, outputs, metrics, what it used
  std::string evidence{};       // JSON: what was compared and found; empty: nothing was
  bool operator==(const Run&) const = default;
};

// An owner has runs of that priority waiting.
struct QueueTurn {
  int64_t priority = 0;
  Uuid owner{};
  bool operator==(const QueueTurn&) const = default;
};

// Runs to which all members apply. Empty members do not restrict.
struct RunQuery {
  std::optional<Uuid> owner{};
  std::optional<Uuid> asset{};
  std::optional<Uuid> repeats{};
  std::optional<Uuid> result{};
  bool only_open = false;       // have not ended
  std::optional<Uuid> after{};  // the last run of the page before
  uint32_t limit = 100;
};

struct VersionFile {
  std::string path{};  // relative
  uint64_t bytes = 0;
  Digest sha256{};
  bool is_graph = false;

  bool operator==(const VersionFile&) const = default;
};

struct Counts {
  uint32_t subjects = 0;
  uint32_t tokens = 0;  // neither revoked nor expired
  uint32_t grants = 0;  // neither revoked nor expired
  uint32_t models = 0;  // without datasets
};

}  // namespace glasscase::catalog
