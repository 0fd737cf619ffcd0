// What a receipt carries besides the proof: the entry, and those of its hidden fields that its holder may
// know (api/formats/receipt.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/core/ids.h>
#include <glasscase/ledger/entry.h>

namespace glasscase::ledger {

struct DisclosedField {
  Salt salt{};
  std::string value;
};

struct Disclosure {
  std::string entry;  // its canonical text, which is what the log holds
  std::map<std::string, DisclosedField> fields;

  // InvalidArgument for any other spelling; FailedPrecondition, with the field's name, when a field is not
  // what the entry commits to.
  static Result<Disclosure> Parse(std::string_view extra);
  // InvalidArgument when a value is not UTF-8.
  Result<std::string> ToString() const;
};

// What every entry says in the clear.
struct EntryHead {
  std::string type;
  std::optional<int64_t> at_micros{};  // when, as the log's operator says
  std::optional<Uuid> asset{};
  std::optional<Uuid> version{};
};

// InvalidArgument for what is no entry.
Result<EntryHead> ReadEntryHead(std::string_view entry);

}  // namespace glasscase::ledger
