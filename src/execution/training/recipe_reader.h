// From JSON to a recipe.
#pragma once

#include <string_view>

#include <glasscase/json/object_reader.h>
#include <glasscase/training/recipe.h>

namespace glasscase::training {

Result<Recipe> ReadRecipe(std::string_view text);

// {"version": UUID, "sha256": hexadecimal}, with other members or without.
Result<Reference> ReadResolved(const json::ObjectReader& object);

// What NumPy must not use so that it keeps to an instruction set; nullopt for a set that is not known here.
std::optional<std::string> NumpyFeaturesAbove(std::string_view set);

}  // namespace glasscase::training
