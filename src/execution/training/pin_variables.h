// How libraries are told what to keep to: each has a variable of its own.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/training/recipe.h>

namespace glasscase::training {

// What each library knows, which passes over anything else without a word: what a pin may be beside "off".
std::vector<std::string_view> BlasPins();
std::vector<std::string_view> OnednnPins();
std::vector<std::string_view> TorchPins();
std::vector<std::string_view> NumpyPins();

// Without those that are off. XLA_FLAGS is only there for a runner, whose XLA is known to have the flag: one
// that has not ends the program, and an image may hold any.
std::map<std::string, std::string> PinVariables(const Pins& pins, bool is_runner);

}  // namespace glasscase::training
