// A run tells how far it is by lines "progress FRACTION TEXT" among what it prints.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace glasscase::working {

class ProgressReader {
 public:
  using Tell = std::function<void(double fraction, std::string_view text)>;  // 0 to 1; at most kTextMax bytes
  static constexpr size_t kTextMax = 200;

  explicit ProgressReader(Tell tell) : tell_(std::move(tell)) {}
  // What was printed, in pieces of any size. A line that is longer than any progress is passed over.
  void Take(std::string_view printed);

 private:
  static constexpr size_t kLineMax = 300;
  void TakeLine();
  Tell tell_;
  std::string line_;
};

}  // namespace glasscase::working
