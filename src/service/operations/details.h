// What an owner says of an asset or a version: card, licence, tags, free fields. Errors are InvalidArgument
// and name the limit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "desk.h"

namespace glasscase::operations {

inline constexpr size_t kCardBytesMax = size_t{256} << 10;
inline constexpr size_t kLicenceBytesMax = 200;
inline constexpr size_t kTagsMax = 64;
inline constexpr size_t kTagBytesMax = 100;
inline constexpr size_t kFieldsMax = 64;
inline constexpr size_t kFieldKeyBytesMax = 64;
inline constexpr size_t kFieldValueBytesMax = 500;

Status CheckCard(std::string_view card);
Status CheckLicence(std::string_view licence);
Status CheckTag(std::string_view tag);
Status CheckField(const catalog::Field& field);
// In the order of their keys, each once.
Result<std::vector<catalog::Field>> FieldsFrom(const google::protobuf::RepeatedPtrField<rpc::Field>& fields);
// Each once, in the order in which they were given first.
Result<std::vector<std::string>> TagsFrom(const google::protobuf::RepeatedPtrField<std::string>& tags);

}  // namespace glasscase::operations
