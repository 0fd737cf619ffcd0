#include <glasscase/inference/batcher.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <glasscase/inference/testing/fake_engine.h>
#include <gtest/gtest.h>

namespace glasscase::inference {
namespace {

struct Request {
  Request(std::vector<int64_t> dimensions, float value, std::vector<uint32_t> outputs = {0})
      : shape(std::move(dimensions)), wanted(std::move(outputs)) {
    int64_t elements = 1;
    for (const int64_t d : shape) elements *= d;
    values.assign(static_cast<size_t>(elements), value);
    inputs = {
        InputView{.datatype = DataType::kFp32,
                  .shape = shape,
                  .data = {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}}};
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  RunRequest view() const { return {.inputs = inputs, .wanted = wanted}; }

  std::vector<int64_t> shape;
  std::vector<uint32_t> wanted;
  std::vector<float> values;
  std::vector<InputView> inputs;
};

float First(const OutputView& output) {
  float value = 0;
  std::memcpy(&value, output.data.data(), sizeof value);
  return value;
}

class BatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<Runner> MakeRunner(const std::string& graph) {
    model_ = std::move(*engine_.Load(AsBytes(graph), {}));
    return std::move(*model_->NewRunner());
  }
  testing::FakeEngineLog log_;
  testing::FakeEngine engine_{log_};
  std::unique_ptr<LoadedModel> model_;
  Batcher batcher_;
};

TEST_F(BatcherTest, EachRequestGetsItsOwnRowsBack) {
  const auto runner = MakeRunner("rows");
  const Request a({1, 4}, 10);
  const Request b({3, 4}, 20);
  const Request c({2, 4}, 30);
  const RunRequest all[] = {a.view(), b.view(), c.view()};
  ASSERT_TRUE(batcher_.Run(*runner, all));
  EXPECT_EQ(log_.run_rows, std::vector<int64_t>{6});
  const int64_t rows[] = {1, 3, 2};
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(batcher_.outputs(i).size(), 1U);
    const OutputView& output = batcher_.outputs(i)[0];
    EXPECT_EQ(output.dimensions[0], rows[i]);
    EXPECT_EQ(output.data.size(), static_cast<size_t>(rows[i]) * 16);
    EXPECT_EQ(First(output), 11.0F + 10.0F * static_cast<float>(i));
  }
}

TEST_F(BatcherTest, OneRequestGoesThroughUntouched) {
  const auto runner = MakeRunner("rows");
  const Request a({2, 4}, 1, {1, 0});
  const RunRequest one[] = {a.view()};
  ASSERT_TRUE(batcher_.Run(*runner, one));
  EXPECT_EQ(batcher_.outputs(0).size(), 2U);
  EXPECT_EQ(First(batcher_.outputs(0)[1]), 2.0F);
}

TEST_F(BatcherTest, BuffersAreReusedWithoutTracesOfTheLastRun) {
  const auto runner = MakeRunner("rows");
  for (const int64_t rows : {200000, 1, 7, 300000, 2}) {
    const Request a({rows, 4}, 1);
    const Request b({1, 4}, 2);
    const RunRequest all[] = {a.view(), b.view()};
    ASSERT_TRUE(batcher_.Run(*runner, all));
    EXPECT_EQ(First(batcher_.outputs(1)[0]), 3.0F);
  }
}

TEST_F(BatcherTest, OutputsWithoutTheBatchsRowsAreAnError) {
  const auto runner = MakeRunner("liar");
  const Request a({1, 4}, 1);
  const Request b({1, 4}, 2);
  const RunRequest all[] = {a.view(), b.view()};
  EXPECT_EQ(batcher_.Run(*runner, all).error().code(), Code::kInternal);
}

TEST_F(BatcherTest, OnlyEqualTrailingShapesAndEqualWishesShare) {
  const Request a({1, 4}, 1);
  EXPECT_TRUE(MayShareRun(a.view(), Request({9, 4}, 1).view()));
  EXPECT_FALSE(MayShareRun(a.view(), Request({1, 5}, 1).view()));
  EXPECT_FALSE(MayShareRun(a.view(), Request({1, 4, 1}, 1).view()));
  EXPECT_FALSE(MayShareRun(a.view(), Request({1, 4}, 1, {1}).view()));
  EXPECT_FALSE(MayShareRun(a.view(), Request({1, 4}, 1, {0, 1}).view()));
}

TEST_F(BatcherTest, RowsNeedAnAgreementOfAllInputs) {
  const Request a({2, 4}, 1);
  const Request b({3, 4}, 1);
  EXPECT_EQ(RowsOf(a.view()), 2);
  const InputView both[] = {a.inputs[0], b.inputs[0]};
  EXPECT_EQ(RowsOf({.inputs = both, .wanted = {}}), std::nullopt);
  EXPECT_EQ(RowsOf(Request({0, 4}, 1).view()), std::nullopt);
  EXPECT_EQ(RowsOf(Request({}, 1).view()), std::nullopt);
  EXPECT_EQ(RowsOf({}), std::nullopt);
}

// Echoes BYTES: elements of different lengths must be cut at the right places.
class EchoRunner final : public Runner {
 public:
  Status Run(std::span<const InputView> inputs, std::span<const uint32_t>,
             std::vector<OutputView>& outputs) override {
    copy_.assign(inputs[0].data.begin(), inputs[0].data.end());
    outputs.assign(1, OutputView{});
    outputs[0].datatype = DataType::kBytes;
    outputs[0].rank = 1;
    outputs[0].dimensions = {inputs[0].shape[0]};
    outputs[0].data = copy_;
    return Ok();
  }
  void Terminate() override {}

 private:
  Bytes copy_;
};

TEST_F(BatcherTest, StringsAreCutByElement) {
  const Bytes first = {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0};
  const Bytes second = {3, 0, 0, 0, 'x', 'y', 'z'};
  const int64_t two[] = {2};
  const int64_t one[] = {1};
  const InputView a[] = {{.datatype = DataType::kBytes, .shape = two, .data = first}};
  const InputView b[] = {{.datatype = DataType::kBytes, .shape = one, .data = second}};
  const uint32_t wanted[] = {0};
  const RunRequest all[] = {{.inputs = a, .wanted = wanted}, {.inputs = b, .wanted = wanted}};
  EchoRunner runner;
  ASSERT_TRUE(batcher_.Run(runner, all));
  EXPECT_TRUE(std::ranges::equal(batcher_.outputs(0)[0].data, first));
  EXPECT_TRUE(std::ranges::equal(batcher_.outputs(1)[0].data, second));
}

}  // namespace
}  // namespace glasscase::inference
