#include "inspection.h"

#include <string>
#include <vector>

#include <glasscase/hosting/model_files.h>
#include <glasscase/onnx/inspect.h>
#include <glasscase/rpc/convert.h>
#include <glasscase/tensor/tensor.h>

#include "signature.h"

namespace glasscase::inspector {
namespace {

// Equal where both know a dimension. An engine without an idea of the shape says that it has none.
bool MayBeSame(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  if (a.size() != b.size()) return a.empty() || b.empty();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] >= 0 && b[i] >= 0 && a[i] != b[i]) return false;
  }
  return true;
}

Status Compare(std::string_view what, const std::vector<TensorSpec>& ours,
               const std::vector<TensorSpec>& engines) {
  const std::string kind(what);
  if (ours.size() != engines.size()) {
    return Fail(Error::InvalidArgument("the file declares " + std::to_string(ours.size()) + " " + kind +
                                       "s, ONNX Runtime finds " + std::to_string(engines.size())));
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    const TensorSpec& a = ours[i];
    const TensorSpec& b = engines[i];
    if (a.name == b.name && a.datatype == b.datatype && MayBeSame(a.shape, b.shape)) continue;
    return Fail(Error::InvalidArgument(kind + " '" + Printable(a.name) + "': the file declares " +
                                       std::string(DataTypeName(a.datatype)) + " " + ShapeText(a.shape) +
                                       ", ONNX Runtime finds '" + Printable(b.name) + "' " +
                                       std::string(DataTypeName(b.datatype)) + " " + ShapeText(b.shape)));
  }
  return Ok();
}

Status Inspect(const rpc::InspectJob& job, std::span<const Fd> fds, inference::Engine& engine,
               uint64_t bytes_max, rpc::InspectReport& report) {
  if (!job.signature().empty()) GC_TRY_VOID(CheckSignature(job, fds));
  if (job.kept()) return Ok();
  GC_TRY(const std::vector<hosting::FileClaim> claims, hosting::ReadClaims(job.files()));
  GC_TRY(const hosting::ModelFiles files, hosting::ModelFiles::Copy(claims, fds, std::nullopt, bytes_max));
  const std::vector<inference::ExternalFile> external = files.external();
  std::vector<onnx::ExternalFile> onnx_files;
  onnx_files.reserve(external.size());
  for (const inference::ExternalFile& file : external)
    onnx_files.push_back({.path = file.path, .bytes = file.bytes});
  GC_TRY(const onnx::Description description, onnx::Inspect(files.graph(), onnx_files, onnx::Limits{}));
  {
    auto model = engine.Load(files.graph(), external);
    if (!model) return Fail(model.error().WithContext("ONNX Runtime refuses the model"));
    GC_TRY_VOID(Compare("input", description.inputs, (*model)->inputs()));
    GC_TRY_VOID(Compare("output", description.outputs, (*model)->outputs()));
  }
  for (const TensorSpec& spec : description.inputs) *report.add_inputs() = rpc::ToMessage(spec);
  for (const TensorSpec& spec : description.outputs) *report.add_outputs() = rpc::ToMessage(spec);
  report.set_rows_independent(description.rows_independent);
  report.set_rows_reason(description.rows_reason);
  report.set_producer(description.producer);
  report.set_parameters(static_cast<int64_t>(description.parameters));
  return Ok();
}

}  // namespace

rpc::InspectReport InspectFiles(const rpc::InspectJob& job, std::span<const Fd> fds,
                                inference::Engine& engine, uint64_t bytes_max) {
  rpc::InspectReport report;
  report.set_runtime_version(engine.version());
  const Status status = Inspect(job, fds, engine, bytes_max, report);
  if (!status) {
    report.set_code(static_cast<uint32_t>(status.error().code()));
    report.set_message(status.error().message());
  }
  return report;
}

}  // namespace glasscase::inspector
