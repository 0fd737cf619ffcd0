#include <glasscase/access/quota.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <utility>

#include <glasscase/core/bytes.h>

namespace glasscase::access {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint32_t kCallsMax = 1'000'000'000;
constexpr uint64_t kPeriodMax = 366 * 86400 * kSecond;

struct Unit {
  std::string_view name;
  uint64_t ns;
};
// The first four are the ones printed, longest first.
constexpr std::array<Unit, 13> kUnits = {{{"d", 86400 * kSecond},
                                          {"h", 3600 * kSecond},
                                          {"min", 60 * kSecond},
                                          {"s", kSecond},
                                          {"day", 86400 * kSecond},
                                          {"days", 86400 * kSecond},
                                          {"hour", 3600 * kSecond},
                                          {"hours", 3600 * kSecond},
                                          {"minute", 60 * kSecond},
                                          {"minutes", 60 * kSecond},
                                          {"sec", kSecond},
                                          {"second", kSecond},
                                          {"seconds", kSecond}}};

// Digits only, no sign; nullopt when there are none or the value passes uint64.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

Error BadQuota(std::string_view text, std::string_view why) {
  return Error::InvalidArgument(
      "quota \"" + Printable(text, 40) + "\": " + std::string(why) +
      "; write it as calls per time, for example 100/min, 20/s, 1000/d or 100/10min");
}

}  // namespace

Result<Quota> Quota::Parse(std::string_view text) {
  std::string_view rest = text;
  const std::optional<uint64_t> calls = TakeNumber(rest);
  if (!calls) return Fail(BadQuota(text, "does not begin with a number of calls"));
  if (*calls < 1 || *calls > kCallsMax) return Fail(BadQuota(text, "calls must be between 1 and 1000000000"));
  if (rest.empty() || rest.front() != '/')
    return Fail(BadQuota(text, "the number of calls is not followed by \"/\""));
  rest.remove_prefix(1);
  uint64_t times = 1;
  if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    times = TakeNumber(rest).value_or(0);
    if (times == 0) return Fail(BadQuota(text, "the time is zero or too long"));
  }
  const auto unit =
      std::find_if(kUnits.begin(), kUnits.end(), [rest](const Unit& u) { return u.name == rest; });
  if (unit == kUnits.end()) return Fail(BadQuota(text, "the unit is none of s, min, h, d"));
  if (times > kPeriodMax / unit->ns) return Fail(BadQuota(text, "the time is longer than 366 days"));
  return Quota{.calls = static_cast<uint32_t>(*calls), .period_ns = times * unit->ns};
}

std::string Quota::ToString() const {
  for (size_t i = 0; i < 4; ++i) {
    const Unit& unit = kUnits[i];
    if (period_ns % unit.ns != 0 && unit.ns != kSecond) continue;
    const uint64_t times = period_ns / unit.ns;
    return std::to_string(calls) + "/" + (times == 1 ? "" : std::to_string(times)) + std::string(unit.name);
  }
  return {};
}

// GCRA as a virtual schedule. The interval is rounded up, so that rounding never grants a call too many.
QuotaAnswer DebitQuota(const Quota& quota, uint64_t now_ns, uint64_t& tat_ns) {
  const uint64_t calls = std::max<uint64_t>(quota.calls, 1);
  const uint64_t interval_ns = std::max<uint64_t>((quota.period_ns + calls - 1) / calls, 1);
  const uint64_t burst_ns = interval_ns * calls;
  // A quota may have been made smaller since the last debit: nobody waits longer than for a whole burst.
  const uint64_t owed_ns = tat_ns > now_ns ? std::min(tat_ns - now_ns, burst_ns) : 0;
  if (owed_ns + interval_ns > burst_ns) {
    return {.allowed = false,
            .remaining = 0,
            .reset_ns = owed_ns,
            .retry_after_ns = owed_ns + interval_ns - burst_ns};
  }
  tat_ns = now_ns + owed_ns + interval_ns;
  return {.allowed = true,
          .remaining = static_cast<uint32_t>((burst_ns - owed_ns - interval_ns) / interval_ns),
          .reset_ns = owed_ns + interval_ns,
          .retry_after_ns = 0};
}

// ---- the ledger
// -------------------------------------------------------------------------------------------------
//
// A host may die between any two stores. The order of stores makes every prefix of them a valid ledger: an
// entry counts from the moment its `used` word is set, which is its last store; a debit is one aligned 8-byte
// store.

struct QuotaLedger::Header {
  uint64_t magic;
  std::atomic<uint64_t> high_water;  // entries at and beyond it were never used
  uint64_t reserved[6];
};

