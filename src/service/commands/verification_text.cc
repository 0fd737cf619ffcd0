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

std::string Listed(const json::value& evidence, std::string_view member) {
  return Join(ShownTextsOf(evidence, member), ", ");
}

// Version 1 knew no cause but pins.
std::string CauseOf(const json::value& evidence) {
  std::string cause = TextOf(evidence, "cause");
  if (!cause.empty()) return cause;
  return TextOf(evidence, "missing_pin").empty() ? "program" : "pin";
}

std::string MachinesLine(const json::value& evidence) {
  const std::string differs = Listed(evidence, "machine_differs");
  const std::string candidates = Listed(evidence, "candidate_pins");
  const std::string line = "this machine repeats itself, " +
                           (differs.empty() ? "and nothing is known of the first one"
                                            : "the first one was another (" + differs + ")") +
                           "; ";
  if (candidates.empty()) return line + "the recipe leaves no pin open that could hold both to the same";
  return line + "the recipe leaves open " + candidates +
         ": which of them holds both to the same shows when it is executed with it on both";
}

std::string CauseLine(const json::value& evidence) {
  const std::string cause = CauseOf(evidence);
  if (cause == "machine") return MachinesLine(evidence);
  if (cause == "change")
    return "this machine repeats itself, and is one like that of the first time: something else has changed "
           "since, or the difference is a rare one";
  if (cause == "pin") return "what is missing in the recipe: " + ShownOf(evidence, "missing_pin");
  return "no pin of a recipe makes it the same: the program draws on something else, such as the clock or "
         "the "
         "machine's random numbers";
}

}  // namespace

std::vector<std::string> VerificationLines(const json::value& evidence) {
  const std::string found = ShownOf(evidence, "class");
  const json::value& files = ValueOf(evidence, "files");
  std::vector<std::string> lines = {"class " + found + ": " + Meaning(found, files)};
  AddComparison("result", files, lines);
  AddComparison("predictions", ValueOf(evidence, "predictions"), lines);
  if (const std::string unread = ShownOf(evidence, "predictions_unread"); !unread.empty())
    lines.push_back("predictions: not compared, those of the first time could not be read (" + unread + ")");
  for (const json::value& tried : ArrayOf(evidence, "pins_tried"))
    lines.push_back("tried with " + ShownOf(tried, "pin") + ": class " + ShownOf(tried, "class"));
  if (found != "B") lines.push_back(CauseLine(evidence));
  return lines;
}

}  // namespace glasscase::commands
