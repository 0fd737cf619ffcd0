// The labels of a translated model, as places in its list of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/model.h>

namespace glasscase::translator {

template <typename Known, typename Label>
uint32_t PlaceOf(const Known& labels, const Label& label) {
  return static_cast<uint32_t>(std::ranges::find(labels, label) - labels.begin());
}

// A label that the model does not have gets the place behind the last.
inline void AddLabel(const translation::Model& model, int64_t label, translation::Answers& answers) {
  answers.classes.push_back(PlaceOf(model.head.integer_labels, label));
}
inline void AddLabel(const translation::Model& model, std::string_view label, translation::Answers& answers) {
  answers.classes.push_back(PlaceOf(model.head.text_labels, label));
}

// What a runtime gave for a batch, without its labels.
template <typename Numbers>
void SetOutputs(const translation::Model& model, const Numbers& numbers, translation::Answers& answers) {
  answers.width = model.outputs();
  answers.outputs.assign(numbers.begin(), numbers.end());
  answers.classes.clear();
  answers.margins.clear();
  answers.magnitude.clear();
}

}  // namespace glasscase::translator
