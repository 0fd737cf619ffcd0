// From JSON to a recipe.
#pragma once

#include <string_view>

#include <glasscase/json/object_reader.h>
#include <glasscase/training/recipe.h>

namespace glasscase::training {

// Whether those of pins, locale and time zone have to be known ones.
enum class Values : uint8_t { kAsked, kRecorded };

Result<Recipe> ReadRecipe(std::string_view text, Values values);

// {"version": UUID, "sha256": hexadecimal}, with other members or without.
Result<Reference> ReadResolved(const json::ObjectReader& object);

}  // namespace glasscase::training
