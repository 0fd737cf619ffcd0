// Any bytes as a policy: with all witnesses there is a quorum, with none there is one only if none is needed.
#include <glasscase/ledger/policy.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  const auto policy = Policy::Parse({reinterpret_cast<const char*>(data), size});
  if (!policy) return 0;
  std::set<std::string> all;
  for (const Policy::Witness& witness : policy->witnesses()) all.insert(witness.name);
  GC_CHECK(policy->IsQuorum(all));
  GC_CHECK(policy->IsQuorum({}) != policy->NeedsWitnesses());
  GC_CHECK(!policy->logs().empty() && !policy->QuorumText().empty());
  return 0;
}
