// Compares a catalog with the entries of its ledger, for fsck.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/catalog/catalog.h>
#include <glasscase/ledger/asset_map.h>

namespace glasscase::operations {

// Entries first, in order, then the comparison. One thread.
class LedgerCheck {
 public:
  using Problem = std::function<void(std::string_view row, std::string_view what)>;

  explicit LedgerCheck(const catalog::Catalog& catalog) : catalog_(catalog) {}

  // FailedPrecondition when it is a map entry whose root is not that of the entries before it;
  // InvalidArgument when it is no entry at all.
  Status Take(uint64_t index, std::string_view entry, const ledger::Hash& leaf);
  // One that is not published yet.
  Status TakeWaiting(std::string_view entry);
  const ledger::Hash& LeafAt(uint64_t index) const { return leaves_[index]; }

  // Every asset, version, lineage and grant has its entry that says the same, and none has entries without
  // rows.
  Status CompareWithCatalog(const Problem& problem) const;

 private:
  struct Act {
    std::string type;
    std::string text;
    boost::json::object said;
  };
  Status Note(std::string_view entry);
  void CompareAsset(const catalog::Model& model, const Problem& problem) const;
  void CompareVersion(const catalog::Model& model, const std::string& name, const catalog::Version& version,
                      const Problem& problem) const;
  void CompareGrant(const catalog::Model& model, const catalog::Grant& grant, const Problem& problem) const;
  const Act* Last(const Uuid& asset, std::string_view type, std::string_view member,
                  std::string_view value) const;

  const catalog::Catalog& catalog_;
  ledger::AssetMap map_;
  std::vector<ledger::Hash> leaves_;
  std::map<Uuid, std::vector<Act>> acts_;  // by asset
};

}  // namespace glasscase::operations
