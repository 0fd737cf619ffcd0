#include <glasscase/inference_onnxruntime/engine.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include <glasscase/inference/batcher.h>
#include <glasscase/inference/testing/onnx_writer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::inference {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OnnxRuntimeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::ptrdiff_t before = CountThreads();
    warmed_up_ = WarmUpOnnxRuntime();
    threads_left_ = CountThreads() - before;
    engine_ = MakeOnnxRuntimeEngine({.threads = 2})->release();
  }
  static void TearDownTestSuite() { delete engine_; }

  static std::unique_ptr<LoadedModel> Load(const std::string& graph,
                                           std::span<const ExternalFile> files = {}) {
    auto model = engine_->Load(AsBytes(graph), files);
    EXPECT_TRUE(model) << model.error().message();
    return model ? std::move(*model) : nullptr;
  }
  static Error LoadError(const std::string& graph, std::span<const ExternalFile> files = {}) {
    auto model = engine_->Load(AsBytes(graph), files);
    EXPECT_FALSE(model);
    return model ? Error::Internal("loaded") : model.error();
  }

  static std::ptrdiff_t CountThreads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  }

  static Engine* engine_;
  static Status warmed_up_;
  static std::ptrdiff_t threads_left_;
};
Engine* OnnxRuntimeTest::engine_ = nullptr;
Status OnnxRuntimeTest::warmed_up_ = Fail(Error::Internal("not run"));
std::ptrdiff_t OnnxRuntimeTest::threads_left_ = -1;

template <typename T>
InputView View(DataType type, const std::vector<int64_t>& shape, const std::vector<T>& values) {
  return {.datatype = type,
          .shape = shape,
          .data = {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)}};
}

Result<Bytes> RunOnce(LoadedModel& model, const InputView& input, OutputView* output = nullptr) {
  const auto runner = std::move(*model.NewRunner());
  std::vector<OutputView> outputs;
  const uint32_t wanted[] = {0};
  GC_TRY_VOID(runner->Run({&input, 1}, wanted, outputs));
  if (output != nullptr) *output = outputs[0];
  return Bytes(outputs[0].data.begin(), outputs[0].data.end());
}

// Also shows that its telemetry, which has a thread, is off.
TEST_F(OnnxRuntimeTest, WarmsUpWithoutLeavingThreads) {
  EXPECT_TRUE(warmed_up_);
  EXPECT_EQ(threads_left_, 0);
  EXPECT_THAT(engine_->version(), HasSubstr("ONNX Runtime 1."));
}

TEST_F(OnnxRuntimeTest, EveryDatatypePassesThroughBitForBit) {
  const std::pair<int, DataType> types[] = {
      {testing::kBoolT, DataType::kBool},     {testing::kUint8T, DataType::kUint8},
      {testing::kUint16T, DataType::kUint16}, {testing::kUint32T, DataType::kUint32},
      {testing::kUint64T, DataType::kUint64}, {testing::kInt8T, DataType::kInt8},
      {testing::kInt16T, DataType::kInt16},   {testing::kInt32T, DataType::kInt32},
      {testing::kInt64T, DataType::kInt64},   {testing::kFloat16, DataType::kFp16},
      {testing::kFloat, DataType::kFp32},     {testing::kDouble, DataType::kFp64},
      {testing::kBfloat16, DataType::kBf16}};
  for (const auto& [onnx, type] : types) {
    const auto model = Load(testing::IdentityModel(onnx, {-1, 3}));
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->inputs()[0], (TensorSpec{.name = "x", .datatype = type, .shape = {-1, 3}}));
    EXPECT_EQ(model->outputs()[0], (TensorSpec{.name = "y", .datatype = type, .shape = {-1, 3}}));
    Bytes data(6 * ElementBytes(type));
    for (size_t i = 0; i < data.size(); ++i)
      data[i] = type == DataType::kBool ? i % 2 : static_cast<uint8_t>(17 * i);
    OutputView output;
    const auto result = RunOnce(*model, View(type, {2, 3}, data), &output);
    ASSERT_TRUE(result) << DataTypeName(type) << result.error().message();
    EXPECT_EQ(*result, data) << DataTypeName(type);
    EXPECT_EQ(output.datatype, type);
    EXPECT_EQ(ShapeText(output.shape()), "[2,3]");
  }
}

