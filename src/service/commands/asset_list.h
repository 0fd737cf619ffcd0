// Lists of assets: what is asked for, fetched page by page, and shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command.h"

namespace glasscase::commands {

struct AssetFilter {
  std::string name, kind, digest, licence, ancestor, media_type, after;
  std::vector<std::string> tags, fields;
  uint32_t limit = 0;  // 0: all
};

// Every option of a filter but the name and the kind.
void DeclareFilter(CLI::App& command, AssetFilter& filter);

Result<Outcome> ListAssets(Context& context, const AssetFilter& filter, std::string_view when_empty);

}  // namespace glasscase::commands
