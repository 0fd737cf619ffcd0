// The catalog: what this installation knows, and the only place where it is changed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/catalog/rows.h>
#include <glasscase/core/error.h>
#include <glasscase/ledger/journal.h>

namespace glasscase::catalog {

// What an owner may change of an asset after it was registered.
struct ModelDetails {
  std::string licence{};
  std::vector<std::string> tags{};
  std::vector<Field> fields{};
  std::string card{};
  bool operator==(const ModelDetails&) const = default;
};
ModelDetails DetailsOf(const Model& model);

// Changes that happen together or not at all. Rolled back when destroyed without Commit. Reads through the
// catalog see what its open transaction wrote.
//
// Every function fails with ResourceExhausted when the disk is full, AlreadyExists when a unique value is
// taken, NotFound when the row to change is not there; the transaction can then only be dropped.
class Transaction {
 public:
  virtual ~Transaction() = default;

  virtual Status InsertSubject(const Subject& subject) = 0;
  virtual Status SetRoles(const Uuid& subject, access::Roles roles, std::optional<uint32_t> host_slot) = 0;

  virtual Status InsertToken(const Token& token) = 0;
  virtual Status RevokeToken(const Uuid& id, int64_t when_micros) = 0;
  // Keeps the later of both times. A token that is not there is passed over: the ids come from edges.
  virtual Status NoteTokenUse(const Uuid& id, int64_t when_micros) = 0;

  virtual Status InsertInvitation(const Invitation& invitation) = 0;
  virtual Status MarkInvitationRedeemed(const Uuid& id, int64_t when_micros) = 0;
  virtual Status RevokeInvitation(const Uuid& id, int64_t when_micros) = 0;

  virtual Status InsertGrant(const Grant& grant) = 0;
  virtual Status SetGrantTerms(const Uuid& id, const std::optional<access::Quota>& quota,
                               int64_t expires_micros) = 0;
  virtual Status RevokeGrant(const Uuid& id, int64_t when_micros) = 0;

  virtual Status InsertModel(const Model& model) = 0;
  virtual Status SetDefaultVersion(const Uuid& model, const Uuid& version_or_nil) = 0;
  virtual Status InsertVersion(const Version& version, const std::vector<VersionFile>& files) = 0;
  virtual Status SetVersionState(const Uuid& version, VersionState state, std::string_view note) = 0;
  virtual Status SetVersionFaults(const Uuid& version, uint32_t faults) = 0;

  virtual Status SetModelDetails(const Uuid& model, const ModelDetails& details) = 0;
  // From now on nobody opens the commitments of its entries.
  virtual Status EraseModelSecret(const Uuid& model) = 0;
  // An edge that is there already stays as it is, unless it becomes witnessed. FailedPrecondition when the
  // child is the parent or one of its ancestors: the lineage has no cycles.
  virtual Status InsertLineage(const Lineage& edge) = 0;

  // The entry of this act, to be published after the commit.
  virtual Status QueueEntry(std::string_view entry, const std::vector<Uuid>& assets) = 0;

  // To be written to the chain after the commit.
  virtual Status InsertChainAct(const ChainAct& act) = 0;
  // How far it is: kept, is_final, state, transaction, contract, note.
  virtual Status SetChainAct(const ChainAct& act) = 0;

  virtual Status InsertRun(const Run& run) = 0;
  // How far it is: state, reason, attempts, worker, started, ended, result, record.
  virtual Status SetRun(const Run& run) = 0;

  virtual Status SetSetting(std::string_view key, std::string_view value) = 0;

  // Durable when it returns.
  virtual Status Commit() = 0;
};

template <typename Row>
using Visitor = std::function<Status(const Row&)>;  // an error ends the visit and is returned

// Empty members do not restrict.
struct GrantFilter {
  std::optional<Uuid> subject{};
  std::optional<Uuid> model{};
  std::optional<Uuid> owner{};  // of the model
  bool with_revoked = true;
};

inline constexpr size_t kConditionsMax = 32;  // of one search

// Which assets are looked for: those to which all members apply. Empty members do not restrict. In tags,
// licence, media type and the keys of fields the case of ASCII letters does not count; names have none.
struct AssetQuery {
  std::string name{};               // the whole name
  std::string name_part{};          // what stands anywhere in it; the whole name if shorter than three bytes
  std::vector<std::string> tags{};  // all of these
  std::optional<Digest> digest{};   // SHA-256 of a version, of its manifest or of one of its files
  std::optional<AssetKind> kind{};
  std::string licence{};           // the whole
  std::string media_type{};        // of a version
  std::vector<Field> fields{};     // all of these, each of the asset or of a version
  std::optional<Uuid> ancestor{};  // an asset or a version, from which a version of another asset or another
                                   // version descends
  // Whose view: their own assets, and those with a grant to them that is in force and covers a version in
  // use. None: every asset.
  std::optional<Uuid> seen_by{};
  int64_t now_micros = 0;       // for the grants
  std::optional<Uuid> after{};  // the last asset of the page before
  uint32_t limit = 100;
};

// From the oldest to the newest. An asset that is registered between two pages changes neither what the first
// gave nor what the second gives before it.
struct AssetPage {
  std::vector<Model> assets{};
  bool more = false;
};

// Finders give nullopt when there is no such row; visitors and lists go from the oldest to the newest. Every
// function fails with DataLoss when a stored row is damaged. A visitor may call other reads.
// One thread; one transaction at a time.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual Result<std::unique_ptr<Transaction>> Begin() = 0;