TEST_F(OnnxRuntimeTest, StringsKeepTheirBytesAndLengths) {
  const auto model = Load(testing::IdentityModel(testing::kString, {-1}));
  Bytes data;
  for (const std::string& text :
       {std::string("one"), std::string(), std::string("a\0b", 3), std::string(1000, 'z')}) {
    const auto length = static_cast<uint32_t>(text.size());
    const auto* bytes = reinterpret_cast<const uint8_t*>(&length);
    data.insert(data.end(), bytes, bytes + 4);
    data.insert(data.end(), text.begin(), text.end());
  }
  const std::vector<int64_t> shape = {4};
  EXPECT_EQ(*RunOnce(*model, View(DataType::kBytes, shape, data)), data);
  const std::vector<int64_t> none = {0};
  EXPECT_TRUE(RunOnce(*model, View(DataType::kBytes, none, Bytes()))->empty());
}

TEST_F(OnnxRuntimeTest, ATensorOfNoElementsIsFine) {
  const auto model = Load(testing::IdentityModel(testing::kFloat, {-1, 3}));
  const std::vector<int64_t> shape = {0, 3};
  EXPECT_TRUE(RunOnce(*model, View(DataType::kFp32, shape, std::vector<float>()))->empty());
}

TEST_F(OnnxRuntimeTest, WhatDoesNotFitIsNamed) {
  const auto model = Load(testing::IdentityModel(testing::kFloat, {-1, 3}));
  const std::vector<int64_t> shape = {1, 4};
  const auto wrong_shape = RunOnce(*model, View(DataType::kFp32, shape, std::vector<float>(4)));
  EXPECT_EQ(wrong_shape.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(wrong_shape.error().message(),
              HasSubstr("input 'x': the model takes FP32 [-1,3], was sent FP32 [1,4]"));
  const auto wrong_type = RunOnce(*model, View(DataType::kInt32, shape, std::vector<float>(4)));
  EXPECT_EQ(wrong_type.error().code(), Code::kInvalidArgument);
}

TEST_F(OnnxRuntimeTest, WhatANodeCannotTakeIsTheInputsFaultAndNamesTheNode) {
  using namespace testing;
  const auto model = Load(Model(Graph({Node("pick", "Gather", {"table", "x"}, {"y"})},
                                      {Initializer<float>("table", kFloat, {3}, {1, 2, 3})},
                                      {ValueInfo("x", kInt64T, {-1})}, {ValueInfo("y", kFloat, {-1})})));
  const std::vector<int64_t> shape = {1};
  EXPECT_TRUE(RunOnce(*model, View(DataType::kInt64, shape, std::vector<int64_t>{2})));
  const auto result = RunOnce(*model, View(DataType::kInt64, shape, std::vector<int64_t>{3}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(result.error().message(), HasSubstr("node 'pick' (Gather)"));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("/onnxruntime")));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("\n")));
}

