// Whole reads and writes, as one system call does not promise them.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::process {

// All of `bytes`, in as many calls as it takes. `what` begins the error: "cannot write checkpoint".
Status WriteAll(int fd, ByteSpan bytes, std::string_view what);

// The file from its beginning to its end, piece by piece, wherever its offset is. Stops at the first error of
// `take`. ResourceExhausted when it has more than `bytes_max`.
Status ReadPieces(int fd, uint64_t bytes_max, std::string_view what,
                  const std::function<Status(ByteSpan)>& take);

// The same at once.
Result<Bytes> ReadAll(int fd, uint64_t bytes_max, std::string_view what);

}  // namespace glasscase::process
