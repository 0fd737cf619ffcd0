#include "visibility.h"

#include <algorithm>

#include "table_rows.h"

namespace glasscase::operations {

using catalog::VersionState;

bool SeesAll(const Act& act, const catalog::Model& model) {
  return act.Is(access::kOperator) || model.owner == act.caller->id;
}

Result<std::vector<catalog::Version>> VisibleVersions(Desk& desk, const Act& act, const catalog::Model& model,
                                                      const std::vector<catalog::Version>& versions) {
  if (SeesAll(act, model)) return versions;
  std::vector<Uuid> granted;
  const catalog::Version* by_default = DefaultVersion(model, versions);
  GC_TRY_VOID(desk.catalog.EachGrant({.subject = act.caller->id, .model = model.id, .with_revoked = false},
                                     [&](const catalog::Grant& grant) {
                                       if (grant.expires_micros != 0 && grant.expires_micros <= desk.now())
                                         return Ok();
                                       if (!grant.version.IsNil()) granted.push_back(grant.version);
                                       if (grant.version.IsNil() && by_default != nullptr)
                                         granted.push_back(by_default->id);
                                       return Ok();
                                     }));
  std::vector<catalog::Version> visible;
  std::copy_if(versions.begin(), versions.end(), std::back_inserter(visible),
               [&](const catalog::Version& version) {
                 return version.state != VersionState::kErased && version.state != VersionState::kRetired &&
                        std::find(granted.begin(), granted.end(), version.id) != granted.end();
               });
  return visible;
}

Result<bool> IsVisible(Desk& desk, const Act& act, const catalog::Model& model,
                       const catalog::Version& version) {
  if (SeesAll(act, model)) return true;
  GC_TRY(const auto versions, desk.catalog.VersionsOf(model.id));
  GC_TRY(const auto visible, VisibleVersions(desk, act, model, versions));
  return std::any_of(visible.begin(), visible.end(),
                     [&](const catalog::Version& seen) { return seen.id == version.id; });
}

}  // namespace glasscase::operations
