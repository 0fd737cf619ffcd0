// Assets: listed and searched for, as far as the caller may see.
#include <algorithm>
#include <charconv>
#include <set>

#include <glasscase/catalog/search.h>

#include "describe.h"
#include "details.h"
#include "models.h"
#include "names.h"
#include "routes.h"
#include "visibility.h"

namespace glasscase::operations {
namespace {

using catalog::Folded;

constexpr uint32_t kPageDefault = 100;
constexpr uint32_t kPageMax = 500;
constexpr size_t kAnswerBytes = size_t{256} << 10;  // a page ends when it has more
constexpr int kPagesLookedAt = 20;                  // of the catalog, for one answer
constexpr size_t kAncestorsMax = 10'000;            // walked up for others than the owner

Result<uint32_t> LimitFrom(const std::string& text) {
  if (text.empty()) return kPageDefault;
  uint32_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit == 0 || limit > kPageMax)
    return Fail(Error::InvalidArgument("limit must be a whole number from 1 to " + std::to_string(kPageMax) +
                                       ": \"" + Printable(text) + "\""));
  return limit;
}

Result<catalog::AssetKind> KindFrom(const std::string& text) {
  if (text == KindName(catalog::AssetKind::kModel)) return catalog::AssetKind::kModel;
  if (text == KindName(catalog::AssetKind::kDataset)) return catalog::AssetKind::kDataset;
  return Fail(Error::InvalidArgument("kind must be model or dataset: \"" + Printable(text) + "\""));
}

Result<catalog::Field> FieldFrom(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == text.npos)
    return Fail(Error::InvalidArgument("field must be key=value: \"" + Printable(text) + "\""));
  catalog::Field field{.key = text.substr(0, equals), .value = text.substr(equals + 1)};
  GC_TRY_VOID(CheckField(field));
  return field;
}

// A UUID is taken as it is: who sees a version sees the UUIDs of what it was made from.
Result<Uuid> AncestorFrom(Desk& desk, Act& act, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  GC_TRY(const NamedModel named, FindModel(desk, act, text));
  act.object.clear();
  return named.version ? named.version->id : named.model.id;
}

Result<catalog::AssetQuery> QueryFrom(Desk& desk, Act& act) {
  const rpc::ListModelsRequest& request = act.request.list_models();
  catalog::AssetQuery query{.name_part = request.name(),
                            .licence = request.licence(),
                            .media_type = request.media_type(),
                            .now_micros = desk.now()};
  query.tags.assign(request.tag().begin(), request.tag().end());
  for (const std::string& field : request.field()) {
    GC_TRY(query.fields.emplace_back(), FieldFrom(field));
  }
  if (!request.kind().empty()) {
    GC_TRY(query.kind, KindFrom(request.kind()));
  }
  if (!request.digest().empty()) {
    GC_TRY(query.digest, Named("digest", DigestFromHex(request.digest())));
  }
  if (!request.ancestor().empty()) {
    GC_TRY(query.ancestor, AncestorFrom(desk, act, request.ancestor()));
  }
  if (!request.after().empty()) {
    GC_TRY(query.after, Named("after", Uuid::Parse(request.after())));
  }
  GC_TRY(query.limit, LimitFrom(request.limit()));
  if (!act.Is(access::kOperator)) query.seen_by = act.caller->id;
  return query;
}

Result<bool> DescendsFrom(Desk& desk, const Uuid& version, const Uuid& ancestor) {
  std::vector<Uuid> waiting = {version};
  std::set<Uuid> seen(waiting.begin(), waiting.end());
  while (!waiting.empty() && seen.size() < kAncestorsMax) {
    GC_TRY(const auto parents, desk.catalog.ParentsOf(waiting.back()));
    waiting.pop_back();
    for (const catalog::Lineage& edge : parents) {
      if (!seen.insert(edge.parent).second) continue;
      GC_TRY(const auto parent, desk.catalog.FindVersion(edge.parent));
      if (edge.parent == ancestor || (parent && parent->model == ancestor)) return true;
      waiting.push_back(edge.parent);
    }
  }
  return false;
}

Result<bool> HasDigest(Desk& desk, const catalog::Version& version, const Digest& digest) {
  if (version.sha256 == digest || version.manifest_digest == digest) return true;
  GC_TRY(const auto files, desk.catalog.FilesOf(version.id));
  return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.sha256 == digest; });
}

