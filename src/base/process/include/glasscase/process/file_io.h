// Whole reads and writes, as one system call does not promise them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

inline constexpr uint64_t kSmallFileBytes = uint64_t{1} << 20;

// All of `bytes`, in as many calls as it takes. `what` begins the error: "cannot write checkpoint".
Status WriteAll(int fd, ByteSpan bytes, std::string_view what);

// The file from its beginning to its end, piece by piece, wherever its offset is. Stops at the first error of
// `take`. ResourceExhausted when it has more than `bytes_max`.
Status ReadPieces(int fd, uint64_t bytes_max, std::string_view what,
                  const std::function<Status(ByteSpan)>& take);

// The same at once.
Result<Bytes> ReadAll(int fd, uint64_t bytes_max, std::string_view what);

// A small file by its path: of settings, a key, a line that another program left, one of /proc; a pipe too.
// Errors name it. Nothing of it is left in memory but the value.
Result<std::string> ReadText(const std::string& path, uint64_t bytes_max = kSmallFileBytes);
// The same from a descriptor, which may be none (with errno from what should have opened it).
Result<std::string> ReadText(const Fd& file, const std::string& path, uint64_t bytes_max = kSmallFileBytes);

}  // namespace glasscase::process
