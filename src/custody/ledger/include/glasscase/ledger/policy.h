// Whom a verifier trusts: logs, witnesses, and how many of them must have seen a checkpoint (C2SP
// tlog-policy).
//
//   log example.com/log+530d903a+AekyeRrm... https://example.com/log
//   witness north north.example+... https://north.example
//   group any-two 2 north south east
//   quorum any-two
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/note.h>

namespace glasscase::ledger {

class Policy {
 public:
  static constexpr size_t kBytesMax = 100'000;

  struct Log {
    NoteVerifier verifier;
    std::string url;  // may be empty
  };
  struct Witness {
    std::string name;  // in this policy
    NoteVerifier verifier;
    std::string url;
  };
  struct Group {
    std::string name;
    size_t needed = 0;
    std::vector<std::string> members;  // witnesses and groups that were named before
  };

  // InvalidArgument names the line and what is wrong with it.
  static Result<Policy> Parse(std::string_view text);

  const std::vector<Log>& logs() const { return logs_; }
  const std::vector<Witness>& witnesses() const { return witnesses_; }
  bool NeedsWitnesses() const { return quorum_ != kNone; }
  // Whether these witnesses, by name, are enough.
  bool IsQuorum(const std::set<std::string>& cosigned) const;
  // "2 of north, south, east", for messages.
  std::string QuorumText() const;

 private:
  static constexpr std::string_view kNone = "none";
  class Parser;
  bool IsReached(std::string_view name, const std::set<std::string>& cosigned) const;

  std::vector<Log> logs_;
  std::vector<Witness> witnesses_;
  std::vector<Group> groups_;
  std::string quorum_{kNone};
};

}  // namespace glasscase::ledger
