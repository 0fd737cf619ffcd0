// What the acts write into the ledger (api/formats/ledger-entry.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/catalog/catalog.h>
#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/disclosure.h>
#include <glasscase/ledger/entry.h>

namespace glasscase::operations {

// An entry being put together. What stands in the clear is seen by everybody who reads the log; what is
// hidden is a commitment that the owner opens when they want to.
class EntryDraft {
 public:
  EntryDraft(std::string_view type, const catalog::Model& asset, int64_t now_micros);
  EntryDraft(std::string_view type, int64_t now_micros);  // about no asset: it has nothing to hide

  EntryDraft& Say(std::string_view name, std::string_view value);
  EntryDraft& Hide(std::string_view name, std::string_view value);
  EntryDraft& About(const catalog::Version& version);
  // An edge of the lineage to a version of another asset, whose history gets the entry too.
  EntryDraft& From(const catalog::Lineage& edge, const Uuid& parents_asset);
  // What a log was seen to end with, of which this one is the continuation.
  EntryDraft& After(const ledger::Checkpoint& last);

  Status Queue(catalog::Transaction& transaction) const;

 private:
  std::optional<Digest> secret_;
  boost::json::object said_;
  std::map<std::string, std::string, std::less<>> hidden_;
  std::vector<Uuid> assets_;
};

EntryDraft RegisteredEntry(const catalog::Model& asset, std::string_view full_name, int64_t now_micros);
EntryDraft VersionEntry(const catalog::Model& asset, std::string_view full_name,
                        const catalog::Version& version, int64_t now_micros);
// Which version or grant an entry is about; nil: the asset itself.
Uuid AboutOf(const boost::json::object& said);
// What the salts of an entry depend on: everything that it says in the clear, so no two fields of an asset's
// entries share one.
Result<std::string> SaltContext(boost::json::object said);

// What is said of the asset from now on: all of it, not what changed.
EntryDraft CardEntry(const catalog::Model& asset, const catalog::ModelDetails& details, int64_t now_micros);
// The hidden fields of the entries that speak of them; what is empty is not there.
std::map<std::string, std::string> HiddenOf(const catalog::ModelDetails& details);
std::map<std::string, std::string> HiddenOf(const catalog::Version& version);
// "predict 100/min until 2027-01-01T00:00:00Z"
std::string TermsOf(const catalog::Grant& grant);
EntryDraft GrantEntry(const catalog::Model& asset, const catalog::Grant& grant, std::string_view subject,
                      int64_t now_micros);
EntryDraft GrantWithdrawnEntry(const catalog::Model& asset, const Uuid& grant, int64_t now_micros);

// The words of the lineage, in entries and in answers: "trained_on".
std::string_view RelationName(catalog::Relation relation);
std::optional<catalog::Relation> RelationCalled(std::string_view name);

// The entry with the values of its hidden fields that are given, and their salts: what a receipt carries. A
// value that is not the committed one is left out.
Result<ledger::Disclosure> Disclose(const std::string& entry, const std::optional<Digest>& secret,
                                    const std::map<std::string, std::string>& values);

}  // namespace glasscase::operations
