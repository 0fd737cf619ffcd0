#include "fields.h"

#include <charconv>

#include <glasscase/core/bytes.h>

namespace glasscase::translation {
namespace {

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

bool ToWhole(double number, int64_t min, int64_t max, int64_t& whole) {
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max))) return false;
  whole = static_cast<int64_t>(number);
  return static_cast<double>(whole) == number;
}

Error Fields::Wrong(std::string what) const {
  return Error::InvalidArgument(where_ + ": " + std::move(what));
}

Result<const Value*> Fields::Need(std::string_view name) const {
  const Value* value = value_.Find(name);
  if (value == nullptr) return Fail(Wrong(Quoted(name) + " is missing"));
  return value;
}

template <typename T>
Result<const T*> Fields::NeedType(std::string_view name, std::string_view type) const {
  GC_TRY(const Value* value, Need(name));
  const T* found = std::get_if<T>(&value->data);
  if (found == nullptr) return Fail(Wrong(Quoted(name) + " is not " + std::string(type)));
  return found;
}

Result<Fields> Fields::Object(std::string_view name) const {
  GC_TRY_VOID(NeedType<Members>(name, "an object"));
  return Fields(*value_.Find(name), where_ + ", " + std::string(name));
}

Result<std::string> Fields::Text(std::string_view name) const {
  GC_TRY(const std::string* text, NeedType<std::string>(name, "a text"));
  return *text;
}

Result<double> Fields::Number(std::string_view name) const {
  GC_TRY(const double* number, NeedType<double>(name, "a number"));
  return *number;
}

Result<bool> Fields::Flag(std::string_view name) const {
  GC_TRY(const bool* flag, NeedType<bool>(name, "true or false"));
  return *flag;
}

Result<uint32_t> Fields::Whole(std::string_view name, uint32_t max) const {
  GC_TRY(const Value* value, Need(name));
  int64_t whole = -1;
  if (const auto* number = std::get_if<double>(&value->data)) {
    if (ToWhole(*number, 0, max, whole)) return static_cast<uint32_t>(whole);
  } else if (const auto* text = std::get_if<std::string>(&value->data)) {
    const char* end = text->data() + text->size();
    const auto [stop, problem] = std::from_chars(text->data(), end, whole);
    if (problem == std::errc() && stop == end && whole >= 0 && whole <= max)
      return static_cast<uint32_t>(whole);
  }
  return Fail(Wrong(Quoted(name) + " is not a whole number from 0 to " + std::to_string(max)));
}

Result<const Numbers*> Fields::List(std::string_view name) const {
  return NeedType<Numbers>(name, "a list of numbers");
}

Result<const Numbers*> Fields::ListOf(std::string_view name, size_t size) const {
  GC_TRY(const Numbers* numbers, List(name));
  if (numbers->size() == size) return numbers;
  return Fail(Wrong(Quoted(name) + " has " + std::to_string(numbers->size()) + " numbers, expected " +
                    std::to_string(size)));
}

Result<std::vector<Fields>> Fields::Objects(std::string_view name) const {
  std::vector<Fields> objects;
  GC_TRY(const Value* value, Need(name));
  if (const auto* none = std::get_if<Numbers>(&value->data); none != nullptr && none->empty()) return objects;
  GC_TRY(const Items* items, NeedType<Items>(name, "a list of objects"));
  objects.reserve(items->size());
  for (const Value& item : *items) {
    std::string where = where_ + ", " + std::string(name) + "[" + std::to_string(objects.size()) + "]";
    if (!std::holds_alternative<Members>(item.data))
      return Fail(Error::InvalidArgument(where + " is not an object"));
    objects.emplace_back(item, std::move(where));
  }
  return objects;
}

Result<std::vector<std::string>> Fields::Texts(std::string_view name) const {
  GC_TRY(const Items* items, NeedType<Items>(name, "a list of texts"));
  std::vector<std::string> texts;
  for (const Value& item : *items) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr) return Fail(Wrong(Quoted(name) + " is not a list of texts"));
    texts.push_back(*text);
  }
  return texts;
}

}  // namespace glasscase::translation
