#include "evidence_text.h"

#include <algorithm>
#include <array>

#include "json_members.h"
#include "text.h"
#include "verification_text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr std::string_view kTranslation = "glasscase translation evidence";
constexpr size_t kNumbersShown = 8;

// Numbers that are not finite are texts in evidence.
std::string ShownNumber(const json::value& object, std::string_view member) {
  const json::value& value = ValueOf(object, member);
  if (value.is_string()) return ShownOf(object, member);
  return FormatRounded(NumberOf(object, member));
}

std::string Rows(int64_t count) { return std::to_string(count) + (count == 1 ? " input" : " inputs"); }

std::string Numbers(const json::array& numbers) {
  std::vector<std::string> shown;
  for (const json::value& number : numbers) {
    if (shown.size() == kNumbersShown) {
      shown.push_back("... (" + std::to_string(numbers.size()) + ")");
      break;
    }
    shown.push_back(number.is_string()   ? Visible(std::string_view(number.get_string()))
                    : number.is_number() ? FormatNumber(number.to_number<double>())
                                         : "?");
  }
  return "[" + Join(shown, ", ") + "]";
}

struct TopClasses {
  int64_t same = 0;
  int64_t ties = 0;
  int64_t none = 0;  // rows to which neither has an answer that is finite
  int64_t rows = 0;
};

// Rows in neither count. Who sends them may send any numbers.
int64_t Uncounted(const TopClasses& top) {
  const bool fits = top.same >= 0 && top.ties >= 0 && top.same <= top.rows && top.ties <= top.rows - top.same;
  return fits ? top.rows - top.same - top.ties : 0;
}

std::string TopClassText(const TopClasses& top) {
  return "the same top class for " + std::to_string(top.same) + " of " + std::to_string(top.rows - top.none) +
         (top.ties > 0 ? " (" + std::to_string(top.ties) + " ties)" : "") +
         (top.none > 0 ? "; " + std::to_string(top.none) + " have no answer in either" : "");
}

// Rows of very large numbers have differences that are large as well: where the others were looked at by
// themselves, they tell how well the two agree, and come first.
bool HasOrdinary(const json::value& difference) {
  return ValueOf(difference, "ordinary_max").is_number() &&
         NumberOf(difference, "ordinary_max") != NumberOf(difference, "absolute_max");
}

std::string OrdinaryText(const json::value& difference) {
  return "largest difference " + ShownNumber(difference, "ordinary_max") +
         " on ordinary inputs; with very large ones " + ShownNumber(difference, "absolute_max") +
         ", relative " + ShownNumber(difference, "relative_max");
}

std::string DifferenceLine(const json::value& difference) {
  if (HasOrdinary(difference))
    return OrdinaryText(difference) + "; 99.9 % of the ordinary differ by at most " +
           ShownNumber(difference, "ordinary_p999");
  return "largest difference " + ShownNumber(difference, "absolute_max") + ", relative " +
         ShownNumber(difference, "relative_max") + "; 99.9 % differ by at most " +
         ShownNumber(difference, "absolute_p999");
}

// "drawn from the data (4 features): rain/rain.csv"; one that gave none has its reason.
void AddRanges(const json::value& inputs, std::vector<std::string>& lines) {
  const json::value& ranges = ValueOf(inputs, "ranges");
  if (!ranges.is_object() || ranges.get_object().empty()) return;
  std::vector<std::string> used;
  for (const json::value& one : ArrayOf(inputs, "datasets")) {
    if (TextOf(one, "unread").empty()) used.push_back(ShownOf(one, "name"));
  }
  const bool is_from_data = IntegerOf(ranges, "dataset") > 0;
  lines.push_back("random inputs drawn from " + RangesText(ranges) +
                  (used.empty() || !is_from_data ? "" : ": " + Join(used, ", ")));
  if (!used.empty() && !is_from_data) lines.push_back("no range was needed of " + Join(used, ", "));
  for (const json::value& one : ArrayOf(inputs, "datasets")) {
    if (!TextOf(one, "unread").empty())
      lines.push_back("not drawn from " + ShownOf(one, "name") + ": " + ShownOf(one, "unread"));
  }
}

// "1e-06 + 4 ulp of the sums, at most 0.001"
std::string BoundText(const json::value& bound) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kUlps = {
      {{"ulps", " ulp of the sums"},
       {"double_ulps", " ulp of the sums in double"},
       {"output_ulps", " ulp of the output"}}};
  std::vector<std::string> parts;
  if (NumberOf(bound, "absolute") > 0) parts.push_back(ShownNumber(bound, "absolute"));
  for (const auto& [member, words] : kUlps)
    if (NumberOf(bound, member) > 0) parts.push_back(ShownNumber(bound, member) + std::string(words));
  const std::string most = NumberOf(bound, "at_most") > 0 ? ", at most " + ShownNumber(bound, "at_most") : "";
  return (parts.empty() ? "0" : Join(parts, " + ")) + most;
}

// A row that neither answers with finite numbers is in neither count; of labels every row is in one.
TopClasses TopClassesOf(const json::value& evidence, const json::value& top, int64_t rows) {
  TopClasses found{.same = IntegerOf(top, "same"), .ties = IntegerOf(top, "ties"), .rows = rows};
  const int64_t not_finite = IntegerOf(ValueOf(evidence, "source_not_finite"), "same");
  found.none = std::min(std::max<int64_t>(0, not_finite), Uncounted(found));
  return found;
}

