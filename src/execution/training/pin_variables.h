// How libraries are told what to keep to: each has a variable of its own.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <glasscase/training/recipe.h>

namespace glasscase::training {

bool IsNumpyPin(std::string_view set);  // "SSE42", "AVX2", "off"

// Without those that are off. XLA_FLAGS is only there for a runner, whose XLA is known to have the flag: one
// that has not ends the program, and an image may hold any.
std::map<std::string, std::string> PinVariables(const Pins& pins, bool is_runner);

}  // namespace glasscase::training
