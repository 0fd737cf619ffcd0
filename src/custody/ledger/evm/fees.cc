#include "fees.h"

#include <algorithm>
#include <limits>

namespace glasscase::ledger::evm {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

uint64_t SumCapped(uint64_t a, uint64_t b) { return a > kMax - b ? kMax : a + b; }

// `what` pays `wei` for each gas, and may not.
Error TooDear(const std::string& what, uint64_t wei, const std::string& limit, uint64_t limit_wei) {
  return Error::ResourceExhausted(
      what + " " + std::to_string(wei) + " wei per gas, more than the configured " + limit + " of " +
      std::to_string(limit_wei) + "; it waits until that falls or the limit is raised");
}

// What one gas may cost so that all of it stays below the limit for a transaction.
uint64_t FeeOfTransaction(uint64_t gas, const FeeLimits& limits) {
  return gas == 0 ? kMax : limits.max_transaction_fee_wei / gas;
}

Status CheckFeePerGas(const std::string& what, uint64_t fee, uint64_t gas, const FeeLimits& limits) {
  if (fee > limits.max_fee_per_gas_wei)
    return Fail(TooDear(what, fee, "max_fee_per_gas_wei", limits.max_fee_per_gas_wei));
  if (fee <= FeeOfTransaction(gas, limits)) return Ok();
  return Fail(TooDear(what + " " + EtherText(CostCapped(gas, fee)) + " for " + std::to_string(gas) + " gas,",
                      fee, "max_transaction_fee_wei", limits.max_transaction_fee_wei));
}

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

Result<Fees> LimitFees(const Fees& wanted, uint64_t base_fee, uint64_t gas, const FeeLimits& limits) {
  GC_TRY_VOID(CheckFeePerGas("the chain asks for", base_fee, gas, limits));
  Fees fees;
  fees.max = std::min({wanted.max, limits.max_fee_per_gas_wei, FeeOfTransaction(gas, limits)});
  fees.priority = std::min({wanted.priority, limits.max_priority_fee_per_gas_wei, fees.max});
  return fees;
}

Status CheckLimits(const Fees& fees, uint64_t gas, const FeeLimits& limits) {
  if (fees.priority > limits.max_priority_fee_per_gas_wei)
    return Fail(TooDear("a replacement would give validators", fees.priority, "max_priority_fee_per_gas_wei",
                        limits.max_priority_fee_per_gas_wei));
  return CheckFeePerGas("a replacement would pay", fees.max, gas, limits);
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
