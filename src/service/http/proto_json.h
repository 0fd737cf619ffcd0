// Between the control messages (api/grpc/control.proto) and the JSON of our HTTP API: members have the
// fields' names, 64-bit integers are JSON numbers, empty fields are present, unknown members are refused.
#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include <glasscase/core/error.h>

namespace glasscase::http {

// An empty text is an empty object. InvalidArgument names the member.
Status ParseJsonMessage(std::string_view json, google::protobuf::Message& out);
// Sets a text field by name; false when the message has none of that name.
bool SetTextField(google::protobuf::Message& message, const std::string& field, std::string_view value);
std::string MessageToJson(const google::protobuf::Message& message);

}  // namespace glasscase::http
