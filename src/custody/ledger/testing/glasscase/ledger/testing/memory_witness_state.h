// The state of a witness in memory.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <glasscase/ledger/witness.h>

namespace glasscase::ledger::testing {

class MemoryWitnessState final : public WitnessState {
 public:
  std::map<std::string, Witnessed> logs;
  std::vector<Evidence> evidence;
  bool fails = false;

  Result<Witnessed> Read(const std::string& origin) const override {
    const auto found = logs.find(origin);
    return found == logs.end() ? Witnessed{} : found->second;
  }
  Status Advance(const std::string& origin, const Witnessed& from, const Witnessed& to) override {
    if (fails) return Fail(Error::ResourceExhausted("the disk is full"));
    if (logs[origin] != from) return Fail(Error(Code::kAborted, "another one was faster"));
    logs[origin] = to;
    return Ok();
  }
  Status Keep(const Evidence& kept) override {
    evidence.push_back(kept);
    return Ok();
  }
};

}  // namespace glasscase::ledger::testing
