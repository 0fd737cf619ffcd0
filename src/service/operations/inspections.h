// Foreign models opened in throw-away processes, a few at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "desk.h"

namespace glasscase::operations {

// One thread: the loop's.
class Inspections {
 public:
  static constexpr int64_t kTimeMs = 120'000;
  static constexpr size_t kAtOnce = 2;  // each may use gigabytes

  struct Order {
    rpc::InspectJob job;
    std::function<Result<std::vector<Fd>>()> open;  // the job's files, in its order
    // Once, unless it is dropped; not before Begin returns. InvalidArgument says what the inspector has
    // against them.
    std::function<void(const Result<rpc::InspectReport>&)> then;
  };

  explicit Inspections(Desk& desk);
  ~Inspections();

  uint64_t Begin(Order order);
  // Nobody waits for it any more.
  void Drop(uint64_t order);

  void OnLinked(uint32_t number);
  void OnReport(uint32_t number, const rpc::InspectReport& report);
  void OnGone(uint32_t number);

 private:
  struct Numbered {
    uint64_t id = 0;
    Order order;
    process::EventLoop::TimerId timer = 0;
  };
  void StartNext();
  void Finish(uint32_t number, const Result<rpc::InspectReport>& report);
  std::unique_ptr<Numbered> TakeRunning(uint32_t number);

  Desk& desk_;
  std::deque<std::unique_ptr<Numbered>> waiting_;
  std::map<uint32_t, std::unique_ptr<Numbered>> running_;  // by inspector
  uint64_t last_order_ = 0;
  uint32_t next_number_;
};

// Words of an inspector, which has read a foreign file: kept as they are when they are clean.
std::string InspectorsWords(const std::string& text, size_t max);
// What it found becomes what is said of the version. InvalidArgument when that is too much.
Status TakeOver(const rpc::InspectReport& report, catalog::Version& version);

}  // namespace glasscase::operations
