#include "ort_status.h"

#include <algorithm>
#include <array>

#include <glasscase/core/bytes.h>

namespace glasscase::inference {
namespace {

constexpr size_t kMessageCharsMax = 300;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool IsOutOfMemory(std::string_view message) {
  constexpr std::array<std::string_view, 5> kSigns = {
      "bad_alloc", "Failed to allocate memory", "Available memory of", "bad allocation", "out of memory"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [message](std::string_view s) { return Contains(message, s); });
}

// What stands between `before` and `after`; empty when either is missing.
std::string_view Between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + before.size());
  const size_t end = text.find(after);
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
}

// "/onnxruntime_src/…/x.cc:12 void onnxruntime::F(int) a == b was false. The text": only the text is for
// people.
std::string_view DropSourcePlace(std::string_view text) {
  constexpr std::string_view kCheck = " was false. ";
  if (const size_t at = text.rfind(kCheck); at != std::string_view::npos)
    return text.substr(at + kCheck.size());
  const size_t path = text.find("/onnxruntime");
  if (path == std::string_view::npos) return text;
  const size_t signature_end = text.find(") ", path);
  return signature_end == std::string_view::npos ? text.substr(0, path) : text.substr(signature_end + 2);
}

}  // namespace

std::string CleanMessage(std::string_view message) {
  const std::string_view kind = Between(message, "while running ", " node. Name:'");
  const std::string_view name = Between(message, " node. Name:'", "'");
  const std::string_view rest =
      kind.empty() ? message : message.substr(std::min(message.size(), message.find("Name:'")));
  std::string text(DropSourcePlace(rest));
  if (!kind.empty()) text = "node '" + std::string(name) + "' (" + std::string(kind) + "): " + text;
  std::replace(text.begin(), text.end(), '"', '\'');
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return Printable(text, kMessageCharsMax);
}

Status ToStatus(const OrtApi& api, OrtStatus* status, During during) {
  if (status == nullptr) return Ok();
  const std::string message = api.GetErrorMessage(status);
  const OrtErrorCode code = api.GetErrorCode(status);
  api.ReleaseStatus(status);
  if (IsOutOfMemory(message)) return Fail(Error::ResourceExhausted("the model's host ran out of memory"));
  if (during == During::kLoad) return Fail(Error::InvalidArgument(CleanMessage(message)));
  if (Contains(message, "terminate flag"))
    return Fail(Error::DeadlineExceeded("the model did not finish in time"));
  if (code == ORT_INVALID_ARGUMENT || code == ORT_RUNTIME_EXCEPTION || code == ORT_FAIL) {
    return Fail(Error::InvalidArgument("the model cannot take this input: " + CleanMessage(message)));
  }
  return Fail(Error::Internal("the model failed: " + CleanMessage(message)));
}

}  // namespace glasscase::inference
