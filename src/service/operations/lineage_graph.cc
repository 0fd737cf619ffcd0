// The lineage of a version as a graph, both ways.
#include <deque>
#include <map>

#include "describe.h"
#include "ledger_entries.h"
#include "routes.h"
#include "table_rows.h"
#include "visibility.h"

namespace glasscase::operations {
namespace {

constexpr int kDepthMax = 16;
constexpr size_t kWidthMax = 32;   // edges of one node in one direction
constexpr size_t kNodesMax = 200;  // in all

enum class Way : uint8_t { kParents, kChildren };

// Walks from a version up, then down, and puts what it meets into an answer.
class LineageWalk {
 public:
  LineageWalk(Desk& desk, const Act& act, rpc::LineageAnswer& answer)
      : desk_(desk), act_(act), answer_(answer) {}

  Status From(const Uuid& version) {
    answer_.set_version(version.ToString());
    GC_TRY_VOID(Meet(version));
    GC_TRY_VOID(Walk(version, Way::kParents));
    return Walk(version, Way::kChildren);
  }

 private:
  struct Place {
    Uuid version;
    int depth = 0;
  };

  Status Walk(const Uuid& from, Way way) {
    std::deque<Place> waiting = {{.version = from, .depth = 0}};
    while (!waiting.empty()) {
      const Place place = waiting.front();
      waiting.pop_front();
      GC_TRY(const auto edges, way == Way::kParents ? desk_.catalog.ParentsOf(place.version)
                                                    : desk_.catalog.ChildrenOf(place.version));
      size_t shown = 0;
      for (const catalog::Lineage& edge : edges) {
        const Uuid& other = way == Way::kParents ? edge.parent : edge.child;
        const bool is_new = !nodes_.contains(other);
        if (shown == kWidthMax || place.depth == kDepthMax || (is_new && nodes_.size() == kNodesMax))
          continue;
        ++shown;
        if (is_new) {
          GC_TRY(const bool visible, Meet(other));
          if (visible) waiting.push_back({.version = other, .depth = place.depth + 1});
        }
        AddLink(edge);
      }
      NoteMore(place.version, way, edges.size() - shown);
    }
    return Ok();
  }

  // Whether the caller may see it.
  Result<bool> Meet(const Uuid& id) {
    nodes_[id] = answer_.nodes_size();
    rpc::LineageNode& node = *answer_.add_nodes();
    node.set_version(id.ToString());
    GC_TRY(const auto version, desk_.catalog.FindVersion(id));
    if (!version) return false;
    GC_TRY(const auto model, desk_.catalog.FindModel(version->model));
    if (!model) return false;
    GC_TRY(const bool visible, IsVisible(desk_, act_, *model, *version));
    if (!visible) return false;
    node.set_name(desk_.SubjectName(model->owner) + "/" + model->name + "@" + version->label);
    node.set_kind(std::string(KindName(model->kind)));
    node.set_state(std::string(StateName(version->state)));
    return true;
  }

  void AddLink(const catalog::Lineage& edge) {
    rpc::LineageLink& link = *answer_.add_links();
    link.set_child(edge.child.ToString());
    link.set_parent(edge.parent.ToString());
    link.set_relation(std::string(RelationName(edge.relation)));
    link.set_by(edge.witnessed ? "witnessed" : "claimed");
  }

  void NoteMore(const Uuid& version, Way way, size_t more) {
    rpc::LineageNode& node = *answer_.mutable_nodes(nodes_[version]);
    way == Way::kParents ? node.set_more_parents(static_cast<uint32_t>(more))
                         : node.set_more_children(static_cast<uint32_t>(more));
  }

  Desk& desk_;
  const Act& act_;
  rpc::LineageAnswer& answer_;
  std::map<Uuid, int> nodes_;  // to their place in the answer
};

}  // namespace

Result<Outcome> ShowLineage(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindModel(desk, act, act.request.lineage().model()));
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  const catalog::Version* version = named.version ? &*named.version : DefaultVersion(named.model, versions);
  if (version == nullptr)
    return Fail(Error::NotFound(named.FullName() + " has no version in use; name one, as in NAME@VERSION"));
  GC_TRY(const bool visible, IsVisible(desk, act, named.model, *version));
  if (!visible)
    return act.Refuse(
        access::Reason::kVersionNotGranted,
        Error::NotFound(named.FullName() + " has no version \"" + version->label +
                        "\" that you may see; `glasscase show " + named.FullName() + "` lists those"));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  GC_TRY_VOID(LineageWalk(desk, act, *outcome.answer.mutable_lineage()).From(version->id));
  return outcome;
}

}  // namespace glasscase::operations
