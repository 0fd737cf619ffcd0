#include "report.h"

#include <chrono>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/process/file_io.h>

namespace glasscase::translator {
namespace {

namespace json = boost::json;
constexpr int64_t kBetweenLinesMs = 100;

}  // namespace

void Progress::Show(std::string_view step, uint64_t done, uint64_t total) {
  const int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::steady_clock::now().time_since_epoch())
                             .count();
  if (step_ == step && now_ms - last_ms_ < kBetweenLinesMs) return;
  step_ = step;
  last_ms_ = now_ms;
  // Nobody may be reading: then the work goes on all the same.
  (void)WriteWhole(fd_,
                   json::serialize(json::object{{"step", step_}, {"done", done}, {"total", total}}) + "\n");
}

Status WriteWhole(int fd, std::string_view text) {
  return process::WriteAll(fd, AsBytes(text), "cannot write");
}

std::string ErrorLine(const Error& error) {
  const json::object line{
      {"error", {{"code", std::string(CodeName(error.code()))}, {"message", error.message()}}}};
  return json::serialize(line) + "\n";
}

}  // namespace glasscase::translator
