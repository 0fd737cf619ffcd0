// What of the catalog each process has in its access table: edges everything that counts, a host only its
// owner's models and who may call them.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <glasscase/access/table.h>
#include <glasscase/catalog/catalog.h>
#include <glasscase/core/error.h>

namespace glasscase::operations {

// Rows that were inserted, altered or withdrawn. The rows themselves are read from the catalog when the
// change is told, so what is told is always what was committed.
struct TableChange {
  std::vector<Uuid> subjects;
  std::vector<Uuid> tokens;
  std::vector<Uuid> models;
  std::vector<Uuid> grants;
  bool empty() const { return subjects.empty() && tokens.empty() && models.empty() && grants.empty(); }
};

// Takes an update in parts that fit into a frame, in order; `more` is false for the last.
using PartSink = std::function<void(const access::TableUpdate&, bool more)>;

// `host_slot` empty: for an edge.
Status WriteWholeTable(const catalog::Catalog& catalog, std::optional<uint32_t> host_slot,
                       const PartSink& sink);
// Gives no part when the change does not concern the process.
Status WriteChange(const catalog::Catalog& catalog, const TableChange& change,
                   std::optional<uint32_t> host_slot, const PartSink& sink);

// The version that answers when none is named: the one that was set, else the newest that is neither retired
// nor erased (also when it is disabled: an older one must not take its place unasked). Null when there is
// none.
const catalog::Version* DefaultVersion(const catalog::Model& model,
                                       const std::vector<catalog::Version>& versions);

access::ModelRow ToRow(const catalog::Model& model, const catalog::Subject& owner,
                       const std::vector<catalog::Version>& versions);
// About how many bytes the row takes in a frame, which must hold it whole.
size_t RowBytes(const access::ModelRow& row);
inline constexpr size_t kPartBytes = size_t{384} << 10;
inline constexpr size_t kModelRowBytesMax = size_t{512} << 10;

}  // namespace glasscase::operations
