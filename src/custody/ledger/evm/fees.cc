#include "fees.h"

#include <algorithm>
#include <limits>

namespace glasscase::ledger::evm {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

uint64_t SumCapped(uint64_t a, uint64_t b) { return a > kMax - b ? kMax : a + b; }

uint64_t Raised(uint64_t fee) { return SumCapped(fee, fee / 8 + 1); }

}  // namespace

Fees ChooseFees(const FeeHistory& recent, uint64_t suggested_priority) {
  std::vector<uint64_t> paid = recent.priorities;
  uint64_t priority = suggested_priority;
  if (!paid.empty()) {
    // The middle of what was paid; a node's own suggestion is often a constant of long ago.
    const auto middle = paid.begin() + static_cast<ptrdiff_t>(paid.size() / 2);
    std::ranges::nth_element(paid, middle);
    priority = std::max<uint64_t>(*middle, std::min(suggested_priority, *middle * 2));
  }
  const uint64_t base = recent.next_base_fee;
  return {.priority = priority, .max = SumCapped(SumCapped(base, base), priority)};
}

Fees RaiseFees(const Fees& before, const Fees& wanted) {
  return {.priority = std::max(Raised(before.priority), wanted.priority),
          .max = std::max(Raised(before.max), wanted.max)};
}

uint64_t CostCapped(uint64_t gas, uint64_t fee) {
  uint64_t cost = 0;
  return __builtin_mul_overflow(gas, fee, &cost) ? kMax : cost;
}

std::string EtherText(uint64_t wei) {
  constexpr uint64_t kWeiPerEther = 1'000'000'000'000'000'000;
  if (wei == kMax) return "more than 18 ETH";
  std::string fraction = std::to_string(wei % kWeiPerEther);
  fraction.insert(0, 18 - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return std::to_string(wei / kWeiPerEther) + (fraction.empty() ? "" : "." + fraction) + " ETH";
}

}  // namespace glasscase::ledger::evm
