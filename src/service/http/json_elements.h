// The elements of a tensor, between the text of a JSON array and little-endian bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::http {

// Reads a JSON array, flat or nested exactly as `shape`, of numbers (BOOL: true, false, 0, 1) into `out`,
// which has room for the elements that `shape` announces. `json` is one whole array ("[...]"), its brackets
// balanced. Numbers are rounded to nearest; integers out of the type's range, fractions for integer types
// and floats beyond the largest are refused. Errors begin with `where`, for example "inputs[0].data".
// FP16 and BF16 have no JSON form; for kBytes see ParseStringElements.
Status ParseElements(std::string_view json, DataType type, std::span<const int64_t> shape,
                     std::span<uint8_t> out, std::string_view where);

// The same for an array of JSON strings; the elements are appended to `out` with their u32 length prefixes.
Status ParseStringElements(std::string_view json, std::span<const int64_t> shape, Bytes& out,
                           std::string_view where);

// Appends the elements as a flat JSON array. Floats have the fewest digits that read back to the same value.
// OutOfRange when a value has no JSON form: NaN, infinities, FP16, BF16, strings that are not UTF-8.
Status AppendElements(std::string& json, DataType type, ByteSpan data, std::string_view where);

}  // namespace glasscase::http
