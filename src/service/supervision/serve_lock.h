// One supervisor per data directory. Private.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::supervision {

// Locks DIRECTORY/serve.lock for as long as the descriptor lives and writes our process id into it, where
// `glasscase stop` finds it. FailedPrecondition, with the other's process id, when it is taken. The file
// stays: removing it would let two supervisors lock two files of one name.
Result<Fd> TakeServeLock(int directory);

}  // namespace glasscase::supervision
