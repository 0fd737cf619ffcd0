// What to pay.
#pragma once

#include <glasscase/ledger_evm/evm_anchor.h>

#include "rpc_answers.h"
#include "transaction.h"

namespace glasscase::ledger::evm {

// Enough for the base fee to double before the transaction is written, and the priority that others pay. Zero
// on chains where everything is free.
Fees ChooseFees(const FeeHistory& recent, uint64_t suggested_priority);

// At least an eighth more than before in both, which every node takes as a replacement, and at least
// `wanted`.
Fees RaiseFees(const Fees& before, const Fees& wanted);

// `wanted` as far as the limits allow. ResourceExhausted when they leave less than `base_fee`, for which no
// block takes it: the message names the limit to raise.
Result<Fees> LimitFees(const Fees& wanted, uint64_t base_fee, uint64_t gas, const FeeLimits& limits);
// ResourceExhausted when `fees` are above a limit, as the fees of a replacement may be, which cannot be cut.
Status CheckLimits(const Fees& fees, uint64_t gas, const FeeLimits& limits);

// gas * fee, or 2^64 - 1.
uint64_t CostCapped(uint64_t gas, uint64_t fee);

// "0.0021 ETH" of wei: what people read.
std::string EtherText(uint64_t wei);

}  // namespace glasscase::ledger::evm
