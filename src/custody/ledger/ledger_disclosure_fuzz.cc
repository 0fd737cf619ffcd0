// Any bytes as what a receipt discloses: what is read has one short spelling, which says the same, and every
// field is one that the entry commits to.
#include <glasscase/core/bytes.h>
#include <glasscase/ledger/disclosure.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  const std::string_view extra(reinterpret_cast<const char*>(data), size);
  const auto head = ReadEntryHead(extra);
  const auto disclosure = Disclosure::Parse(extra);
  if (!disclosure) return 0;
  const std::string compact = disclosure->ToString().value();
  GC_CHECK(extra.front() == '{' || compact == extra);
  const Disclosure again = Disclosure::Parse(compact).value();
  GC_CHECK(again.entry == disclosure->entry && again.fields.size() == disclosure->fields.size());
  for (const auto& [name, field] : disclosure->fields)
    GC_CHECK(disclosure->entry.find(ToBase64(Commitment(field.salt, name, field.value))) !=
             std::string::npos);
  return 0;
}
