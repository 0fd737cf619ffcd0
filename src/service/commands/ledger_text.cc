#include "ledger_text.h"

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {

namespace json = boost::json;

std::string LedgerText(const json::value& object) {
  const std::string state = TextOf(object, "ledger_state");
  if (state == "pending") return "pending";
  if (state == "in_checkpoint") return "in a checkpoint";
  if (state == "cosigned") return "in a cosigned checkpoint";
  return "not known";
}

std::string LedgerSentence(const json::value& object, const std::string& asset) {
  return "in the ledger: " + LedgerText(object) + "; see it with: glasscase history " +
         (asset.empty() ? "ASSET" : asset);
}

std::string AnchoredText(const json::value& object) {
  const json::value& anchored = ValueOf(object, "anchored");
  if (!anchored.is_object()) return "no checkpoint is there yet";
  const int64_t size = IntegerOf(anchored, "size");
  return "last checkpoint there: " + std::to_string(size) + (size == 1 ? " entry" : " entries") + " in " +
         ShownOf(anchored, "transaction") + (FlagOf(anchored, "final") ? ", final" : ", not final yet");
}

}  // namespace glasscase::commands
