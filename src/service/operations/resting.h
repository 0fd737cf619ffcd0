// Who failed what it was given, and rests before it is given more.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <glasscase/operations/operations.h>

namespace glasscase::operations {

// A worker that is broken fails every run at once: without rests, longer each time, it would use up a queue
// of thousands before anybody looks. One thread.
class Resting {
 public:
  static constexpr uint32_t kSuspectFrom = 3;  // faults in a row
  static constexpr int64_t kFirstRestMs = 1'000;
  static constexpr int64_t kRestMsMax = 60'000;

  // How long one rests after so many faults in a row.
  static int64_t RestMs(uint32_t faults);

  void NoteFault(const PeerId& who, int64_t now_ms, std::string why);
  void NoteGood(const PeerId& who) { faults_.erase(who); }

  bool Rests(const PeerId& who, int64_t now_ms) const;
  // It failed so often in a row that what it fails at says nothing of the run.
  bool IsSuspect(const PeerId& who) const;
  // Until the first of those that rest is done; 0: nobody rests.
  int64_t NextMs(int64_t now_ms) const;
  // For `glasscase status`: "failed 4 times in a row and rests for 8 s: WHY"; empty when it did not.
  std::string TextOf(const PeerId& who, int64_t now_ms) const;

 private:
  struct Faults {
    uint32_t in_a_row = 0;
    int64_t until_ms = 0;
    std::string why;
  };
  std::map<PeerId, Faults> faults_;
};

}  // namespace glasscase::operations
