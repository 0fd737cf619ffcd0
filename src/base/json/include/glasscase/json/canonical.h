// Canonical JSON (RFC 8785): for each value one text, so that it can be hashed and signed. Members sorted by
// the UTF-16 units of their keys, no white space, numbers as ECMAScript prints them, the fewest escapes.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>
#include <glasscase/json/strict.h>

namespace glasscase::json {

// The canonical text of `value`. InvalidArgument when there is none that says the same: a string or key that
// is not UTF-8, a number that is not finite, a whole number that no double holds exactly (all numbers are
// doubles to the RFC; put such a number into a string). Thread-safe, like all functions here.
Result<std::string> WriteCanonical(const boost::json::value& value);

// Gives the value when `text` is strict JSON (strict.h) and, byte for byte, its canonical text. Otherwise
// InvalidArgument, with the first byte that differs.
Result<boost::json::value> ParseCanonical(std::string_view text, const Limits& limits = {});

// As ParseCanonical, without the value.
Status CheckCanonical(std::string_view text, const Limits& limits = {});

// A number as the RFC writes it, for a finite one.
std::string CanonicalNumber(double finite);

// True when key `a` stands before key `b`. Both are UTF-8.
bool KeyComesBefore(std::string_view a, std::string_view b);

}  // namespace glasscase::json
