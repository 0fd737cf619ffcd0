#include <glasscase/inference/batcher.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace glasscase::inference {
namespace {

constexpr size_t kKeptBytesMax = size_t{1} << 20;  // of a buffer, from run to run

// Bytes of the first `elements` BYTES elements; nothing when the data end before.
std::optional<size_t> StringBytes(ByteSpan data, uint64_t elements) {
  size_t at = 0;
  for (uint64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    if (data.size() - at < sizeof length) return std::nullopt;
    std::memcpy(&length, data.data() + at, sizeof length);
    at += sizeof length;
    if (data.size() - at < length) return std::nullopt;
    at += length;
  }
  return at;
}

uint64_t ElementsPerRow(const OutputView& output) {
  uint64_t elements = 1;
  for (size_t i = 1; i < output.rank; ++i) elements *= static_cast<uint64_t>(output.dimensions[i]);
  return elements;
}

}  // namespace

std::optional<int64_t> RowsOf(const RunRequest& request) {
  std::optional<int64_t> rows;
  for (const InputView& input : request.inputs) {
    if (input.shape.empty() || input.shape[0] < 1) return std::nullopt;
    if (rows && *rows != input.shape[0]) return std::nullopt;
    rows = input.shape[0];
  }
  return rows;
}

size_t InputBytes(const RunRequest& request) {
  size_t bytes = 0;
  for (const InputView& input : request.inputs) bytes += input.data.size();
  return bytes;
}

bool MayShareRun(const RunRequest& a, const RunRequest& b) {
  if (!std::equal(a.wanted.begin(), a.wanted.end(), b.wanted.begin(), b.wanted.end())) return false;
  return std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(),
                    [](const InputView& x, const InputView& y) {
                      return x.datatype == y.datatype && x.shape.size() == y.shape.size() &&
                             std::equal(x.shape.begin() + 1, x.shape.end(), y.shape.begin() + 1);
                    });
}

Status Batcher::Run(Runner& runner, std::span<const RunRequest> requests) {
  GC_CHECK(!requests.empty());
  if (requests.size() == 1) {
    GC_TRY_VOID(runner.Run(requests[0].inputs, requests[0].wanted, whole_));
    pieces_.assign(whole_.begin(), whole_.end());
    return Ok();
  }
  int64_t rows = 0;
  for (const RunRequest& request : requests) {
    const std::optional<int64_t> own = RowsOf(request);
    GC_CHECK(own.has_value());
    rows += *own;
  }
  Concatenate(requests, rows);
  GC_TRY_VOID(runner.Run(inputs_, requests[0].wanted, whole_));
  return Cut(requests, rows);
}

std::span<const OutputView> Batcher::outputs(size_t i) const {
  return std::span<const OutputView>(pieces_).subspan(i * whole_.size(), whole_.size());
}

void Batcher::Concatenate(std::span<const RunRequest> requests, int64_t rows) {
  const size_t count = requests[0].inputs.size();
  if (joined_.size() < count) joined_.resize(count);
  inputs_.resize(count);
  for (size_t k = 0; k < count; ++k) {
    Joined& joined = joined_[k];
    const InputView& first = requests[0].inputs[k];
    joined.shape.assign(first.shape.begin(), first.shape.end());
    joined.shape[0] = rows;
    size_t bytes = 0;
    for (const RunRequest& request : requests) bytes += request.inputs[k].data.size();
    if (joined.data.capacity() > kKeptBytesMax && bytes < kKeptBytesMax) joined.data = Bytes();
    if (joined.data.size() < bytes) joined.data.resize(bytes);
    size_t at = 0;
    for (const RunRequest& request : requests) {
      const ByteSpan data = request.inputs[k].data;
      if (!data.empty()) std::memcpy(joined.data.data() + at, data.data(), data.size());
      at += data.size();
    }
    inputs_[k] = {
        .datatype = first.datatype, .shape = joined.shape, .data = ByteSpan(joined.data).first(bytes)};
  }
}

Status Batcher::Cut(std::span<const RunRequest> requests, int64_t rows) {
  const size_t count = whole_.size();
  pieces_.resize(count * requests.size());
  for (size_t k = 0; k < count; ++k) {
    const OutputView& whole = whole_[k];
    if (whole.rank == 0 || whole.dimensions[0] != rows) {
      return Fail(Error::Internal("an output does not have the rows of its batch: shape=" +
                                  ShapeText(whole.shape()) + ", rows=" + std::to_string(rows)));
    }
    const uint64_t row_elements = ElementsPerRow(whole);
    ByteSpan left = whole.data;
    for (size_t i = 0; i < requests.size(); ++i) {
      const int64_t own_rows = requests[i].inputs[0].shape[0];
      const uint64_t elements = row_elements * static_cast<uint64_t>(own_rows);
      const std::optional<size_t> bytes =
          whole.datatype == DataType::kBytes ? StringBytes(left, elements)
                                             : std::optional<size_t>(elements * ElementBytes(whole.datatype));
      if (!bytes || *bytes > left.size()) return Fail(Error::Internal("an output is shorter than its shape"));
      OutputView& piece = pieces_[i * count + k];
      piece = whole;
      piece.dimensions[0] = own_rows;
      piece.data = left.first(*bytes);
      left = left.subspan(*bytes);
    }
  }
  return Ok();
}

}  // namespace glasscase::inference
