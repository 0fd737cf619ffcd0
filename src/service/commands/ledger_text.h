// What answers say of the ledger and the chain, in words.
#pragma once

#include <string>

#include <boost/json/value.hpp>

namespace glasscase::commands {

// Of a member ledger_state: "pending", "in a checkpoint", "in a cosigned checkpoint"; "not known" without
// one.
std::string LedgerText(const boost::json::value& object);
// The same as a sentence after an act on `asset` (empty: several), with where to see how it goes on.
std::string LedgerSentence(const boost::json::value& object, const std::string& asset);

// Of a member anchored: "last checkpoint there: 41 entries in 0x..., not final yet".
std::string AnchoredText(const boost::json::value& object);

}  // namespace glasscase::commands
