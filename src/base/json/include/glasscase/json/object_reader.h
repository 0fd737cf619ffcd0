// Members of JSON objects of others. Errors name the member by its path, for example
// "bundle.dsseEnvelope.payload must be a string".
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::json {

class ObjectReader {
 public:
  // `path` says where the object stands. The object outlives the reader.
  static Result<ObjectReader> Open(const boost::json::value& value, std::string path);

  bool Has(std::string_view name) const { return object_->contains(Key(name)); }
  Result<std::string> String(std::string_view name) const;
  Result<bool> Bool(std::string_view name) const;
  // A whole number from 0, also in the form 1000.0, which some writers give whole numbers.
  Result<uint64_t> Whole(std::string_view name) const;
  Result<Digest> Sha256(std::string_view name) const;  // lower-case hexadecimal
  Result<ObjectReader> Object(std::string_view name) const;
  Result<const boost::json::array*> Array(std::string_view name) const;
  // No member but these. Says which one, and what may be there.
  Status RefuseOthers(std::initializer_list<std::string_view> names) const;

  const boost::json::object& object() const { return *object_; }
  const std::string& path() const { return path_; }
  Error Wrong(std::string_view name, std::string_view what) const;

 private:
  ObjectReader(const boost::json::object& object, std::string path)
      : object_(&object), path_(std::move(path)) {}
  static boost::json::string_view Key(std::string_view name) { return {name.data(), name.size()}; }
  const boost::json::value* Find(std::string_view name) const { return object_->if_contains(Key(name)); }

  const boost::json::object* object_;
  std::string path_;
};

// "path[3]".
std::string Element(std::string_view path, size_t index);

}  // namespace glasscase::json
