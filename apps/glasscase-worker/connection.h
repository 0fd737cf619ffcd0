// The process that holds a remote worker's key and its connection, and nothing else of it.
#pragma once

#include <string>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/process/fd.h>
#include <glasscase/tunnel/spool.h>

#include "remote.h"

namespace glasscase::worker {

// The file of --key. Errors say how one is made.
Result<Secret> ReadWorkerKey(const std::string& path);

enum class ConnectionEnd : int { kTryAgain = 1, kNever = 2 };

// Connects, carries frames between `link` and the gate until either end is gone, and says why. Writes a byte
// to `up` when the gate has accepted it. kNever: the arguments or the key cannot be right.
ConnectionEnd RunConnection(const RemoteArguments& arguments, const tunnel::Spool& spool, Fd link, Fd up);

inline constexpr uint32_t kConnectionUser = 7;  // user_offset, as root

}  // namespace glasscase::worker
