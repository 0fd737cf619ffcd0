// Several calls in one run: their inputs one after the other along dimension 0, the outputs cut apart again.
//
// Only for models whose rows were proved independent (base/onnx): otherwise one caller's data would enter
// another's answer. Answers of a batch may differ from those of single runs in the last bits, because the
// engine picks other kernels for other row counts (README).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>

namespace glasscase::inference {

struct RunRequest {
  std::span<const InputView> inputs;
  std::span<const uint32_t> wanted;
};

// Dimension 0 of all inputs when they agree on one of at least 1; nothing otherwise, and such a request goes
// alone.
std::optional<int64_t> RowsOf(const RunRequest& request);

// Bytes of all inputs together.
size_t InputBytes(const RunRequest& request);

// Whether two requests, each with rows, differ in dimension 0 only and want the same outputs.
bool MayShareRun(const RunRequest& a, const RunRequest& b);

// Keeps its buffers from run to run. Not thread-safe.
class Batcher {
 public:
  // Runs all requests in one run of `runner`. More than one only if each has rows and all may share.
  // Fails as Runner::Run; Internal also when an output does not have the batch's rows.
  Status Run(Runner& runner, std::span<const RunRequest> requests);

  // Of request i of the last Run, in the order wanted. Valid until the next Run of the runner or of this.
  std::span<const OutputView> outputs(size_t i) const;

 private:
  void Concatenate(std::span<const RunRequest> requests, int64_t rows);
  Status Cut(std::span<const RunRequest> requests, int64_t rows);

  struct Joined {
    std::vector<int64_t> shape;
    Bytes data;
  };
  std::vector<Joined> joined_;  // per input
  std::vector<InputView> inputs_;
  std::vector<OutputView> whole_;   // outputs of the run
  std::vector<OutputView> pieces_;  // of request i: whole_.size() of them from i * whole_.size()
};

}  // namespace glasscase::inference
