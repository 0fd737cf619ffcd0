#include "proto_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/rpc/control.pb.h>

namespace glasscase::http {
namespace {

using ::testing::HasSubstr;

TEST(ProtoJsonTest, MembersHaveTheFieldsNames) {
  rpc::ListFilesAnswer request;
  ASSERT_TRUE(ParseJsonMessage(
      R"({"files":[{"path":"m.onnx","bytes":12,"sha256":""},{"path":"w","bytes":9007199254740993}]})",
      request));
  EXPECT_EQ(request.files(1).bytes(), 9007199254740993);
  EXPECT_THAT(MessageToJson(request), HasSubstr(R"({"path":"m.onnx","bytes":12,"sha256":""})"));
}

TEST(ProtoJsonTest, WrongMembersAreNamed) {
  rpc::ListFilesAnswer request;
  EXPECT_THAT(ParseJsonMessage(R"({"files":[{"path":7}]})", request).error().message(),
              HasSubstr("files[0].path: must be a string"));
  EXPECT_THAT(ParseJsonMessage(R"({"file":[]})", request).error().message(),
              HasSubstr("unknown member \"file\""));
  EXPECT_FALSE(ParseJsonMessage(R"({"files":{}})", request));
  EXPECT_FALSE(ParseJsonMessage("[]", request));
  EXPECT_FALSE(ParseJsonMessage("{", request));
  EXPECT_FALSE(ParseJsonMessage(R"({"files":[{"bytes":1.5}]})", request));
  EXPECT_FALSE(ParseJsonMessage(std::string(10'000, '['), request));
}

TEST(ProtoJsonTest, AnEmptyBodyIsAnEmptyMessage) {
  rpc::AddSubjectRequest request;
  EXPECT_TRUE(ParseJsonMessage("", request));
  EXPECT_TRUE(ParseJsonMessage(" \n", request));
}

}  // namespace
}  // namespace glasscase::http
