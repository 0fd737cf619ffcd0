// The end of what a job prints, for the reason of its end. For executors.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

// Keeps the end of what goes on to `next`.
class LastWords final : public JobWatcher {
 public:
  explicit LastWords(JobWatcher& next) : next_(next) {}
  void OnLog(std::string_view bytes) override {
    text_.append(bytes);
    if (text_.size() > kKept) text_.erase(0, text_.size() - kKept);
    next_.OnLog(bytes);
  }
  int cancel_fd() const override { return next_.cancel_fd(); }
  std::string Line() const {
    const size_t end = text_.find_last_not_of('\n');
    if (end == std::string::npos) return "";
    const size_t begin = text_.rfind('\n', end);
    return text_.substr(begin == std::string::npos ? 0 : begin + 1,
                        end - (begin == std::string::npos ? 0 : begin + 1) + 1);
  }

 private:
  static constexpr size_t kKept = 1'000;
  JobWatcher& next_;
  std::string text_;
};

}  // namespace glasscase::jobs
