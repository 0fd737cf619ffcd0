// The program that looks into files of strangers (apps/glasscase-comparer), asked from here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/comparison/compare.h>
#include <glasscase/core/error.h>

namespace glasscase::working {

class Comparer {
 public:
  static constexpr int64_t kWallMsMax = 600'000;
  static constexpr uint64_t kMemoryBytesMax = uint64_t{12} << 30;

  // `cancel_fd` becomes readable when it is to end.
  Comparer(std::string program, int cancel_fd) : program_(std::move(program)), cancel_fd_(cancel_fd) {}

  // "class", "numbers", "different", ... as the program says it. Errors, here and below: FailedPrecondition
  // for files that it cannot compare; Cancelled; Unavailable and Internal when it could not be started, or
  // was killed: another time it may go.
  Result<boost::json::object> Compare(int original, int repeated,
                                      const comparison::Tolerance& tolerance) const;
  // "count" and at most `numbers_max` "numbers" of a file, evenly spaced.
  Result<boost::json::object> Sample(int file, uint64_t numbers_max) const;

 private:
  Result<boost::json::object> Ask(std::vector<std::string> words,
                                  std::vector<std::pair<int, int>> files) const;

  const std::string program_;
  const int cancel_fd_;
};

}  // namespace glasscase::working
