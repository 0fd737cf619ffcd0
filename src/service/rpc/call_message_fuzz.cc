// Hostile bytes as a call and as an answer: refused, or views that lie inside the bytes and survive being
// written again.
#include <cstdlib>
#include <functional>

#include <glasscase/rpc/call_message.h>

namespace {

using namespace glasscase;

void CheckInside(ByteSpan whole, const void* data, size_t size) {
  if (size == 0) return;
  const auto* begin = static_cast<const uint8_t*>(data);
  const std::less_equal<const uint8_t*> not_after;
  if (!not_after(whole.data(), begin) || !not_after(begin + size, whole.data() + whole.size())) std::abort();
}

void CheckTensor(ByteSpan whole, const rpc::TensorView& tensor) {
  CheckInside(whole, tensor.name.data(), tensor.name.size());
  CheckInside(whole, tensor.data.data(), tensor.data.size());
  if (tensor.rank > kRankMax) std::abort();
  static_cast<void>(CheckTensorData(tensor.name, tensor.datatype, tensor.shape(), tensor.data));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes(data, size);
  rpc::CallView call;
  if (rpc::ParseCall(bytes, call)) {
    CheckInside(bytes, call.version.data(), call.version.size());
    for (const rpc::TensorView& tensor : call.inputs) CheckTensor(bytes, tensor);
    for (const std::string_view name : call.outputs) CheckInside(bytes, name.data(), name.size());
  }
  rpc::AnswerView answer;
  if (rpc::ParseAnswer(bytes, answer)) {
    CheckInside(bytes, answer.message.data(), answer.message.size());
    for (const rpc::TensorView& tensor : answer.outputs) CheckTensor(bytes, tensor);
    Bytes again(rpc::AnswerBytes(answer));
    if (again.size() != size || rpc::WriteAnswer(answer, again) != size) std::abort();
  }
  return 0;
}
