#include "lineage_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

struct Strokes {
  const char* branch;  // a neighbour that others follow
  const char* last;    // the last one
  const char* trunk;   // below a neighbour that others follow
  const char* space;   // below the last one
  const char* more;    // before the number of those that are not there
};
constexpr Strokes kBoxStrokes = {"├─ ", "└─ ", "│  ", "   ", "… "};
constexpr Strokes kAsciiStrokes = {"+- ", "`- ", "|  ", "   ", "... "};

enum class Way : uint8_t { kUp, kDown };

class Tree {
 public:
  Tree(const json::value& graph, Lines lines) : strokes_(lines == Lines::kBox ? kBoxStrokes : kAsciiStrokes) {
    for (const json::value& node : ArrayOf(graph, "nodes")) nodes_[TextOf(node, "version")] = &node;
    for (const json::value& link : ArrayOf(graph, "links")) {
      up_[TextOf(link, "child")].push_back(&link);
      down_[TextOf(link, "parent")].push_back(&link);
    }
  }

  std::string Draw(const std::string& root) {
    std::string text;
    for (const Way way : {Way::kUp, Way::kDown}) {
      if (Count(root, way) == 0) continue;
      text += way == Way::kUp ? "made from\n" : "made from it\n";
      drawn_ = {root};
      DrawBelow(root, way, "", text);
    }
    return text;
  }

 private:
  const std::vector<const json::value*>& Links(const std::string& version, Way way) const {
    static const std::vector<const json::value*> none;
    const auto& links = way == Way::kUp ? up_ : down_;
    const auto found = links.find(version);
    return found == links.end() ? none : found->second;
  }
  int64_t More(const std::string& version, Way way) const {
    const auto node = nodes_.find(version);
    if (node == nodes_.end()) return 0;
    return IntegerOf(*node->second, way == Way::kUp ? "more_parents" : "more_children");
  }
  int64_t Count(const std::string& version, Way way) const {
    return static_cast<int64_t>(Links(version, way).size()) + More(version, way);
  }

  void DrawBelow(const std::string& version, Way way, const std::string& indent, std::string& text) {
    int64_t left = Count(version, way);
    for (const json::value* link : Links(version, way)) {
      const bool is_last = --left == 0;
      const std::string other = TextOf(*link, way == Way::kUp ? "parent" : "child");
      const bool is_new = drawn_.insert(other).second;
      const bool is_cut = !is_new && Count(other, way) > 0;
      text += indent + (is_last ? strokes_.last : strokes_.branch) + Words(*link, other, way) +
              (is_cut ? ", see above" : "") + "\n";
      if (is_new) DrawBelow(other, way, indent + (is_last ? strokes_.space : strokes_.trunk), text);
    }
    if (const int64_t more = More(version, way); more > 0)
      text += indent + strokes_.last + strokes_.more + std::to_string(more) + " more\n";
  }

  std::string Words(const json::value& link, const std::string& other, Way way) const {
    const std::string relation = RelationOf(link);
    const std::string by = " (" + ShownOf(link, "by") + ")";
    if (way == Way::kUp) return relation + " " + NameOf(other) + by;
    return NameOf(other) + ", " + relation + " it" + by;
  }

  // "trained on", for what an answer calls trained_on; each reads on to the parent.
  static std::string RelationOf(const json::value& link) {
    std::string relation = ShownOf(link, "relation");
    if (relation == "released_as") return "release of";
    std::replace(relation.begin(), relation.end(), '_', ' ');
    return relation;
  }

  // With the state when it is not the usual one; the UUID of what the caller may not see.
  std::string NameOf(const std::string& version) const {
    const auto node = nodes_.find(version);
    if (node == nodes_.end() || TextOf(*node->second, "name").empty()) return Visible(version);
    const std::string state = ShownOf(*node->second, "state");
    return ShownOf(*node->second, "name") + (state == "published" ? "" : " [" + state + "]");
  }

  const Strokes& strokes_;
  std::map<std::string, const json::value*> nodes_;
  std::map<std::string, std::vector<const json::value*>> up_, down_;
  std::set<std::string> drawn_;
};

}  // namespace

Lines LinesOf(const Context& context) {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale = context.Environment(variable);
    if (locale.empty()) continue;
    std::transform(locale.begin(), locale.end(), locale.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    const bool is_utf8 = locale.find("utf-8") != locale.npos || locale.find("utf8") != locale.npos;
    return is_utf8 ? Lines::kBox : Lines::kAscii;
  }
  return Lines::kAscii;
}

std::string DrawLineage(const json::value& graph, Lines lines) {
  return Tree(graph, lines).Draw(TextOf(graph, "version"));
}

}  // namespace glasscase::commands