TEST_F(OnnxRuntimeTest, ExternalDataComeFromMemoryOnly) {
  using namespace testing;
  const auto graph = [](std::string_view path) {
    return Model(Graph({Node("scale", "Mul", {"x", "w"}, {"m"}), Node("shift", "Add", {"m", "b"}, {"y"})},
                       {ExternalInitializer("w", kFloat, {2}, path, 4096, 8),
                        ExternalInitializer("b", kFloat, {2}, "more/b.bin", 0, 8)},
                       {ValueInfo("x", kFloat, {-1, 2})}, {ValueInfo("y", kFloat, {-1, 2})}));
  };
  Bytes weights(4096 + 8);
  const float two[2] = {2, 3};
  std::memcpy(weights.data() + 4096, two, sizeof two);
  Bytes bias(8);
  const float ten[2] = {10, 20};
  std::memcpy(bias.data(), ten, sizeof ten);
  const ExternalFile files[] = {{.path = "w.bin", .bytes = weights}, {.path = "more/b.bin", .bytes = bias}};
  std::unique_ptr<LoadedModel> model = Load(graph("w.bin"), files);
  ASSERT_NE(model, nullptr);
  std::fill(weights.begin(), weights.end(), 0xFF);  // not needed afterwards
  std::fill(bias.begin(), bias.end(), 0xFF);
  const std::vector<int64_t> shape = {1, 2};
  const auto result = RunOnce(*model, View(DataType::kFp32, shape, std::vector<float>{1, 1}));
  ASSERT_TRUE(result);
  float values[2];
  std::memcpy(values, result->data(), sizeof values);
  EXPECT_EQ(values[0], 12.0F);
  EXPECT_EQ(values[1], 23.0F);

  EXPECT_EQ(LoadError(graph("w.bin"), std::span(files).last(1)).code(), Code::kInvalidArgument);
  for (const char* path : {"/etc/passwd", "../../../../../etc/passwd", "/proc/self/exe"}) {
    EXPECT_EQ(LoadError(graph(path), files).code(), Code::kInvalidArgument) << path;
  }
  weights.resize(4096);
  const ExternalFile cut[] = {{.path = "w.bin", .bytes = ByteSpan(weights).first(4096)}, files[1]};
  EXPECT_EQ(LoadError(graph("w.bin"), cut).code(), Code::kInvalidArgument);
}

TEST_F(OnnxRuntimeTest, ForeignBytesAndOperatorsAreRefusedInOneLine) {
  using namespace testing;
  const std::string foreign = Model(Graph({Node("odd", "Frobnicate", {"x"}, {"y"}, {}, "com.example")}, {},
                                          {ValueInfo("x", kFloat, {1})}, {ValueInfo("y", kFloat, {1})}));
  const std::string ort_format = std::string("\x1c\0\0\0ORTM", 8) + std::string(200, '\0');
  std::string cut = MlpModel({8, 8, 4});
  cut.resize(cut.size() / 2);
  for (const std::string& bytes :
       {foreign, ort_format, cut, std::string("no model"), std::string(1000, '\xFF')}) {
    const Error error = LoadError(bytes);
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_FALSE(error.message().empty());
    EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
    EXPECT_THAT(error.message(), Not(HasSubstr("/onnxruntime")));
  }
  EXPECT_THAT(LoadError(foreign).message(), HasSubstr("Frobnicate"));
}

TEST_F(OnnxRuntimeTest, OutputsComeInTheOrderWanted) {
  using namespace testing;
  const auto model = Load(Model(Graph(
      {Node("a", "Neg", {"x"}, {"minus"}), Node("b", "Identity", {"x"}, {"same"})}, {},
      {ValueInfo("x", kFloat, {-1})}, {ValueInfo("minus", kFloat, {-1}), ValueInfo("same", kFloat, {-1})})));
  const auto runner = std::move(*model->NewRunner());
  const std::vector<float> values = {5};
  const std::vector<int64_t> shape = {1};
  const InputView input = View(DataType::kFp32, shape, values);
  std::vector<OutputView> outputs;
  const uint32_t both[] = {1, 0};
  ASSERT_TRUE(runner->Run({&input, 1}, both, outputs));
  float first = 0;
  std::memcpy(&first, outputs[0].data.data(), sizeof first);
  EXPECT_EQ(first, 5.0F);
  const uint32_t one[] = {0};
  ASSERT_TRUE(runner->Run({&input, 1}, one, outputs));
  ASSERT_EQ(outputs.size(), 1U);
  std::memcpy(&first, outputs[0].data.data(), sizeof first);
  EXPECT_EQ(first, -5.0F);
}

