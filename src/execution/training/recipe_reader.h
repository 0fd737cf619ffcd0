// From JSON to a recipe.
#pragma once

#include <string_view>

#include <glasscase/json/object_reader.h>
#include <glasscase/training/recipe.h>

namespace glasscase::training {

Result<Recipe> ReadRecipe(std::string_view text);

// {"version": UUID, "sha256": hexadecimal}, with other members or without.
Result<Reference> ReadResolved(const json::ObjectReader& object);

}  // namespace glasscase::training
