// The short form of what a receipt carries (api/formats/receipt.md, form 2): the text of a disclosure with
// one byte for each phrase that such texts repeat, and with UUIDs, digests and salts as their bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <glasscase/ledger/disclosure.h>

namespace glasscase::ledger {

inline constexpr char kCompactForm = 0x02;

// `disclosed`: canonical JSON of the values of `fields` by name. FailedPrecondition names a field that the
// entry does not commit to: its commitment is left out of the short form, so it has to be the right one.
Result<std::string> WriteCompact(const std::string& disclosed, const std::string& entry,
                                 const std::map<std::string, DisclosedField>& fields);

// Entry and fields; the commitments of the fields are computed, not compared. InvalidArgument for what is in
// no such form or is longer than any disclosure; not for other spellings, which writing again shows.
Result<Disclosure> ReadCompact(std::string_view extra);

}  // namespace glasscase::ledger