  virtual Result<std::optional<Subject>> FindSubject(const Uuid& id) const = 0;
  virtual Result<std::optional<Subject>> FindSubjectCalled(std::string_view name) const = 0;
  virtual Result<std::optional<Subject>> FindOwnerOfSlot(uint32_t host_slot) const = 0;
  virtual Status EachSubject(const Visitor<Subject>& visit) const = 0;

  virtual Result<std::optional<Token>> FindToken(const Uuid& id) const = 0;
  virtual Result<std::optional<Token>> FindTokenByDigest(const Digest& custodian_digest) const = 0;
  virtual Status EachToken(const std::optional<Uuid>& subject, const Visitor<Token>& visit) const = 0;

  virtual Result<std::optional<Invitation>> FindInvitationByDigest(const Digest& custodian_digest) const = 0;
  virtual Status EachInvitation(const Uuid& subject, const Visitor<Invitation>& visit) const = 0;

  virtual Result<std::optional<Grant>> FindGrant(const Uuid& id) const = 0;
  virtual Status EachGrant(const GrantFilter& filter, const Visitor<Grant>& visit) const = 0;

  virtual Result<std::optional<Model>> FindModel(const Uuid& id) const = 0;
  virtual Result<std::optional<Model>> FindModelCalled(const Uuid& owner, std::string_view name) const = 0;
  virtual Status EachModel(const std::optional<Uuid>& owner, const Visitor<Model>& visit) const = 0;

  // InvalidArgument when `after` is no asset, or the query has more conditions than kConditionsMax.
  virtual Result<AssetPage> Search(const AssetQuery& query) const = 0;

  virtual Result<std::optional<Version>> FindVersion(const Uuid& id) const = 0;
  virtual Result<std::vector<Version>> VersionsOf(const Uuid& model) const = 0;
  virtual Result<std::vector<VersionFile>> FilesOf(const Uuid& version) const = 0;  // by path

  virtual Result<std::vector<Lineage>> ParentsOf(const Uuid& version) const = 0;
  virtual Result<std::vector<Lineage>> ChildrenOf(const Uuid& version) const = 0;

  // In the order in which they were queued: those that are not final, or, with `asset`, all of that asset;
  // those of checkpoints have none.
  virtual Result<std::vector<ChainAct>> OpenChainActs() const = 0;
  virtual Result<std::vector<ChainAct>> ChainActsOf(const Uuid& asset) const = 0;
  virtual Status EachChainAct(const Visitor<ChainAct>& visit) const = 0;

  virtual Result<std::optional<Run>> FindRun(const Uuid& id) const = 0;
  // Of the highest priority that waits, the oldest of the owner who comes next after that one: whoever has
  // thousands waiting has a turn like everybody else.
  virtual Result<std::optional<Run>> NextQueuedRun(const Uuid& after_owner) const = 0;
  // For who cannot do the next one: who has some waiting, by priority (the highest first) and owner, from
  // after that one on; and of one of these the oldest.
  virtual Result<std::vector<QueueTurn>> QueueTurns(const std::optional<QueueTurn>& after,
                                                    uint32_t limit) const = 0;
  virtual Result<std::vector<Run>> QueuedRuns(const QueueTurn& turn, uint32_t limit) const = 0;
  // The newest first. InvalidArgument when `after` is no run.
  virtual Result<std::vector<Run>> ListRuns(const RunQuery& query) const = 0;
  virtual Result<uint32_t> CountOpenRuns(const Uuid& owner) const = 0;
  virtual Status EachRun(const Visitor<Run>& visit) const = 0;

  // Lives as long as the catalog. Its transactions are its own: none may be open.
  virtual ledger::Journal& Journal() = 0;

  // Whether a version that is not erased has this blob among its files.
  virtual Result<bool> BlobIsUsed(const Digest& sha256) const = 0;

  virtual Result<Counts> Count(int64_t now_micros) const = 0;
  virtual Result<std::optional<std::string>> Setting(std::string_view key) const = 0;
  using SettingVisitor = std::function<Status(const std::string& key, const std::string& value)>;
  // By key, in the order of its bytes; the adapter's own among them.
  virtual Status EachSetting(const SettingVisitor& visit) const = 0;

  // Whether another process has committed since the last call (or since opening).
  virtual Result<bool> ChangedElsewhere() = 0;
};

// Keys of settings.
inline constexpr std::string_view kInstallationSetting = "installation";  // UUID as text
inline constexpr std::string_view kFirstOwnerSetting = "first_owner";     // UUID of the subject made by init

}  // namespace glasscase::catalog