std::vector<std::string> TranslationLines(const json::value& evidence) {
  const json::value& inputs = ValueOf(evidence, "inputs");
  const json::value& difference = ValueOf(evidence, "difference");
  const json::value& evaluators = ValueOf(evidence, "evaluators");
  const int64_t rows = IntegerOf(inputs, "rows");
  std::vector<std::string> lines;
  lines.push_back(std::string(FlagOf(evidence, "holds") ? "holds" : "does not hold") + ": " + Rows(rows) +
                  ", " + std::to_string(IntegerOf(evidence, "rows_beyond")) + " beyond the bound");
  lines.push_back("bound " + BoundText(ValueOf(evidence, "bound")) + "; opset " +
                  std::to_string(IntegerOf(ValueOf(evidence, "result"), "opset")));
  lines.push_back(DifferenceLine(difference));
  for (const std::string& note : ShownTextsOf(ValueOf(evidence, "source"), "notes"))
    lines.push_back("note: " + note);
  AddRanges(inputs, lines);
  if (IntegerOf(inputs, "thresholds") > 0)
    lines.push_back(std::to_string(IntegerOf(inputs, "thresholds_tried")) + " of " +
                    std::to_string(IntegerOf(inputs, "thresholds")) + " thresholds tried");
  if (const json::value& top = ValueOf(evidence, "top_class"); top.is_object())
    lines.push_back(TopClassText(TopClassesOf(evidence, top, rows)));
  lines.push_back(
      "source computed by " + ShownOf(evaluators, "source") + ", result by " + ShownOf(evaluators, "result") +
      (TextOf(evidence, "evaluated_in") == "sandbox" ? "; both in the sandbox, by the runner" : ""));
  if (const json::value& second = ValueOf(evidence, "second"); second.is_object()) {
    const bool ran = IntegerOf(second, "rows") > 0;
    lines.push_back((ran ? "result also by " + ShownOf(evaluators, "second") + " on " +
                               Rows(IntegerOf(second, "rows")) + ", largest difference " +
                               ShownNumber(second, "absolute_max")
                         : "result by no second evaluator: " + ShownOf(second, "not_run")));
  }
  if (FlagOf(evidence, "holds")) return lines;
  const json::value& worst = ValueOf(evidence, "worst");
  lines.push_back("worst: " + ShownOf(worst, "kind") + " " + Numbers(ArrayOf(worst, "input")) + " gives " +
                  Numbers(ArrayOf(worst, "source")) + ", translated " + Numbers(ArrayOf(worst, "result")));
  return lines;
}

}  // namespace

std::vector<std::string> EvidenceLines(std::string_view evidence) {
  if (evidence.empty()) return {};
  const auto parsed = ParseJson(evidence, "the evidence");
  if (!parsed || !parsed->is_object()) return {"(it cannot be read)"};
  if (TextOf(*parsed, "format") == kTranslation) return TranslationLines(*parsed);
  if (!TextOf(*parsed, "class").empty()) return VerificationLines(*parsed);
  return {};
}

std::string RangesText(const json::value& ranges) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSources = {
      {{"dataset", "the data"},
       {"inputs.json", "inputs.json"},
       {"thresholds", "the thresholds"},
       {"guessed", "a guess of -10 to 10"},
       {"unused", "anywhere, for the model does not use them"}}};
  std::vector<std::string> parts;
  for (const auto& [member, words] : kSources) {
    const auto features = static_cast<uint64_t>(std::max<int64_t>(0, IntegerOf(ranges, member)));
    if (features > 0) parts.push_back(std::string(words) + " (" + Count(features, "feature") + ")");
  }
  return parts.empty() ? "nowhere" : Join(parts, ", ");
}

std::string EvidenceSummary(const json::value& evidence) {
  if (TextOf(evidence, "kind") == "verification")
    return "run again, class " + ShownOf(evidence, "class") + " (run " + ShownOf(evidence, "run") + ")";
  TopClasses top{.same = IntegerOf(evidence, "top_class_same"),
                 .ties = IntegerOf(evidence, "top_class_ties"),
                 .rows = IntegerOf(evidence, "inputs")};
  top.none = Uncounted(top);  // what made a version holds, so no other row is another class
  std::string text = "same as its source on " + Rows(top.rows) + ", ";
  text += HasOrdinary(evidence) ? OrdinaryText(evidence)
                                : "largest difference " + ShownNumber(evidence, "absolute_max") +
                                      " (relative " + ShownNumber(evidence, "relative_max") +
                                      ", 99.9 % within " + ShownNumber(evidence, "absolute_p999") + ")";
  // Of a linear model it is more than these two numbers say; the run's evidence has all of it.
  if (NumberOf(evidence, "bound_ulps") > 0)
    text += ", bound " + ShownNumber(evidence, "bound_absolute") + " + " +
            ShownNumber(evidence, "bound_ulps") + " ulp";
  text += ", opset " + std::to_string(IntegerOf(evidence, "opset"));
  if (top.same + top.ties > 0) text += ", " + TopClassText(top);
  text += "; source by " + ShownOf(evidence, "source_evaluator") + ", result by " +
          ShownOf(evidence, "result_evaluator");
  if (const std::string second = ShownOf(evidence, "second_evaluator"); !second.empty())
    text += ", also by " + second;
  if (FlagOf(evidence, "in_sandbox")) text += ", in the sandbox";
  return text + " (run " + ShownOf(evidence, "run") + ")";
}

}  // namespace glasscase::commands
