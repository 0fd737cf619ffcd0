// gzip (RFC 1952) and deflate (RFC 9110 section 8.4.1.2: the zlib format of RFC 1950) for request and answer
// bodies, through zlib.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/error.h>

#include "request_reader.h"

namespace glasscase::http {

// InvalidArgument when the data is broken or something follows it; ResourceExhausted when it unpacks to
// more than `bytes_max` (found out while unpacking: never more than that is held).
Result<std::string> Decompress(Coding coding, std::string_view data, size_t bytes_max);
std::string Compress(Coding coding, std::string_view data);

}  // namespace glasscase::http