struct QuotaLedger::Entry {
  Uuid grant;
  std::atomic<uint64_t> tat_ns;
  std::atomic<uint64_t> used;
};

namespace {
constexpr uint64_t kMagic = 0x31544F5551474C47;  // "GLGQUOT1" in memory
}  // namespace

Result<QuotaLedger> QuotaLedger::Open(int memory_fd) {
  static_assert(sizeof(Header) == 64 && sizeof(Entry) == 32 && std::atomic<uint64_t>::is_always_lock_free);
  struct stat info {};
  if (::fstat(memory_fd, &info) != 0) return Fail(Error::FromErrno(errno, "cannot look at the quota memory"));
  if (info.st_size == 0 && ::ftruncate(memory_fd, kMemoryBytes) != 0) {
    return Fail(Error::FromErrno(errno, "cannot size the quota memory"));
  }
  if (info.st_size != 0 && static_cast<uint64_t>(info.st_size) != kMemoryBytes) {
    return Fail(
        Error::InvalidArgument("quota memory has the wrong size: bytes=" + std::to_string(info.st_size) +
                               ", wanted=" + std::to_string(kMemoryBytes)));
  }
  void* memory = ::mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  if (memory == MAP_FAILED) return Fail(Error::FromErrno(errno, "cannot map the quota memory"));
  QuotaLedger ledger;
  ledger.header_ = static_cast<Header*>(memory);
  ledger.entries_ = reinterpret_cast<Entry*>(static_cast<uint8_t*>(memory) + sizeof(Header));
  if (ledger.header_->magic == 0) ledger.header_->magic = kMagic;
  const uint64_t high_water = ledger.header_->high_water.load(std::memory_order_relaxed);
  if (ledger.header_->magic != kMagic || high_water > kEntriesMax) {
    return Fail(Error::DataLoss("quota memory is not a quota ledger of this version"));
  }
  for (uint32_t i = 0; i < high_water; ++i) {
    const Entry& entry = ledger.entries_[i];
    if (entry.used.load(std::memory_order_relaxed) != 1 ||
        !ledger.index_.try_emplace(entry.grant, i).second) {
      ledger.free_.push_back(i);
    }
  }
  return ledger;
}

QuotaLedger::QuotaLedger(QuotaLedger&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)),
      entries_(std::exchange(other.entries_, nullptr)),
      index_(std::move(other.index_)),
      free_(std::move(other.free_)) {}

QuotaLedger& QuotaLedger::operator=(QuotaLedger&& other) noexcept {
  std::swap(header_, other.header_);
  std::swap(entries_, other.entries_);
  std::swap(index_, other.index_);
  std::swap(free_, other.free_);
  return *this;
}

QuotaLedger::~QuotaLedger() {
  if (header_ != nullptr) ::munmap(header_, kMemoryBytes);
}

Result<QuotaAnswer> QuotaLedger::Debit(const Uuid& grant, const Quota& quota, uint64_t now_ns) {
  const auto found = index_.find(grant);
  if (found != index_.end()) {
    std::atomic<uint64_t>& place = entries_[found->second].tat_ns;
    uint64_t tat_ns = place.load(std::memory_order_relaxed);
    const QuotaAnswer answer = DebitQuota(quota, now_ns, tat_ns);
    if (answer.allowed) place.store(tat_ns, std::memory_order_release);
    return answer;
  }
  uint32_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    const uint64_t high_water = header_->high_water.load(std::memory_order_relaxed);
    if (high_water == kEntriesMax) {
      return Fail(Error::ResourceExhausted("too many grants with a quota on one host: " +
                                           std::to_string(kEntriesMax)));
    }
    index = static_cast<uint32_t>(high_water);
    header_->high_water.store(high_water + 1, std::memory_order_release);
  }
  uint64_t tat_ns = 0;
  const QuotaAnswer answer = DebitQuota(quota, now_ns, tat_ns);
  Entry& entry = entries_[index];
  entry.used.store(0, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  entry.grant = grant;
  entry.tat_ns.store(tat_ns, std::memory_order_relaxed);
  entry.used.store(1, std::memory_order_release);
  index_.emplace(grant, index);
  return answer;
}

void QuotaLedger::Forget(const Uuid& grant) {
  const auto found = index_.find(grant);
  if (found == index_.end()) return;
  entries_[found->second].used.store(0, std::memory_order_release);
  free_.push_back(found->second);
  index_.erase(found);
}

void QuotaLedger::ForgetUnless(const std::function<bool(const Uuid&)>& keep) {
  std::vector<Uuid> gone;
  for (const auto& [grant, place] : index_) {
    if (!keep(grant)) gone.push_back(grant);
  }
  for (const Uuid& grant : gone) Forget(grant);
}

}  // namespace glasscase::access
