// A run tells how far it is by lines "progress FRACTION TEXT" among what it prints.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace glasscase::working {

class ProgressReader {
 public:
  using Tell =
      std::function<void(double fraction, std::string_view text)>;  // 0 to 1; UTF-8, some kTextMax bytes
  static constexpr size_t kTextMax = 200;

  explicit ProgressReader(Tell tell) : tell_(std::move(tell)) {}
  // What was printed, in pieces of any size. A line that is longer than any progress is passed over; of
  // several in one piece the last is told, so that no run can keep its listeners busy.
  void Take(std::string_view printed);

 private:
  static constexpr size_t kLineMax = 300;
  void TakeLine();
  Tell tell_;
  std::string line_;
  std::optional<std::pair<double, std::string>> last_;
};

}  // namespace glasscase::working
