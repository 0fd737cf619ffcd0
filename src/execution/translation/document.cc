#include <glasscase/translation/document.h>

#include <algorithm>

#include "document_builder.h"

namespace glasscase::translation {

const Value* Value::Find(std::string_view name) const {
  const auto* members = std::get_if<Members>(&data);
  if (members == nullptr) return nullptr;
  const auto found = std::find_if(members->begin(), members->end(),
                                  [name](const Member& member) { return member.name == name; });
  return found == members->end() ? nullptr : &found->value;
}

bool DocumentBuilder::Refuse(Error error) {
  refusal = std::move(error);
  return false;
}

bool DocumentBuilder::Open(Value container) {
  if (open_.size() + skipped_open_ >= kNestingMax)
    return Refuse(Error::InvalidArgument("nested deeper than " + std::to_string(kNestingMax)));
  if (IsSkipping()) {
    skip_next_ = false;
    ++skipped_open_;
    return true;
  }
  open_.push_back({std::move(container), {}});
  return true;
}

bool DocumentBuilder::Close() {
  if (skipped_open_ > 0) {
    --skipped_open_;
    return true;
  }
  Value closed = std::move(open_.back().container);
  open_.pop_back();
  if (auto* numbers = std::get_if<Numbers>(&closed.data)) numbers->shrink_to_fit();
  return Put(std::move(closed));
}

bool DocumentBuilder::Key(std::string key) {
  if (skipped_open_ > 0) return true;
  Frame& frame = open_.back();
  const auto& members = std::get<Members>(frame.container.data);
  if (members.size() >= kMembersMax)
    return Refuse(
        Error::InvalidArgument("an object has more than " + std::to_string(kMembersMax) + " members"));
  if (frame.container.Find(key) != nullptr)
    return Refuse(Error::InvalidArgument("the key \"" + Printable(key) + "\" appears twice"));
  skip_next_ = std::find(options_.unwanted.begin(), options_.unwanted.end(), key) != options_.unwanted.end();
  frame.key = std::move(key);
  return true;
}

void DocumentBuilder::Expect(size_t numbers) {
  if (IsSkipping() || open_.empty()) return;
  if (auto* list = std::get_if<Numbers>(&open_.back().container.data)) list->reserve(numbers);
}

std::string_view DocumentBuilder::Name() const {
  const auto object = std::find_if(open_.rbegin(), open_.rend(), [](const Frame& frame) {
    return std::holds_alternative<Members>(frame.container.data);
  });
  return object == open_.rend() ? std::string_view() : object->key;
}

bool DocumentBuilder::PutNumber(double number) {
  if (!IsSkipping() && !open_.empty()) {
    if (auto* numbers = std::get_if<Numbers>(&open_.back().container.data)) {
      numbers->push_back(number);
      return true;
    }
  }
  return Put(Value{number});
}

bool DocumentBuilder::Put(Value value) {
  if (IsSkipping()) {
    skip_next_ = false;
    return true;
  }
  if (++values_ > kValuesMax)
    return Refuse(Error::InvalidArgument("more than " + std::to_string(kValuesMax) + " values"));
  if (open_.empty()) {
    root_ = std::move(value);
    complete_ = true;
    return true;
  }
  Frame& frame = open_.back();
  if (auto* members = std::get_if<Members>(&frame.container.data)) {
    members->push_back({std::move(frame.key), std::move(value)});
    return true;
  }
  return PutIntoArray(frame.container, std::move(value));
}

bool DocumentBuilder::PutIntoArray(Value& array, Value value) {
  if (const auto* numbers = std::get_if<Numbers>(&array.data)) {
    if (!numbers->empty()) return Refuse(Error::InvalidArgument("an array mixes numbers with other values"));
    array.data = Items{};
  }
  if (std::holds_alternative<double>(value.data))
    return Refuse(Error::InvalidArgument("an array mixes numbers with other values"));
  std::get<Items>(array.data).push_back(std::move(value));
  return true;
}

}  // namespace glasscase::translation
