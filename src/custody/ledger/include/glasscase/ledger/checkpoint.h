// The state of a log that somebody signs (C2SP tlog-checkpoint v1.0.0).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/merkle.h>

namespace glasscase::ledger {

struct Checkpoint {
  std::string origin;  // the log's name; its key's name too
  uint64_t size = 0;
  Hash root{};
  std::vector<std::string> extensions{};  // lines, not empty

  // The text of a note: three lines and the extensions. InvalidArgument for any other spelling.
  static Result<Checkpoint> Parse(std::string_view text);
  std::string ToString() const;
  bool operator==(const Checkpoint&) const = default;
};

}  // namespace glasscase::ledger
