// What the translator tells the command that started it: lines of JSON on its standard output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::translator {

// {"step":"comparing","done":1024,"total":30000}, at most ten a second for one step.
class Progress {
 public:
  explicit Progress(int fd) : fd_(fd) {}
  void Show(std::string_view step, uint64_t done, uint64_t total);

 private:
  const int fd_;
  std::string step_;
  int64_t last_ms_ = 0;
};

// All of `text`; FromErrno when the other side does not take it.
Status WriteWhole(int fd, std::string_view text);

// {"error":{"code":"invalid_argument","message":"..."}} and a line feed.
std::string ErrorLine(const Error& error);

}  // namespace glasscase::translator
