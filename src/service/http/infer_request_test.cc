#include "infer_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

using ::testing::HasSubstr;

class InferRequestTest : public ::testing::Test {
 protected:
  InferRequestTest() {
    version_.inputs = {{.name = "X", .datatype = DataType::kFp32, .shape = {-1, 2}}};
    version_.outputs = {{.name = "label", .datatype = DataType::kInt64, .shape = {-1}},
                        {.name = "probabilities", .datatype = DataType::kFp32, .shape = {-1, 3}}};
  }

  Status Parse(std::string body, std::optional<uint64_t> json_bytes = std::nullopt) {
    body_ = std::move(body);
    const size_t size = body_.size();
    body_.append(kBodyPadding, '\0');
    const Status parsed =
        parser_.Parse(std::string_view(body_).substr(0, size), json_bytes, version_, request_);
    if (!parsed) return parsed;
    // Numbers are read only when the call is written.
    room_.resize(request_.CallBytes(""));
    const Result<size_t> written = request_.WriteTo(room_, 7, Digest{}, Uuid{}, "", 1);
    if (!written) return Fail(written.error());
    return rpc::ParseCall({room_.data(), *written}, call_);
  }

  std::string Why(std::string body, std::optional<uint64_t> json_bytes = std::nullopt) {
    const Status parsed = Parse(std::move(body), json_bytes);
    return parsed ? "no error" : parsed.error().message();
  }

  std::vector<float> Values() const {
    std::vector<float> values(call_.inputs.at(0).data.size() / sizeof(float));
    std::memcpy(values.data(), call_.inputs.at(0).data.data(), values.size() * sizeof(float));
    return values;
  }

  access::VersionRow version_;
  InferRequestParser parser_;
  InferRequest request_;
  std::string body_;
  Bytes room_;
  rpc::CallView call_;
};

constexpr const char* kGood = R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1,2],"data":[1.5,2]}]})";

TEST_F(InferRequestTest, ACallArrivesAsItWasWritten) {
  ASSERT_EQ(Why(kGood), "no error");
  EXPECT_EQ(call_.id, 7u);
  EXPECT_EQ(call_.inputs.at(0).name, "X");
  EXPECT_EQ(Values(), (std::vector<float>{1.5F, 2.F}));
}

TEST_F(InferRequestTest, MembersMayComeInAnyOrder) {
  ASSERT_EQ(Why(R"({"id":"a\"b","outputs":[{"name":"label"}],"inputs":[{"data":[[1,2]],"shape":[1,2],
                   "parameters":{},"datatype":"FP32","name":"X"}],"parameters":{"binary_data_output":true}})"),
            "no error");
  EXPECT_EQ(request_.id_json, R"("a\"b")");
  EXPECT_TRUE(request_.WantsBinary("label"));
  EXPECT_EQ(Values(), (std::vector<float>{1.F, 2.F}));
}

TEST_F(InferRequestTest, BrokenBodiesSayWhere) {
  EXPECT_THAT(Why(""), HasSubstr("body"));
  EXPECT_THAT(Why("{"), HasSubstr("body"));
  EXPECT_THAT(Why("[]"), HasSubstr("wrong JSON type"));
  EXPECT_THAT(Why("{}"), HasSubstr("inputs: is missing"));
  EXPECT_THAT(Why(std::string(kGood) + "x"), HasSubstr("body"));
  EXPECT_THAT(Why(std::string(10'000, '[')), HasSubstr("body"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1,2],"data":)" +
                  std::string(10'000, '[') + "}]}"),
              HasSubstr("inputs[0].data"));
}

TEST_F(InferRequestTest, WrongInputsAreNamed) {
  EXPECT_THAT(Why(R"({"inputs":[]})"), HasSubstr("\"X\" is missing"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"Y","datatype":"FP32","shape":[1,2],"data":[1,2]}]})"),
              HasSubstr("no input \"Y\""));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"INT64","shape":[1,2],"data":[1,2]}]})"),
              HasSubstr("takes FP32"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})"),
              HasSubstr("takes [-1,2]"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[-1,2],"data":[1,2]}]})"),
              HasSubstr("negative"));
  EXPECT_THAT(
      Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[9223372036854775807,2],"data":[1,2]}]})"),
      HasSubstr("2^40"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1000000,2],"data":[1,2]}]})"),
              HasSubstr("too short"));
  EXPECT_THAT(Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[2,2],"data":[1,2]}]})"),
              HasSubstr("2 values"));
  const std::string input = R"({"name":"X","datatype":"FP32","shape":[1,2],"data":[1,2]})";
  EXPECT_THAT(Why(R"({"inputs":[)" + input + "," + input + "]}"), HasSubstr("more than the 1"));
}

TEST_F(InferRequestTest, OutputsMustExistAndBeAskedForOnce) {
  const std::string inputs = R"("inputs":[{"name":"X","datatype":"FP32","shape":[1,2],"data":[1,2]}])";
  EXPECT_THAT(Why("{" + inputs + R"(,"outputs":[{"name":"nope"}]})"), HasSubstr("no output \"nope\""));
  EXPECT_THAT(Why("{" + inputs + R"(,"outputs":[{"name":"label"},{"name":"label"}]})"), HasSubstr("twice"));
  EXPECT_THAT(Why("{" + inputs + R"(,"outputs":[{"name":"label","parameters":{"classification":3}}]})"),
              HasSubstr("not offered"));
}

TEST_F(InferRequestTest, BinaryDataMustBeExactlyWhatTheHeaderSays) {
  const std::string json =
      R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]})";
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  EXPECT_EQ(Why(json + data, json.size()), "no error");
  EXPECT_EQ(Values(), (std::vector<float>{1.F, 2.F}));
  EXPECT_THAT(Why(json + data.substr(1), json.size()), HasSubstr("only 7 bytes"));
  EXPECT_THAT(Why(json + data + "x", json.size()), HasSubstr("left over"));
  EXPECT_THAT(Why(json + data, json.size() + 100), HasSubstr("Inference-Header-Content-Length"));
  EXPECT_THAT(Why(json, std::nullopt), HasSubstr("0 bytes"));
}

TEST_F(InferRequestTest, RawBinaryIsTheOneInput) {
  EXPECT_EQ(Why(std::string("\0\0\x80\x3f\0\0\0\x40", 8), 0), "no error");
  EXPECT_EQ(Values(), (std::vector<float>{1.F, 2.F}));
  EXPECT_NE(Why("abc", 0), "no error");
}

TEST_F(InferRequestTest, SharedMemoryAndSequencesAreRefusedByName) {
  EXPECT_THAT(
      Why(R"({"inputs":[{"name":"X","datatype":"FP32","shape":[1,2],"parameters":{"shared_memory_region":"r"}}]})"),
      HasSubstr("shared memory is not offered"));
  EXPECT_THAT(Why(R"({"parameters":{"sequence_id":1},"inputs":[]})"), HasSubstr("sequences are not offered"));
}

}  // namespace
}  // namespace glasscase::http
