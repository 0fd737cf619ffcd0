// What the dispatcher's threads pass to each other: calls that wait, and the versions they wait for.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/ids.h>
#include <glasscase/inference/batcher.h>
#include <glasscase/inference/engine.h>
#include <glasscase/rpc/call_message.h>
#include <glasscase/tensor/tensor.h>

#include "call_port.h"
#include "gate.h"

namespace glasscase::hosting {

// A call that was let through and waits, or the record of one that is being looked at. Recycled: its vectors
// keep their capacity.
struct PendingCall {
  std::shared_ptr<CallPort>
      port;  // owned together with the dispatcher: a replaced port lives until its calls ended
  Bytes record;
  rpc::CallView view;                        // into record
  std::vector<inference::InputView> inputs;  // in the model's order, into view
  std::vector<uint32_t> wanted;
  std::optional<int64_t> rows;
  int64_t deadline_ns = 0;
  Uuid version;
  QuotaState quota;

  inference::RunRequest request() const { return {.inputs = inputs, .wanted = wanted}; }
};

// What is loaded of a version. Runs under way keep it alive after it was unloaded.
struct LoadedVersion {
  std::unique_ptr<inference::LoadedModel> model;
  std::vector<std::unique_ptr<inference::Runner>> free_runners;  // guarded by the dispatcher's mutex
};

// How long runs of a version take, by the power of two of their rows.
class RunTimes {
 public:
  void Add(int64_t rows, int64_t nanos) {
    float& known = nanos_[Bucket(rows)];
    known = known == 0 ? static_cast<float>(nanos) : known + (static_cast<float>(nanos) - known) / 8;
  }
  // Nothing when no run was seen yet. From the nearest known bucket below, growing as the rows do, or above.
  std::optional<int64_t> Expect(int64_t rows) const {
    const size_t wanted = Bucket(rows);
    float factor = 1;
    for (size_t i = wanted + 1; i-- > 0; factor *= 2) {
      if (nanos_[i] != 0) return static_cast<int64_t>(nanos_[i] * factor);
    }
    for (size_t i = wanted + 1; i < nanos_.size(); ++i) {
      if (nanos_[i] != 0) return static_cast<int64_t>(nanos_[i]);
    }
    return std::nullopt;
  }

 private:
  static size_t Bucket(int64_t rows) {
    return std::min<size_t>(
        static_cast<size_t>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(rows, 1)))) - 1, 15);
  }
  std::array<float, 16> nanos_{};
};

// One version that was called at least once. All of it is guarded by the dispatcher's mutex, except what is
// const.
struct HostedVersion {
  enum class State { kCold, kWanted, kLoading, kReady, kFailed };

  const Uuid id;
  const Uuid model;
  const std::string name;  // "owner/name@label"
  const Digest manifest_digest;
  const std::vector<TensorSpec> inputs;
  const std::vector<TensorSpec> outputs;
  const uint64_t weights_bytes;
  bool rows_independent;  // cleared when a batch showed that it is not so

  State state = State::kCold;
  std::shared_ptr<LoadedVersion> loaded = nullptr;
  uint64_t memory_bytes = 0;  // counted against the budget while loading and loaded
  Error failure = Error::Unavailable("");
  int64_t retry_at_ns = 0;  // when kFailed
  int64_t load_started_ns = 0;
  int64_t last_used_ns = 0;

  std::deque<std::unique_ptr<PendingCall>> queue = {};
  int64_t queued_rows = 0;
  uint32_t running = 0;
  RunTimes times = {};
  bool is_waiting = false;  // in the dispatcher's list of versions with a queue
};

}  // namespace glasscase::hosting
