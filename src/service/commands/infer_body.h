// Between what a person writes and what the Open Inference Protocol carries.
#pragma once

#include <string>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>

namespace glasscase::commands {

// True when `input` already is the body of an infer request: an object whose `inputs` is a list of objects.
bool IsInferBody(const boost::json::value& input);

// Makes that body from a bare nested array (a model with one input) or from an object name -> array, with
// datatypes and shapes from the model's metadata. A missing first dimension is added, and a flat list is
// given the input's shape where only one is possible. FailedPrecondition names the input and both shapes.
Result<boost::json::value> CompleteInferBody(const boost::json::value& input,
                                             const boost::json::value& metadata);

// The outputs of an infer answer for people: one line each, or one line per row.
std::string FormatOutputs(const boost::json::value& answer);

}  // namespace glasscase::commands
