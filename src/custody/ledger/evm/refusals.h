// What nodes and contracts say when they refuse, as errors that name the reason and what to do.
#pragma once

#include <optional>
#include <string>

#include <glasscase/core/error.h>

#include "rpc_answers.h"

namespace glasscase::ledger::evm {

// What a contract gave with its revert: our own errors, `require` with a text, and the panics of Solidity.
// nullopt when the node's error is not a revert.
std::optional<Error> RevertOf(const RpcError& error);

// Of any question but eth_sendRawTransaction.
Error ErrorOf(const RpcError& error, const std::string& host);

// What eth_sendRawTransaction was refused for.
enum class SendRefusal {
  kAlreadyKnown,  // nothing is wrong
  kNonceUsed,     // this transaction, or another with its nonce, is written
  kNoFunds,
  kFeeTooLow,
  kOther,
};
SendRefusal WhySendWasRefused(const RpcError& error);

}  // namespace glasscase::ledger::evm
