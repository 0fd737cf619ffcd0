#include "lineage.h"

#include <algorithm>

#include "ledger_entries.h"
#include "table_rows.h"
#include "visibility.h"

namespace glasscase::operations {
namespace {

constexpr int kParentsMax = 64;

Result<Parent> FindParent(Desk& desk, Act& act, const rpc::LineageClaim& claim) {
  const auto relation = RelationCalled(claim.relation());
  if (!relation)
    return Fail(Error::InvalidArgument(
        "relation \"" + Printable(claim.relation()) +
        "\" is none of derived_from, trained_on, tested_on, translated_from, released_as"));
  GC_TRY(const NamedModel named, FindModel(desk, act, claim.parent()));
  if (named.version)
    return Parent{.relation = *relation, .version = named.version->id, .asset = named.model.id};
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  const catalog::Version* by_default = DefaultVersion(named.model, versions);
  if (by_default == nullptr)
    return Fail(
        Error::FailedPrecondition(named.FullName() + " has no version in use; name one, as in NAME@VERSION"));
  return Parent{.relation = *relation, .version = by_default->id, .asset = named.model.id};
}

Result<rpc::LineageEdge> Describe(Desk& desk, const Act& act, const catalog::Lineage& edge,
                                  const Uuid& other) {
  rpc::LineageEdge message;
  message.set_relation(std::string(RelationName(edge.relation)));
  message.set_by(edge.witnessed ? "witnessed" : "claimed");
  message.set_version(other.ToString());
  GC_TRY(const auto version, desk.catalog.FindVersion(other));
  if (!version) return message;
  GC_TRY(const auto model, desk.catalog.FindModel(version->model));
  if (!model) return message;
  GC_TRY(const bool visible, IsVisible(desk, act, *model, *version));
  if (visible) message.set_name(desk.SubjectName(model->owner) + "/" + model->name + "@" + version->label);
  return message;
}

}  // namespace

Result<std::vector<Parent>> FindParents(Desk& desk, Act& act,
                                        const google::protobuf::RepeatedPtrField<rpc::LineageClaim>& claims) {
  if (claims.size() > kParentsMax)
    return Fail(Error::InvalidArgument("lineage: at most " + std::to_string(kParentsMax) + " parents"));
  std::vector<Parent> parents;
  for (const rpc::LineageClaim& claim : claims) {
    GC_TRY(const Parent parent, FindParent(desk, act, claim));
    const bool is_known = std::any_of(parents.begin(), parents.end(), [&](const Parent& known) {
      return known.version == parent.version && known.relation == parent.relation;
    });
    if (!is_known) parents.push_back(parent);
  }
  return parents;
}

Status DescribeLineage(Desk& desk, const Act& act, const Uuid& version, rpc::Version& message) {
  GC_TRY(const auto parents, desk.catalog.ParentsOf(version));
  for (const catalog::Lineage& edge : parents) {
    GC_TRY(*message.add_parents(), Describe(desk, act, edge, edge.parent));
  }
  GC_TRY(const auto children, desk.catalog.ChildrenOf(version));
  for (const catalog::Lineage& edge : children) {
    GC_TRY(*message.add_children(), Describe(desk, act, edge, edge.child));
  }
  return Ok();
}

}  // namespace glasscase::operations
