// An engine for tests: a "graph" is a line of words that says what the model does.
//
//   "rows"          y = x + 1, row by row; x, y: FP32 [-1, 4]
//   "mixes"         like rows, but says nothing about independence: the sum of everything is in each element
//   "slow MS"       like rows, but each run takes MS milliseconds; notices Terminate
//   "stuck MS"      like slow, but does not notice Terminate
//   "later MS"      like slow, but the first three runs take no time
//   "hungry"        runs fail with ResourceExhausted
//   "picky"         runs fail with InvalidArgument when an element is negative
//   "liar"          outputs have one row, whatever was asked
//   "broken"        Load fails
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <glasscase/inference/engine.h>

namespace glasscase::inference::testing {

struct FakeEngineLog {
  std::mutex mutex;               // guards all below
  std::vector<int64_t> run_rows;  // of each run, in order of their starts
  int loads = 0;
  int unloads = 0;
  int running = 0;
  int running_max = 0;
};

class FakeModel final : public LoadedModel {
 public:
  FakeModel(std::string kind, int64_t delay_ms, FakeEngineLog& log)
      : kind_(std::move(kind)), delay_ms_(delay_ms), log_(log) {}
  ~FakeModel() override {
    const std::lock_guard lock(log_.mutex);
    ++log_.unloads;
  }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  uint64_t memory_bytes() const override { return 1000; }
  Result<std::unique_ptr<Runner>> NewRunner() override { return std::make_unique<FakeRunner>(*this); }

 private:
  class FakeRunner final : public Runner {
   public:
    explicit FakeRunner(const FakeModel& model) : model_(model) {}
    Status Run(std::span<const InputView> inputs, std::span<const uint32_t> wanted,
               std::vector<OutputView>& outputs) override {
      terminate_ = false;
      Start(inputs[0].shape[0]);
      const Status status = Compute(inputs[0]);
      const std::lock_guard lock(model_.log_.mutex);
      --model_.log_.running;
      if (!status) return status;
      outputs.clear();
      for (size_t i = 0; i < wanted.size(); ++i) {
        OutputView& output = outputs.emplace_back();
        output.rank = 2;
        output.dimensions = {static_cast<int64_t>(result_.size() / 4), 4};
        output.data = {reinterpret_cast<const uint8_t*>(result_.data()), result_.size() * sizeof(float)};
      }
      return Ok();
    }
    void Terminate() override { terminate_ = true; }

   private:
    void Start(int64_t rows) {
      const std::lock_guard lock(model_.log_.mutex);
      model_.log_.run_rows.push_back(rows);
      model_.log_.running_max = std::max(model_.log_.running_max, ++model_.log_.running);
    }
    Status Compute(const InputView& input) {
      const bool is_quick = model_.kind_ == "later" && runs_++ < 3;
      const auto end =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(is_quick ? 0 : model_.delay_ms_);
      while (std::chrono::steady_clock::now() < end) {
        if (terminate_ && model_.kind_ == "slow") return Fail(Error::DeadlineExceeded("terminated"));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      if (model_.kind_ == "hungry") return Fail(Error::ResourceExhausted("no memory left"));
      result_.resize(input.data.size() / sizeof(float));
      std::memcpy(result_.data(), input.data.data(), input.data.size());
      float sum = 0;
      for (const float x : result_) sum += x;
      for (float& x : result_) {
        if (x < 0 && model_.kind_ == "picky") return Fail(Error::InvalidArgument("a negative element"));
        x = model_.kind_ == "mixes" ? sum : x + 1;
      }
      if (model_.kind_ == "liar") result_.resize(4);
      return Ok();
    }

    const FakeModel& model_;
    std::atomic<bool> terminate_{false};
    std::vector<float> result_;
    int runs_ = 0;
  };

  std::string kind_;
  int64_t delay_ms_;
  FakeEngineLog& log_;
  std::vector<TensorSpec> inputs_{{.name = "x", .datatype = DataType::kFp32, .shape = {-1, 4}}};
  std::vector<TensorSpec> outputs_{{.name = "y", .datatype = DataType::kFp32, .shape = {-1, 4}},
                                   {.name = "z", .datatype = DataType::kFp32, .shape = {-1, 4}}};
};

// `log` outlives the engine.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(FakeEngineLog& log) : log_(log) {}
  Result<std::unique_ptr<LoadedModel>> Load(ByteSpan graph, std::span<const ExternalFile>) override {
    std::istringstream words{std::string(AsText(graph))};
    std::string kind;
    int64_t delay_ms = 0;
    words >> kind >> delay_ms;
    if (kind == "broken") return Fail(Error::InvalidArgument("node \"n\": the fake engine refuses it"));
    const std::lock_guard lock(log_.mutex);
    ++log_.loads;
    return std::make_unique<FakeModel>(kind, delay_ms, log_);
  }
  std::string version() const override { return "fake 1"; }

 private:
  FakeEngineLog& log_;
};

}  // namespace glasscase::inference::testing
