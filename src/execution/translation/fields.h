// Members of a document by name and type, with errors that say where and what.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/translation/document.h>

namespace glasscase::translation {

// An object and the words by which messages name it: `learner, tree 3`. Borrowed from the document.
class Fields {
 public:
  Fields(const Value& value, std::string where) : value_(value), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  bool Has(std::string_view name) const { return value_.Find(name) != nullptr; }

  Result<Fields> Object(std::string_view name) const;
  Result<std::string> Text(std::string_view name) const;
  Result<double> Number(std::string_view name) const;
  Result<bool> Flag(std::string_view name) const;
  // A whole number, as itself or as a text ("12"), of at most `max`.
  Result<uint32_t> Whole(std::string_view name, uint32_t max) const;
  Result<const Numbers*> List(std::string_view name) const;
  Result<const Numbers*> ListOf(std::string_view name, size_t size) const;
  Result<std::vector<Fields>> Objects(std::string_view name) const;
  Result<std::vector<std::string>> Texts(std::string_view name) const;

  // InvalidArgument: "<where>: <what>".
  Error Wrong(std::string what) const;

 private:
  Result<const Value*> Need(std::string_view name) const;
  template <typename T>
  Result<const T*> NeedType(std::string_view name, std::string_view type) const;

  const Value& value_;
  std::string where_;
};

// `number` as a whole one in [min, max]; false when it is none.
bool ToWhole(double number, int64_t min, int64_t max, int64_t& whole);

}  // namespace glasscase::translation
