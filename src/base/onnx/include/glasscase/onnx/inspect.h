// Reads a foreign ONNX file and says what it is, or why it is refused. Runs only in the throw-away
// inspector process; still, no input may crash it, make it hang or make it allocate without bound.
//
// Format: onnx.proto of the ONNX project (IR version 3 to 13); external data as its docs/ExternalData.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::onnx {

struct Limits {
  uint64_t model_bytes_max = uint64_t{2} << 30;   // protobuf's own limit
  uint64_t total_bytes_max = uint64_t{16} << 30;  // model and external data
  uint32_t nesting_max = 64;                      // subgraphs in subgraphs, functions in functions
  uint32_t nodes_max = 2'000'000;                 // over all graphs and functions
  uint32_t inputs_max = 256;
  uint32_t outputs_max = 256;
};

// A file that came with the model: the path relative to the model's folder as the owner named it.
struct ExternalFile {
  std::string path;
  ByteSpan bytes;
};

struct Description {
  std::vector<TensorSpec> inputs;  // graph inputs that are not initializers
  std::vector<TensorSpec> outputs;
  std::vector<std::pair<std::string, int64_t>> opsets;  // domain ("" is ai.onnx), version
  int64_t ir_version = 0;
  std::string producer;     // as the file says, printable, at most 120 characters
  uint64_t parameters = 0;  // elements of all initializers
  // True when dimension 0 varies in every input and output and every output row was proved to depend on
  // the same input row alone, so that rows of different callers may share a run. Never guessed. The proof
  // speaks of runs in which all inputs have equally many rows, and of requests that agree in every other
  // dimension. A run can fail because of one row (an index outside a table, say): then each request must be
  // run by itself.
  bool rows_independent = false;
  std::string rows_reason;                  // why not, naming the node; empty when proved
  std::vector<std::string> external_paths;  // the files the model refers to, sorted, without repeats
};

// Checks everything that can be checked without running: size, recursion, external-data paths (relative,
// no "..", no absolute path, no backslash, present among `files`, offset and length inside the file), known
// domains and opsets, declared tensor sizes against the bytes present, types of inputs and outputs
// (sequences, maps and optionals are refused with the exporter option that avoids them), duplicate or
// missing names, node inputs that nothing produces, cycles, recursive functions.
// Errors: InvalidArgument whose message names the node, tensor or field first, then what to do.
Result<Description> Inspect(ByteSpan model, std::span<const ExternalFile> files, const Limits& limits);

}  // namespace glasscase::onnx
