// A place outside the operator's reach where checkpoints and asset records are written, so that the operator
// of a log cannot take back what the log once said.
//
// Writing there is slow, can be lost for a while and must not happen twice. So every write is a *submission*
// that the caller keeps with its own state (an outbox row), in this order:
//
//   kept = Prepare(act, open)    nothing has left this process yet
//   the caller makes `kept` durable
//   Submit(kept)                 again after every crash or error, and whenever Poll says kUnknown
//   Poll(kept) until `final`     and then the row is done
//   kept = Replace(kept)         when it stays pending; durable before Submit, as above
//
// A submission repeats the same signed bytes each time, and at most one of its attempts can ever take effect,
// wherever the caller crashed. A submission that was prepared and not made durable has never been sent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>

namespace glasscase::ledger {

// A checkpoint of a log: the root hash of its tree at that size.
struct AnchorCheckpoint {
  std::string origin;
  uint64_t size = 0;
  Digest root{};
  bool operator==(const AnchorCheckpoint&) const = default;
};

enum class AssetKind : uint8_t { kModel = 1, kDataset = 2 };

// One per asset, written once.
struct AssetRecord {
  Uuid asset{};
  AssetKind kind = AssetKind::kModel;
  Digest commitment{};     // digest of the asset, or a salted commitment to it
  uint64_t log_index = 0;  // of the entry that registers it
  bool operator==(const AssetRecord&) const = default;
};

// Something that happened to a recorded asset later: a version, a retirement.
struct AssetChange {
  Uuid asset{};
  Digest commitment{};  // of the log entry, or what it commits to
  uint64_t log_index = 0;
  bool operator==(const AssetChange&) const = default;
};

// A contract of its own for a model. Nil identifiers and zero digests: not named.
struct ModelContract {
  Uuid asset{};
  Digest commitment{};
  Uuid trained_on{};   // datasets
  Uuid tested_with{};  //
  Digest image{};      // of the container image that trained it
  uint64_t log_index = 0;
  bool operator==(const ModelContract&) const = default;
};

// A contract of its own for a dataset.
struct DatasetContract {
  Uuid asset{};
  Digest commitment{};
  uint64_t log_index = 0;
  std::string uri{};  // UTF-8, at most 2,048 bytes, readable by everybody
  bool operator==(const DatasetContract&) const = default;
};

using AnchorAct = std::variant<AnchorCheckpoint, AssetRecord, AssetChange, ModelContract, DatasetContract>;

enum class SubmissionState : uint8_t {
  kUnknown,    // never sent, forgotten, or lost by a reorganisation: Submit the same bytes again
  kPending,    // waiting to be written; Replace it when that takes too long
  kMined,      // written
  kRefused,    // taken up, and refused by what is written there: nothing was written; `reason` says why
  kDisplaced,  // can never be written: its turn went to something else that the same key signed; Prepare anew
};

struct SubmissionStatus {
  SubmissionState state = SubmissionState::kUnknown;
  // Nothing can change the state any more. Before, a reorganisation can: also of kRefused and kDisplaced.
  bool final = false;
  uint64_t block = 0;  // of kMined and kRefused
  std::string
      transaction{};       // as explorers of the place show it; of kUnknown and kDisplaced: the last attempt
  std::string contract{};  // address of the contract that a ModelContract or DatasetContract becomes
  std::string reason{};    // of kRefused, as a sentence
};

// What is read back: as of the newest state, or of the newest that nothing can change any more.
enum class AnchorView : uint8_t { kNewest, kFinal };

struct RecordedAsset {
  AssetRecord record;
  int64_t time_seconds = 0;  // as the place says: a hint
  bool operator==(const RecordedAsset&) const = default;
};

struct AssetContract {
  std::variant<ModelContract, DatasetContract> asset;
  std::string publisher{};
  bool operator==(const AssetContract&) const = default;
};

struct AnchorCondition {
  std::string place{};    // "chain 1337 through 127.0.0.1:8545"
  std::string account{};  // that pays and publishes
  std::string balance{};  // with its unit
  uint64_t newest_block = 0;
  uint64_t final_block = 0;
  std::vector<std::string> complaints{};  // what an operator must mend before writes can work
};

// Every function may block on the network and fails with
//   Unavailable, DeadlineExceeded   try again later; nothing is lost
//   FailedPrecondition              what is configured does not fit the place (another chain, no contract),
//   or what the
//                                   place wants is missing (funds, a higher fee); the message says what to do
// and, where named, with others. One thread.
class Anchor {
 public:
  virtual ~Anchor() = default;

  // Checks the act against the newest state and signs it. `open` are all submissions of this account that are
  // not final, in any order: the new one takes its turn after them. Gives what the caller keeps.
  //   PermissionDenied   this account is not the publisher there
  //   AlreadyExists      the asset has its record, or the checkpoint there is as large
  //   NotFound           the asset of a change has no record
  //   InvalidArgument    the act itself is malformed, or `open` holds something else
  virtual Result<Bytes> Prepare(const AnchorAct& act, std::span<const Bytes> open) = 0;

  // Hands over the newest attempt. Fine when the place has it already, or has written it.
  virtual Status Submit(ByteSpan kept) = 0;

  virtual Result<SubmissionStatus> Poll(ByteSpan kept) = 0;

  // The same submission with one more attempt, at a higher fee. ResourceExhausted when a configured limit is
  // reached.
  virtual Result<Bytes> Replace(ByteSpan kept) = 0;

  // The size of the checkpoint that a submission writes; nullopt when it writes something else. Asks nobody,
  // on any thread.
  virtual std::optional<uint64_t> CheckpointSize(ByteSpan kept) const = 0;

  // The last checkpoint there; nullopt before the first. The origin is the caller's: the place knows its
  // digest only, and FailedPrecondition says when that is another one.
  virtual Result<std::optional<AnchorCheckpoint>> LastCheckpoint(const std::string& origin,
                                                                 AnchorView view) = 0;
  virtual Result<std::optional<RecordedAsset>> FindAsset(const Uuid& asset, AnchorView view) = 0;
  // From the oldest to the newest.
  virtual Result<std::vector<AssetChange>> ChangesOf(const Uuid& asset, AnchorView view) = 0;
  // Addresses of the contracts that this account made for the asset, from the oldest to the newest. Ask
  // before preparing one where a submission may have been forgotten (an outbox from a backup): unlike a
  // record, a second one is not refused.
  virtual Result<std::vector<std::string>> ContractsOf(const Uuid& asset, AssetKind kind,
                                                       AnchorView view) = 0;
  // Of a contract that a submission of ours made. NotFound when none stands there.
  virtual Result<AssetContract> ReadContract(const std::string& contract, AssetKind kind,
                                             AnchorView view) = 0;

  // For `glasscase status`.
  virtual Result<AnchorCondition> Examine() = 0;
};

}  // namespace glasscase::ledger
