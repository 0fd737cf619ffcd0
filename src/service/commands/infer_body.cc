#include "infer_body.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/core/bytes.h>

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

using Shape = std::vector<int64_t>;

constexpr size_t kShownValuesMax = 1000;

std::string ShapeText(const Shape& shape) {
  std::vector<std::string> dimensions;
  for (const int64_t size : shape) dimensions.push_back(size < 0 ? "any" : std::to_string(size));
  return "[" + Join(dimensions, ", ") + "]";
}

Shape ShapeMember(const json::value& tensor) {
  Shape shape;
  for (const auto& size : ArrayOf(tensor, "shape")) shape.push_back(size.is_int64() ? size.get_int64() : 0);
  return shape;
}

struct NestedArray {
  Shape shape;
  json::array flat;
};

// Row-major. Refuses lists of unequal length at the same depth.
Status Flatten(const json::value& value, size_t depth, NestedArray& out) {
  const auto* list = value.if_array();
  if (list == nullptr) {
    if (depth != out.shape.size())
      return Fail(Error::FailedPrecondition("some elements are nested deeper than others"));
    out.flat.push_back(value);
    return Ok();
  }
  if (out.flat.empty() && depth == out.shape.size()) out.shape.push_back(static_cast<int64_t>(list->size()));
  if (depth >= out.shape.size())
    return Fail(Error::FailedPrecondition("some elements are nested deeper than others"));
  if (out.shape[depth] != static_cast<int64_t>(list->size())) {
    return Fail(Error::FailedPrecondition("lists of unequal length: " + std::to_string(out.shape[depth]) +
                                          " and " + std::to_string(list->size()) + " elements"));
  }
  for (const auto& element : *list) GC_TRY_VOID(Flatten(element, depth + 1, out));
  return Ok();
}

bool Fits(const Shape& wanted, const Shape& given) {
  return wanted.size() == given.size() && std::equal(wanted.begin(), wanted.end(), given.begin(),
                                                     [](int64_t w, int64_t g) { return w < 0 || w == g; });
}

// The wanted shape with its one open dimension filled in so that it holds `count` elements.
std::optional<Shape> FillToCount(Shape wanted, int64_t count) {
  int64_t known = 1;
  int64_t* open = nullptr;
  for (int64_t& size : wanted) {
    if (size < 0 && open != nullptr) return std::nullopt;
    if (size < 0) {
      open = &size;
    } else {
      known *= size;
    }
  }
  if (open == nullptr) return known == count ? std::optional(wanted) : std::nullopt;
  if (known == 0 || count % known != 0) return std::nullopt;
  *open = count / known;
  return wanted;
}

Result<Shape> ChooseShape(const Shape& wanted, const Shape& given, int64_t count) {
  if (Fits(wanted, given)) return given;
  Shape with_row = given;
  with_row.insert(with_row.begin(), 1);
  if (Fits(wanted, with_row)) return with_row;
  const bool flat = given.size() <= 1;
  if (const auto filled = flat ? FillToCount(wanted, count) : std::nullopt) return *filled;
  return Fail(Error::FailedPrecondition("the model takes shape " + ShapeText(wanted) + ", given is " +
                                        ShapeText(given)));
}

Result<json::value> CompleteInput(const json::value& described, const json::value& data) {
  const std::string name = TextOf(described, "name");
  NestedArray nested;
  auto flattened = Flatten(data, 0, nested);
  if (!flattened) return Fail(flattened.error().WithContext("input " + name));
  auto shape = ChooseShape(ShapeMember(described), nested.shape, static_cast<int64_t>(nested.flat.size()));
  if (!shape) return Fail(shape.error().WithContext("input " + name));
  return json::value{{"name", name},
                     {"datatype", TextOf(described, "datatype")},
                     {"shape", json::array(shape->begin(), shape->end())},
                     {"data", std::move(nested.flat)}};
}

std::string NamesOf(const json::array& tensors) {
  std::vector<std::string> names;
  for (const auto& tensor : tensors) names.push_back(TextOf(tensor, "name"));
  return Join(names, ", ");
}

std::string ScalarText(const json::value& value) {
  if (value.is_double()) return FormatNumber(value.get_double());
  if (value.is_string()) return "\"" + Visible(value.get_string()) + "\"";
  return Visible(json::serialize(value));
}

void CollectScalars(const json::value& value, std::vector<std::string>& texts) {
  if (const auto* list = value.if_array()) {
    for (const auto& element : *list) {
      if (texts.size() <= kShownValuesMax) CollectScalars(element, texts);
    }
  } else {
    texts.push_back(ScalarText(value));
  }
}

}  // namespace

bool IsInferBody(const json::value& input) {
  const auto& inputs = ArrayOf(input, "inputs");
  return !inputs.empty() &&
         std::all_of(inputs.begin(), inputs.end(), [](const json::value& v) { return v.is_object(); });
}

Result<json::value> CompleteInferBody(const json::value& input, const json::value& metadata) {
  const json::array& described = ArrayOf(metadata, "inputs");
  json::array inputs;
  const auto* named = input.if_object();
  if (named == nullptr) {
    if (described.size() != 1) {
      return Fail(Error::FailedPrecondition(
          "the model has several inputs: give an object with an array for each of " + NamesOf(described)));
    }
    GC_TRY(json::value completed, CompleteInput(described.front(), input));
    inputs.push_back(std::move(completed));
    return json::value{{"inputs", std::move(inputs)}};
  }
  for (const auto& tensor : described) {
    const auto* data = named->if_contains(TextOf(tensor, "name"));
    if (data == nullptr)
      return Fail(Error::FailedPrecondition("input " + TextOf(tensor, "name") + " is missing"));
    GC_TRY(json::value completed, CompleteInput(tensor, *data));
    inputs.push_back(std::move(completed));
  }
  for (const auto& member : *named) {
    const auto is_it = [&](const json::value& tensor) {
      return TextOf(tensor, "name") == std::string_view(member.key());
    };
    if (std::none_of(described.begin(), described.end(), is_it)) {
      return Fail(Error::FailedPrecondition("the model has no input " + Printable(member.key()) +
                                            "; it has " + NamesOf(described)));
    }
  }
  return json::value{{"inputs", std::move(inputs)}};
}

std::string FormatOutputs(const json::value& answer) {
  std::string text;
  for (const auto& output : ArrayOf(answer, "outputs")) {
    const Shape shape = ShapeMember(output);
    std::vector<std::string> values;
    CollectScalars(ValueOf(output, "data"), values);
    const bool cut = values.size() > kShownValuesMax;
    if (cut) values.resize(kShownValuesMax);
    const size_t row = shape.size() < 2 ? std::max<size_t>(values.size(), 1)
                                        : static_cast<size_t>(std::max<int64_t>(shape.back(), 1));
    text += ShownOf(output, "name") + "  " + ShownOf(output, "datatype") + " " + ShapeText(shape) + "\n";
    for (size_t begin = 0; begin < values.size(); begin += row) {
      const size_t end = std::min(begin + row, values.size());
      text += "  " +
              Join({values.begin() + static_cast<std::ptrdiff_t>(begin),
                    values.begin() + static_cast<std::ptrdiff_t>(end)},
                   " ") +
              "\n";
    }
    if (cut) text += "  ... (--json prints all)\n";
  }
  return text;
}

}  // namespace glasscase::commands
