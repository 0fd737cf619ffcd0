#include "asset_list.h"

#include <algorithm>

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr uint32_t kPageMax = 500;  // that the server gives at once

using Row = std::vector<std::string>;

std::string OrDash(std::string text) { return text.empty() ? "-" : std::move(text); }

std::string Query(const AssetFilter& filter, const std::string& after, uint32_t limit) {
  std::string query = "?limit=" + std::to_string(limit);
  const auto add = [&](const char* member, const std::string& value) {
    if (!value.empty()) query += "&" + std::string(member) + "=" + PercentEncode(value);
  };
  add("kind", filter.kind);
  add("name", filter.name);
  for (const std::string& tag : filter.tags) add("tag", tag);
  add("digest", filter.digest);
  add("licence", filter.licence);
  add("ancestor", filter.ancestor);
  add("media_type", filter.media_type);
  for (const std::string& field : filter.fields) add("field", field);
  add("after", after);
  return query;
}

// What was found, and how to go on when there is more than was asked for.
struct Found {
  json::array assets;
  std::string next;
};

Result<Found> Fetch(Api& api, const AssetFilter& filter) {
  Found found{.assets = {}, .next = filter.after};
  while (true) {
    const size_t left = filter.limit == 0 ? kPageMax : filter.limit - found.assets.size();
    const uint32_t limit = static_cast<uint32_t>(std::min<size_t>(left, kPageMax));
    GC_TRY(const json::value answer, api.Get("/glasscase/v1/models" + Query(filter, found.next, limit)));
    const json::array& page = ArrayOf(answer, "models");
    found.assets.insert(found.assets.end(), page.begin(), page.end());
    const std::string next = TextOf(answer, "next");
    const bool goes_on = !next.empty() && next != found.next;
    found.next = next;
    if (!goes_on || (filter.limit != 0 && found.assets.size() >= filter.limit)) return found;
  }
}

Row AssetRow(const json::value& asset) {
  std::vector<std::string> versions;
  for (const auto& version : ArrayOf(asset, "versions")) {
    const std::string state = ShownOf(version, "state");
    versions.push_back(ShownOf(version, "version") +
                       (state.empty() || state == "published" ? "" : " (" + state + ")"));
  }
  return {ShownOf(asset, "name"), OrDash(ShownOf(asset, "default_version")), OrDash(Join(versions, ", ")),
          ShownOf(asset, "id")};
}

void PrintTable(const Context& context, const Found& found, bool with_kind, std::string_view when_empty) {
  std::vector<Row> rows = {{"NAME", "DEFAULT", "VERSIONS", "ID"}};
  if (with_kind) rows[0].insert(rows[0].begin() + 1, "KIND");
  for (const auto& asset : found.assets) {
    rows.push_back(AssetRow(asset));
    if (with_kind) rows.back().insert(rows.back().begin() + 1, ShownOf(asset, "kind"));
  }
  context.console.PrintTable(rows, when_empty);
}

}  // namespace

void DeclareFilter(CLI::App& command, AssetFilter& filter) {
  command.add_option("--tag", filter.tags, "With this tag; may be repeated")->type_name("WORD");
  command.add_option("--digest", filter.digest, "With this SHA-256, of a version or of a file in it")
      ->type_name("HEX");
  command.add_option("--licence", filter.licence, "With this licence")->type_name("TEXT");
  command.add_option("--ancestor", filter.ancestor, "Made from this, at any distance")
      ->type_name("ASSET[@V]");
  command.add_option("--media-type", filter.media_type, "Of this type")->type_name("TYPE");
  command.add_option("--field", filter.fields, "With this free field; may be repeated")
      ->type_name("KEY=VALUE");
  // Its description, in capitals, would be shown as a part of the type.
  const CLI::Validator positive = CLI::Validator(CLI::PositiveNumber).description("");
  command.add_option("--limit", filter.limit, "At most so many (default: all)")
      ->check(positive)
      ->type_name("N");
  command.add_option("--after", filter.after, "Begin after this one: the id in the last row before")
      ->type_name("ID");
}

Result<Outcome> ListAssets(Context& context, const AssetFilter& filter, std::string_view when_empty) {
  GC_TRY(Api * api, context.Public());
  GC_TRY(const Found found, Fetch(*api, filter));
  if (context.console.json) {
    context.console.PrintJson(found.assets);
    return Done();
  }
  PrintTable(context, found, filter.kind.empty(), when_empty);
  if (!found.next.empty()) context.console.Note("there are more: add --after " + Visible(found.next));
  return Done();
}

}  // namespace glasscase::commands
