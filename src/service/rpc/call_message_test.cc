#include <glasscase/rpc/call_message.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace glasscase::rpc {
namespace {

struct SampleCall {
  Digest credential{1, 2, 3};
  Uuid model = Uuid::Random();
  Bytes bytes;

  SampleCall() {
    bytes.resize(4096);
    CallWriter writer(bytes);
    EXPECT_TRUE(writer.Begin(77, credential, model, "v2", 123456789));
    EXPECT_TRUE(writer.AddOutput("label"));
    const std::array<int64_t, 2> shape = {2, 3};
    std::span<uint8_t> room = writer.BeginInput("x", DataType::kFp32, shape, 24);
    EXPECT_EQ(room.size(), 24U);
    for (size_t i = 0; i < room.size(); ++i) room[i] = static_cast<uint8_t>(i);
    writer.EndInput(24);
    room = writer.BeginInput("a longer name of an input", DataType::kUint8, std::array<int64_t, 1>{3}, 100);
    EXPECT_EQ(room.size(), 100U);
    room[0] = 7;
    room[1] = 8;
    room[2] = 9;
    writer.EndInput(3);
    EXPECT_TRUE(writer.AddOutput("probabilities"));
    bytes.resize(writer.Finish());
  }
};

TEST(CallMessageTest, ACallComesBackAsItWasWritten) {
  const SampleCall sample;
  CallView call;
  ASSERT_TRUE(ParseCall(sample.bytes, call));
  EXPECT_EQ(call.id, 77U);
  EXPECT_EQ(call.credential, sample.credential);
  EXPECT_EQ(call.model, sample.model);
  EXPECT_EQ(call.version, "v2");
  EXPECT_EQ(call.deadline_ns, 123456789);
  ASSERT_EQ(call.inputs.size(), 2U);
  EXPECT_EQ(call.inputs[0].name, "x");
  EXPECT_EQ(call.inputs[0].datatype, DataType::kFp32);
  EXPECT_EQ(ShapeText(call.inputs[0].shape()), "[2,3]");
  EXPECT_EQ(call.inputs[0].data.size(), 24U);
  EXPECT_EQ(call.inputs[0].data[23], 23);
  EXPECT_EQ((call.inputs[0].data.data() - sample.bytes.data()) % 8, 0);
  EXPECT_EQ(call.inputs[1].name, "a longer name of an input");
  EXPECT_EQ(call.inputs[1].data.size(), 3U);
  EXPECT_EQ(call.inputs[1].data[2], 9);
  EXPECT_EQ(call.outputs, (std::vector<std::string_view>{"label", "probabilities"}));
  ASSERT_TRUE(ParseCall(sample.bytes, call));  // reused
  EXPECT_EQ(call.inputs.size(), 2U);
}

TEST(CallMessageTest, TheAnnouncedSizesAlwaysSuffice) {
  for (const size_t data : {0, 1, 7, 8, 9, 100}) {
    const size_t wanted = CallWriter::BytesFor("label") + CallWriter::BytesForTensor("input", 2, data) +
                          CallWriter::BytesForTensor("out", 0, 0);
    Bytes room(wanted);
    CallWriter writer(room);
    ASSERT_TRUE(writer.Begin(1, {}, {}, "label", 0));
    ASSERT_GE(writer.BeginInput("input", DataType::kInt8, std::array<int64_t, 2>{1, 1}, data).size(), data);
    writer.EndInput(data);
    ASSERT_TRUE(writer.AddOutput("out"));
    room.resize(writer.Finish());
    CallView call;
    ASSERT_TRUE(ParseCall(room, call));
    EXPECT_EQ(call.inputs[0].data.size(), data);
  }
}

TEST(CallMessageTest, AnInputWithoutElementsIsNotMistakenForLackOfRoom) {
  Bytes room(1024);
  CallWriter writer(room);
  ASSERT_TRUE(writer.Begin(1, {}, {}, "", 0));
  EXPECT_FALSE(writer.BeginInput("x", DataType::kFp32, std::array<int64_t, 2>{0, 4}, 0).empty());
  writer.EndInput(0);
  room.resize(writer.Finish());
  CallView call;
  ASSERT_TRUE(ParseCall(room, call));
  EXPECT_TRUE(call.inputs[0].data.empty());
}

TEST(CallMessageTest, AWriterSaysWhenTheRoomDoesNotSuffice) {
  const SampleCall sample;
  for (size_t size = 0; size < sample.bytes.size() + 200; ++size) {
    Bytes room(size + 16, 0xEE);
    CallWriter writer(std::span<uint8_t>(room).first(size));
    if (!writer.Begin(1, {}, {}, "v2", 0)) continue;
    if (!writer.AddOutput("label")) continue;
    const std::span<uint8_t> data = writer.BeginInput("x", DataType::kFp32, std::array<int64_t, 2>{2, 3}, 24);
    if (data.empty()) continue;
    std::fill(data.begin(), data.end(), 1);
    writer.EndInput(24);
    static_cast<void>(writer.AddOutput("other"));
    EXPECT_LE(writer.Finish(), size);
    for (size_t i = size; i < room.size(); ++i) ASSERT_EQ(room[i], 0xEE);
  }
}

TEST(CallMessageTest, AWriterKeepsTheLimits) {
  Bytes room(1 << 20);
  CallWriter writer(room);
  EXPECT_FALSE(writer.Begin(1, {}, {}, std::string(256, 'v'), 0));
  ASSERT_TRUE(writer.Begin(1, {}, {}, std::string(255, 'v'), 0));
  EXPECT_FALSE(writer.AddOutput(std::string(256, 'n')));
  EXPECT_TRUE(writer.BeginInput(std::string(256, 'n'), DataType::kInt8, {}, 1).empty());
  EXPECT_TRUE(writer.BeginInput("n", DataType::kInt8, std::vector<int64_t>(17, 1), 1).empty());
  for (uint32_t i = 0; i < kTensorsMax; ++i) {
    ASSERT_TRUE(writer.AddOutput("o"));
    ASSERT_FALSE(writer.BeginInput("n", DataType::kInt8, {}, 1).empty());
    writer.EndInput(1);
  }
  EXPECT_FALSE(writer.AddOutput("o"));
  EXPECT_TRUE(writer.BeginInput("n", DataType::kInt8, {}, 1).empty());
}

AnswerView SampleAnswer(ByteSpan data) {
  AnswerView answer;
  answer.id = 78;
  answer.version = Uuid::Random();
  answer.has_quota = true;
  answer.quota = {.calls = 100, .period_ns = 60'000'000'000};
  answer.quota_state = {.allowed = true, .remaining = 12, .reset_ns = 34, .retry_after_ns = 0};
  TensorView tensor;
  tensor.name = "probabilities";
  tensor.datatype = DataType::kFp32;
  tensor.rank = 2;
  tensor.dimensions = {1, 10};
  tensor.data = data;
  answer.outputs = {tensor, tensor};
  return answer;
}

TEST(CallMessageTest, AnAnswerComesBackAsItWasWritten) {
  const Bytes data(40, 5);
  const AnswerView answer = SampleAnswer(data);
  Bytes room(AnswerBytes(answer));
  EXPECT_EQ(WriteAnswer(answer, room), room.size());
  AnswerView back;
  ASSERT_TRUE(ParseAnswer(room, back));
  EXPECT_EQ(back.id, 78U);
  EXPECT_EQ(back.code, 0U);
  EXPECT_EQ(back.version, answer.version);
  EXPECT_TRUE(back.has_quota);
  EXPECT_EQ(back.quota, answer.quota);
  EXPECT_EQ(back.quota_state.remaining, 12U);
  EXPECT_EQ(back.quota_state.reset_ns, 34U);
  ASSERT_EQ(back.outputs.size(), 2U);
  EXPECT_EQ(back.outputs[1].name, "probabilities");
  EXPECT_EQ(ShapeText(back.outputs[1].shape()), "[1,10]");
  EXPECT_EQ(Bytes(back.outputs[1].data.begin(), back.outputs[1].data.end()), data);
}

TEST(CallMessageTest, ARefusalCarriesCodeReasonAndMessageCutToFit) {
  const std::string message(3000, 'm');
  AnswerView answer;
  answer.code = static_cast<uint32_t>(Code::kResourceExhausted);
  answer.reason = access::Reason::kQuotaExhausted;
  answer.message = message;
  answer.has_quota = true;
  answer.quota_state = {.allowed = false, .remaining = 0, .reset_ns = 9, .retry_after_ns = 5};
  Bytes room(AnswerBytes(answer));
  ASSERT_EQ(WriteAnswer(answer, room), room.size());
  AnswerView back;
  ASSERT_TRUE(ParseAnswer(room, back));
  EXPECT_EQ(back.code, 8U);
  EXPECT_EQ(back.reason, access::Reason::kQuotaExhausted);
  EXPECT_EQ(back.message.size(), kMessageBytesMax);
  EXPECT_FALSE(back.quota_state.allowed);
  EXPECT_EQ(back.quota_state.retry_after_ns, 5U);
}

TEST(CallMessageTest, EveryPrefixIsRefused) {
  const SampleCall sample;
  const Bytes data(40, 5);
  const AnswerView answer = SampleAnswer(data);
  Bytes answer_bytes(AnswerBytes(answer));
  WriteAnswer(answer, answer_bytes);
  CallView call;
  AnswerView back;
  for (size_t size = 0; size < sample.bytes.size(); ++size) {
    EXPECT_FALSE(ParseCall(ByteSpan(sample.bytes).first(size), call)) << size;
  }
  for (size_t size = 0; size < answer_bytes.size(); ++size) {
    EXPECT_FALSE(ParseAnswer(ByteSpan(answer_bytes).first(size), back)) << size;
  }
  EXPECT_FALSE(ParseCall(answer_bytes, call));
  EXPECT_FALSE(ParseAnswer(sample.bytes, back));
}

TEST(CallMessageTest, ChangedBytesNeverLeadOutside) {
  const SampleCall sample;
  std::mt19937 random(11);
  CallView call;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = sample.bytes;
    for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    if (!ParseCall(bytes, call)) continue;
    for (const TensorView& tensor : call.inputs) {
      ASSERT_GE(tensor.data.data(), bytes.data());
      ASSERT_LE(tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace glasscase::rpc
