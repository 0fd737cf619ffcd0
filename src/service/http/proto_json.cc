#include "proto_json.h"

#include <boost/json.hpp>

#include <glasscase/core/bytes.h>

#include "problem.h"

namespace glasscase::http {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

tl::unexpected<Error> WrongType(const std::string& where, std::string_view wanted) {
  return Fail(Error::InvalidArgument(where + ": must be " + std::string(wanted)));
}

Status SetFromObject(const json::object& object, Message& message, const std::string& where);

// Sets or, for repeated fields, adds one value.
Status SetValue(const json::value& value, Message& message, const FieldDescriptor& field,
                const std::string& where) {
  const Reflection& access = *message.GetReflection();
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      if (!value.is_string()) return WrongType(where, "a string");
      std::string text(value.as_string());
      repeated ? access.AddString(&message, &field, std::move(text))
               : access.SetString(&message, &field, std::move(text));
      return Ok();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      json::error_code error;
      const int64_t number = value.to_number<int64_t>(error);
      if (error) return WrongType(where, "a whole number");
      repeated ? access.AddInt64(&message, &field, number) : access.SetInt64(&message, &field, number);
      return Ok();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      json::error_code error;
      const uint32_t number = value.to_number<uint32_t>(error);
      if (error) return WrongType(where, "a whole number from 0 to 4294967295");
      repeated ? access.AddUInt32(&message, &field, number) : access.SetUInt32(&message, &field, number);
      return Ok();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!value.is_bool()) return WrongType(where, "true or false");
      repeated ? access.AddBool(&message, &field, value.as_bool())
               : access.SetBool(&message, &field, value.as_bool());
      return Ok();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!value.is_object()) return WrongType(where, "an object");
      return SetFromObject(
          value.as_object(),
          repeated ? *access.AddMessage(&message, &field) : *access.MutableMessage(&message, &field), where);
    default: return Fail(Error::InvalidArgument(where + ": cannot be set"));
  }
}

// "lineage.parent"
std::string PlaceOf(const std::string& where, const std::string& name) {
  return where.empty() ? name : where + "." + name;
}

Status SetFromObject(const json::object& object, Message& message, const std::string& where) {
  for (const auto& [key, value] : object) {
    const std::string name(key);
    const std::string place = PlaceOf(where, name);
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) return Fail(Error::InvalidArgument("unknown member \"" + Printable(place) + "\""));
    if (value.is_null()) continue;
    if (!field->is_repeated()) {
      GC_TRY_VOID(SetValue(value, message, *field, place));
      continue;
    }
    if (!value.is_array()) return WrongType(place, "an array");
    for (size_t i = 0; i < value.as_array().size(); ++i) {
      GC_TRY_VOID(SetValue(value.as_array()[i], message, *field, place + "[" + std::to_string(i) + "]"));
    }
  }
  return Ok();
}

json::value ToJson(const Message& message);

json::value FieldToJson(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& access = *message.GetReflection();
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return json::value(repeated ? access.GetRepeatedString(message, &field, index)
                                  : access.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return json::value(repeated ? access.GetRepeatedInt64(message, &field, index)
                                  : access.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return json::value(repeated ? access.GetRepeatedUInt32(message, &field, index)
                                  : access.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return json::value(repeated ? access.GetRepeatedBool(message, &field, index)
                                  : access.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return json::value(repeated ? access.GetRepeatedDouble(message, &field, index)
                                  : access.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(repeated ? access.GetRepeatedMessage(message, &field, index)
                             : access.GetMessage(message, &field));
    default: return nullptr;
  }
}

json::value ToJson(const Message& message) {
  json::object object;
  const Reflection& access = *message.GetReflection();
  const google::protobuf::Descriptor& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (!field.is_repeated()) {
      const bool absent =
          field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !access.HasField(message, &field);
      object[field.name()] = absent ? json::value(nullptr) : FieldToJson(message, field, 0);
      continue;
    }
    json::array array;
    for (int k = 0; k < access.FieldSize(message, &field); ++k)
      array.push_back(FieldToJson(message, field, k));
    object[field.name()] = std::move(array);
  }
  return object;
}

}  // namespace

Status ParseJsonMessage(std::string_view text, Message& out) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Ok();
  json::parse_options options;
  options.max_depth = 16;
  json::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return Fail(Error::InvalidArgument("body: is not valid JSON (" + error.message() + ")"));
  if (!value.is_object()) return Fail(Error::InvalidArgument("body: must be a JSON object"));
  return SetFromObject(value.as_object(), out, "");
}

bool SetTextField(Message& message, const std::string& name, std::string_view value) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return false;
  const Reflection& access = *message.GetReflection();
  field->is_repeated() ? access.AddString(&message, field, std::string(value))
                       : access.SetString(&message, field, std::string(value));
  return true;
}

std::string MessageToJson(const Message& message) { return json::serialize(ToJson(message)) + "\n"; }

}  // namespace glasscase::http
