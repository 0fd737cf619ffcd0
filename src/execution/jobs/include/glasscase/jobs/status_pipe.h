// What the program that makes a sandbox says of it, beside what the job prints. For executors.
#pragma once

#include <optional>
#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::jobs {

class StatusPipe {
 public:
  static Result<StatusPipe> Make();

  int write_end() const { return write_.get(); }  // for the child; close it once that has started
  void CloseWriteEnd() { write_ = Fd(); }

  // What `find` finds in all that was said, as soon as it does; nothing when the other end is closed before,
  // or silent for five seconds.
  template <typename Find>
  auto WaitFor(Find find) -> decltype(find(std::string())) {
    while (!find(text_))
      if (!ReadSoon()) break;
    return find(text_);
  }
  // All, to its end.
  const std::string& ReadAll();

 private:
  bool ReadSoon();
  bool ReadSome();

  Fd read_, write_;
  std::string text_;
};

}  // namespace glasscase::jobs