TEST_F(OnnxRuntimeTest, TerminateEndsARunAndTheNextOneIsFine) {
  const auto endless = Load(testing::LoopModel(int64_t{1} << 40));
  const auto runner = std::move(*endless->NewRunner());
  const std::vector<float> values(4);
  const std::vector<int64_t> shape = {1, 4};
  const InputView input = View(DataType::kFp32, shape, values);
  const uint32_t wanted[] = {0};
  std::vector<OutputView> outputs;
  for (int round = 0; round < 2; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::thread terminator([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      runner->Terminate();
    });
    const Status status = runner->Run({&input, 1}, wanted, outputs);
    terminator.join();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kDeadlineExceeded) << status.error().message();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their allocators abort instead
TEST_F(OnnxRuntimeTest, TooMuchMemoryIsResourceExhausted) {
  const auto model = Load(testing::ExpandModel(int64_t{1} << 44));
  const std::vector<int64_t> shape = {1};
  const auto result = RunOnce(*model, View(DataType::kFp32, shape, std::vector<float>{1}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kResourceExhausted) << result.error().message();
}
#endif

// Rows of a batch against the same rows alone. On this engine the kernels for other row counts add in another
// order, so the last bits may differ; the README promises 1e-5 of the larger magnitude.
TEST_F(OnnxRuntimeTest, BatchedAnswersEqualSingleOnes) {
  size_t differing = 0;
  size_t compared = 0;
  for (const std::vector<int64_t>& widths :
       {std::vector<int64_t>{64, 96, 48, 10}, {7, 13, 5}, {300, 700, 3}}) {
    const auto model = Load(testing::MlpModel(widths));
    const auto runner = std::move(*model->NewRunner());
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (const size_t calls : {2, 3, 16, 64, 100}) {
      std::vector<std::vector<float>> rows(calls, std::vector<float>(static_cast<size_t>(widths.front())));
      for (auto& row : rows) std::generate(row.begin(), row.end(), [&] { return normal(random); });
      const std::vector<int64_t> shape = {1, widths.front()};
      std::vector<InputView> inputs;
      for (const auto& row : rows) inputs.push_back(View(DataType::kFp32, shape, row));
      const uint32_t wanted[] = {0};
      std::vector<RunRequest> requests;
      for (const InputView& input : inputs) requests.push_back({.inputs = {&input, 1}, .wanted = wanted});
      Batcher batched;
      ASSERT_TRUE(batched.Run(*runner, requests));
      std::vector<Bytes> answers;
      for (size_t i = 0; i < calls; ++i) {
        answers.emplace_back(batched.outputs(i)[0].data.begin(), batched.outputs(i)[0].data.end());
      }
      Batcher single;
      for (size_t i = 0; i < calls; ++i) {
        ASSERT_TRUE(single.Run(*runner, std::span(requests).subspan(i, 1)));
        const ByteSpan alone = single.outputs(0)[0].data;
        ASSERT_EQ(alone.size(), answers[i].size());
        for (size_t k = 0; k < alone.size(); k += sizeof(float)) {
          float a = 0;
          float b = 0;
          std::memcpy(&a, alone.data() + k, sizeof a);
          std::memcpy(&b, answers[i].data() + k, sizeof b);
          ++compared;
          if (a != b) ++differing;
          ASSERT_NEAR(a, b, 1e-5F * std::max(std::abs(a), std::abs(b)));
        }
      }
    }
  }
  std::printf("values that differ between batched and single runs: %zu of %zu\n", differing, compared);
}

TEST_F(OnnxRuntimeTest, ManyRunnersOfOneModelRunSideBySide) {
  const auto model = Load(testing::MlpModel({600, 600, 10}));  // large enough for the pool
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const std::vector<float> values(600 * 8, 0.25F);
      const std::vector<int64_t> shape = {8, 600};
      for (int i = 0; i < 20; ++i) {
        if (!RunOnce(*model, View(DataType::kFp32, shape, values))) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace glasscase::inference