bool HasField(const std::vector<catalog::Field>& fields, const catalog::Field& wanted) {
  return std::any_of(fields.begin(), fields.end(), [&](const catalog::Field& field) {
    return field.value == wanted.value && Folded(field.key) == Folded(wanted.key);
  });
}

// What the catalog says of an asset is of all its versions. That of versions which the caller may not see
// must not be learnt by asking.
class SeenConditions {
 public:
  SeenConditions(Desk& desk, const catalog::AssetQuery& query, const catalog::Model& model,
                 const std::vector<catalog::Version>& visible)
      : desk_(desk), query_(query), model_(model), visible_(visible) {}

  Result<bool> Hold() const {
    if (visible_.empty()) return false;
    if (!query_.media_type.empty()) {
      const auto has_type = [&](const catalog::Version& version) {
        return Folded(version.media_type) == Folded(query_.media_type);
      };
      if (std::none_of(visible_.begin(), visible_.end(), has_type)) return false;
    }
    for (const catalog::Field& wanted : query_.fields) {
      const auto has_field = [&](const catalog::Version& version) {
        return HasField(version.fields, wanted);
      };
      if (!HasField(model_.fields, wanted) && std::none_of(visible_.begin(), visible_.end(), has_field))
        return false;
    }
    return HoldOfOne();
  }

 private:
  Result<bool> HoldOfOne() const {
    bool has_digest = !query_.digest;
    bool descends = !query_.ancestor;
    for (const catalog::Version& version : visible_) {
      if (!has_digest) {
        GC_TRY(has_digest, HasDigest(desk_, version, *query_.digest));
      }
      if (!descends) {
        GC_TRY(descends, DescendsFrom(desk_, version.id, *query_.ancestor));
      }
    }
    return has_digest && descends;
  }

  Desk& desk_;
  const catalog::AssetQuery& query_;
  const catalog::Model& model_;
  const std::vector<catalog::Version>& visible_;
};

Result<bool> IsFoundFor(Desk& desk, const Act& act, const catalog::AssetQuery& query,
                        const catalog::Model& model) {
  if (SeesAll(act, model)) return true;
  GC_TRY(const auto versions, desk.catalog.VersionsOf(model.id));
  GC_TRY(const auto visible, VisibleVersions(desk, act, model, versions));
  return SeenConditions(desk, query, model, visible).Hold();
}

Status AddModel(Desk& desk, const Act& act, const catalog::Model& model, rpc::ListModelsAnswer& answer) {
  GC_TRY(const auto owner, desk.catalog.FindSubject(model.owner));
  if (!owner) return Fail(Error::DataLoss("model without an owner: " + model.id.ToString()));
  GC_TRY(*answer.add_models(), DescribeFor(desk, act, {.model = model, .owner = *owner, .version = {}},
                                           {.with_ledger_state = false}));
  return Ok();
}

}  // namespace

Result<Outcome> ListModels(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(catalog::AssetQuery query, QueryFrom(desk, act));
  GC_TRY_VOID(desk.Permit(act));
  Outcome outcome;
  rpc::ListModelsAnswer& answer = *outcome.answer.mutable_models();
  const uint32_t wanted = query.limit;
  size_t bytes = 0;
  for (int pages = 0; pages < kPagesLookedAt; ++pages) {
    GC_TRY(const catalog::AssetPage page, desk.catalog.Search(query));
    for (size_t i = 0; i < page.assets.size(); ++i) {
      const catalog::Model& model = page.assets[i];
      query.after = model.id;
      GC_TRY(const bool found, IsFoundFor(desk, act, query, model));
      if (!found) continue;
      GC_TRY_VOID(AddModel(desk, act, model, answer));
      bytes += answer.models().rbegin()->ByteSizeLong();
      const bool full = answer.models_size() == static_cast<int>(wanted) || bytes > kAnswerBytes;
      if (!full) continue;
      if (page.more || i + 1 < page.assets.size()) answer.set_next(model.id.ToString());
      return outcome;
    }
    if (!page.more) return outcome;
  }
  answer.set_next(query.after->ToString());
  return outcome;
}

}  // namespace glasscase::operations
