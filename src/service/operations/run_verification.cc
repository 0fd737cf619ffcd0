#include "run_verification.h"

#include <boost/json/object.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/strict.h>

#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

constexpr size_t kEvidenceBytesMax = size_t{64} << 10;

// "B", "T" or "N"; empty for what is no evidence.
std::string ClassIn(const std::string& evidence) {
  const auto value = json::Parse(evidence, {.bytes_max = kEvidenceBytesMax});
  const auto* object = value ? value->if_object() : nullptr;
  const auto* found = object != nullptr ? object->if_contains("class") : nullptr;
  if (found == nullptr || !found->is_string()) return "";
  const std::string text(found->get_string());
  return text == "B" || text == "T" || text == "N" ? text : "";
}

}  // namespace

bool IsVerificationEvidence(const std::string& text) { return !ClassIn(text).empty(); }

Status EnterVerification(Desk& desk, catalog::Transaction& transaction, const catalog::Run& run) {
  GC_TRY(const auto original, desk.catalog.FindRun(run.repeats));
  if (!original) return Fail(Error::NotFound("the run that was done again is not there any more"));
  GC_TRY(const auto model, desk.catalog.FindModel(run.asset));
  GC_TRY(const auto version, desk.catalog.FindVersion(original->result));
  if (!model || !version) return Fail(Error::NotFound("the result of the run is not there any more"));
  EntryDraft entry("run", *model, desk.now());
  entry.About(*version).Say("run", run.id.ToString());
  entry.Hide("recipe", ToHex(run.recipe_sha256)).Hide("result", ToHex(version->manifest_digest));
  entry.Hide("outcome", "verified: class " + ClassIn(run.evidence));
  return entry.Hide("report", ToHex(Sha256(AsBytes(run.evidence)))).Queue(transaction);
}

}  // namespace glasscase::operations
