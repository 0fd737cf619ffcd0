// Quotas: "N/T" is a burst of N calls, refilled at N per T (generic cell rate algorithm, GCRA: ITU-T I.371).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>

namespace glasscase::access {

struct Quota {
  uint32_t calls = 0;      // 1 to 1,000,000,000
  uint64_t period_ns = 0;  // 1 s to 366 days

  // "100/min": a number, "/", and s, min, h, d (also sec, second, minute, hour, day, or a number before the
  // unit: "100/10min"). InvalidArgument shows the form.
  static Result<Quota> Parse(std::string_view text);
  std::string ToString() const;  // the shortest form that parses back, "100/min"
  bool operator==(const Quota&) const = default;
};

struct QuotaAnswer {
  bool allowed = true;
  uint32_t remaining = 0;       // calls that would be allowed at once after this one
  uint64_t reset_ns = 0;        // until the whole burst is there again
  uint64_t retry_after_ns = 0;  // when refused: until one call would be allowed
};

// The pure step: `tat_ns` is the theoretical arrival time, in nanoseconds of the machine's monotonic clock.
QuotaAnswer DebitQuota(const Quota& quota, uint64_t now_ns, uint64_t& tat_ns);

// The debits of one host, in a memory file that outlives it: a restarted host goes on where it stopped.
// One thread.
class QuotaLedger {
 public:
  static constexpr size_t kEntriesMax = size_t{1} << 20;
  static constexpr size_t kMemoryBytes = 64 + kEntriesMax * 32;  // size of the memfd; sparse until used

  // `memory_fd`: a memory file, empty when new (it is given kMemoryBytes then). Keeps a mapping, not the
  // descriptor.
  static Result<QuotaLedger> Open(int memory_fd);
  QuotaLedger(QuotaLedger&&) noexcept;
  QuotaLedger& operator=(QuotaLedger&&) noexcept;
  ~QuotaLedger();

  // ResourceExhausted when kEntriesMax grants have debits.
  Result<QuotaAnswer> Debit(const Uuid& grant, const Quota& quota, uint64_t now_ns);
  // Frees the entries of grants that are gone.
  void Forget(const Uuid& grant);
  // The same for all that `keep` does not want: after a whole table came.
  void ForgetUnless(const std::function<bool(const Uuid&)>& keep);

 private:
  struct Entry;
  struct Header;
  QuotaLedger() = default;

  Header* header_ = nullptr;
  Entry* entries_ = nullptr;
  std::unordered_map<Uuid, uint32_t, UuidHash> index_;
  std::vector<uint32_t> free_;
};

}  // namespace glasscase::access
