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

  // Reads both forms. InvalidArgument for any other spelling; FailedPrecondition, with the field's name, when
  // a field is not what the entry commits to. The short form has the salts and values in place of their
  // commitments: an altered one makes another entry, which no proof fits.
  static Result<Disclosure> Parse(std::string_view extra);
  // The short form. InvalidArgument when a value is not UTF-8, FailedPrecondition when a field is not what
  // the entry commits to.
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
