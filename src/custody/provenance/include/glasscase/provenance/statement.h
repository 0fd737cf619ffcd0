// in-toto Statement v1: a predicate about things that are named by their digests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::provenance {

inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";

struct Subject {
  std::string name;
  Digest sha256{};
  bool operator==(const Subject&) const = default;
};

struct Statement {
  std::vector<Subject> subjects;
  std::string predicate_type;
  boost::json::object predicate;
};

// Canonical JSON (json/canonical.h), so equal statements are equal bytes. Fails where canonical JSON does.
Result<std::string> WriteStatement(const Statement& statement);

// Reads a payload of others, which need not be canonical. Each subject must have a sha256 digest; its other
// digests are passed over. InvalidArgument names the member that is wrong.
Result<Statement> ParseStatement(std::string_view text);

}  // namespace glasscase::provenance
