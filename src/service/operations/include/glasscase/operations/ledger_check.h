// Compares a catalog with the entries of its ledger, for fsck.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/catalog/catalog.h>
#include <glasscase/ledger/asset_map.h>

namespace glasscase::operations {

// Entries first, in order, then the comparison. One thread. Needs about 500 bytes of memory per entry.
class LedgerCheck {
 public:
  using Problem = std::function<void(std::string_view row, std::string_view what)>;

  // FailedPrecondition when it is a map entry whose root is not that of the entries before it;
  // InvalidArgument when it is no entry at all.
  Status Take(uint64_t index, std::string_view entry, const ledger::Hash& leaf);
  // One that is not published yet.
  Status TakeWaiting(std::string_view entry);
  const ledger::Hash& LeafAt(uint64_t index) const { return leaves_[index]; }

  // Every asset, version, lineage and grant has its entry that says the same, and none has entries without
  // rows. `each_version` is shown every version on the way.
  Status CompareWithCatalog(const catalog::Catalog& catalog, const Problem& problem,
                            const catalog::Visitor<catalog::Version>& each_version);

 private:
  // Of an entry, what is compared: there are a million of them.
  struct Act {
    std::string type;
    Uuid about{};                                 // the version or the grant; nil: the asset
    std::string kind{};                           // of an asset that is registered
    size_t parents = 0;                           // in the lineage of a version
    std::string context{};                        // of the salts
    std::map<std::string, std::string> hidden{};  // commitments by field
  };
  Status Note(boost::json::object said);
  void CompareAsset(const catalog::Model& model, const Problem& problem);
  void CompareDetails(const catalog::Model& model, const std::string& row, const Problem& problem) const;
  void CompareVersion(const catalog::Model& model, const std::string& name, const catalog::Version& version,
                      const Problem& problem);
  void CompareGrant(const catalog::Model& model, const catalog::Grant& grant, const Problem& problem);
  void Compare(const std::string& row, const Act& act, const catalog::Model& model,
               const std::map<std::string, std::string>& values, const Problem& problem) const;
  const std::string& SubjectName(const Uuid& id);
  const Act* Last(const Uuid& asset, std::string_view type, const Uuid& about) const;

  const catalog::Catalog* catalog_ = nullptr;  // while it is compared
  ledger::AssetMap map_;
  std::vector<ledger::Hash> leaves_;
  std::unordered_map<Uuid, std::vector<Act>, UuidHash> acts_;      // by asset
  std::unordered_map<Uuid, std::string, UuidHash> subject_names_;  // those that were asked for
};

}  // namespace glasscase::operations
