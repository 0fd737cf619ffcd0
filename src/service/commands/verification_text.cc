#include "verification_text.h"

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

std::string Meaning(const std::string& found, const json::value& files) {
  const json::value& same = ValueOf(files, "same_bytes");
  if (found == "B")
    return same.is_bool() && same.get_bool() ? "the same bytes" : "the same bits, in canonical form";
  if (found == "T") return "the same within the tolerance";
  return "neither the same nor within the tolerance";
}

void AddComparison(const std::string& what, const json::value& found, std::vector<std::string>& lines) {
  const std::string different = ShownOf(found, "different");
  if (different.empty()) return;
  const std::string path = ShownOf(found, "path");
  lines.push_back(what + (path.empty() ? "" : " " + path) + ": " + different + " was " +
                  ShownOf(found, "original") + ", is " + ShownOf(found, "repeated"));
  if (IntegerOf(found, "numbers") > 0)
    lines.push_back("largest difference of " + std::to_string(IntegerOf(found, "numbers")) +
                    " numbers: " + FormatNumber(NumberOf(found, "absolute_max")) + ", relative " +
                    FormatNumber(NumberOf(found, "relative_max")));
}

}  // namespace

std::vector<std::string> VerificationLines(const json::value& evidence) {
  const std::string found = ShownOf(evidence, "class");
  const json::value& files = ValueOf(evidence, "files");
  std::vector<std::string> lines = {"class " + found + ": " + Meaning(found, files)};
  AddComparison("result", files, lines);
  AddComparison("predictions", ValueOf(evidence, "predictions"), lines);
  for (const json::value& tried : ArrayOf(evidence, "pins_tried"))
    lines.push_back("tried with " + ShownOf(tried, "pin") + ": class " + ShownOf(tried, "class"));
  if (found == "B") return lines;
  const std::string missing = ShownOf(evidence, "missing_pin");
  lines.push_back(missing.empty()
                      ? "no pin of a recipe makes it the same: the program draws on something else, such as "
                        "the clock or the machine's random numbers"
                      : "what is missing in the recipe: " + missing);
  return lines;
}

}  // namespace glasscase::commands
