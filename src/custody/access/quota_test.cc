#include <glasscase/access/quota.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace glasscase::access {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kNow = 1'000 * kSecond;

Quota MakeQuota(uint32_t calls, uint64_t period_ns) { return {.calls = calls, .period_ns = period_ns}; }

TEST(QuotaTest, ReadsTheFormsThatPeopleWrite) {
  const std::pair<const char*, Quota> cases[] = {
      {"100/min", MakeQuota(100, 60 * kSecond)},
      {"1/s", MakeQuota(1, kSecond)},
      {"5/sec", MakeQuota(5, kSecond)},
      {"5/second", MakeQuota(5, kSecond)},
      {"20/minute", MakeQuota(20, 60 * kSecond)},
      {"1000000000/h", MakeQuota(1'000'000'000, 3600 * kSecond)},
      {"7/hour", MakeQuota(7, 3600 * kSecond)},
      {"7/d", MakeQuota(7, 86400 * kSecond)},
      {"7/day", MakeQuota(7, 86400 * kSecond)},
      {"100/10min", MakeQuota(100, 600 * kSecond)},
      {"3/366d", MakeQuota(3, 366 * 86400 * kSecond)},
      {"2/90s", MakeQuota(2, 90 * kSecond)},
  };
  for (const auto& [text, quota] : cases) {
    const auto parsed = Quota::Parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, quota) << text;
    EXPECT_EQ(*Quota::Parse(quota.ToString()), quota) << quota.ToString();
  }
}

TEST(QuotaTest, PrintsTheShortForm) {
  EXPECT_EQ(Quota::Parse("100/60s")->ToString(), "100/min");
  EXPECT_EQ(Quota::Parse("100/120s")->ToString(), "100/2min");
  EXPECT_EQ(Quota::Parse("100/24h")->ToString(), "100/d");
  EXPECT_EQ(Quota::Parse("100/90s")->ToString(), "100/90s");
}

TEST(QuotaTest, RefusesEverythingElseAndShowsTheForm) {
  for (const char* text : {"",
                           "/",
                           "100",
                           "100/",
                           "/min",
                           "0/min",
                           "-1/min",
                           "+1/min",
                           "1.5/min",
                           " 1/min",
                           "1/min ",
                           "1/ min",
                           "1 /min",
                           "1000000001/s",
                           "99999999999999999999/s",
                           "1/0s",
                           "1/367d",
                           "1/99999999999999999999d",
                           "1/fortnight",
                           "1/MIN",
                           "1/-1min",
                           "1/min/min",
                           "100/1",
                           "1/m"}) {
    const auto parsed = Quota::Parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message().find("100/min"), std::string::npos);
  }
}

TEST(QuotaTest, ABurstOfExactlyNThenOneAfterEachInterval) {
  const Quota quota = MakeQuota(100, 60 * kSecond);
  uint64_t tat = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    const QuotaAnswer answer = DebitQuota(quota, kNow, tat);
    ASSERT_TRUE(answer.allowed) << i;
    EXPECT_EQ(answer.remaining, 99 - i);
    EXPECT_EQ(answer.reset_ns, (i + 1) * 600'000'000ULL);
  }
  const QuotaAnswer refused = DebitQuota(quota, kNow, tat);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_EQ(refused.retry_after_ns, 600'000'000ULL);
  EXPECT_EQ(refused.reset_ns, 60 * kSecond);
  EXPECT_FALSE(DebitQuota(quota, kNow + 599'999'999, tat).allowed);
  EXPECT_TRUE(DebitQuota(quota, kNow + 600'000'000, tat).allowed);
  EXPECT_FALSE(DebitQuota(quota, kNow + 600'000'000, tat).allowed);
}

TEST(QuotaTest, ARefusedCallCostsNothing) {
  const Quota quota = MakeQuota(1, kSecond);
  uint64_t tat = 0;
  ASSERT_TRUE(DebitQuota(quota, kNow, tat).allowed);
  const uint64_t before = tat;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(DebitQuota(quota, kNow + 1, tat).allowed);
  EXPECT_EQ(tat, before);
}

TEST(QuotaTest, ASmallerQuotaNeverMakesAnybodyWaitLongerThanItsPeriod) {
  uint64_t tat = 0;
  const Quota large = MakeQuota(1000, 86400 * kSecond);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(DebitQuota(large, kNow, tat).allowed);
  const QuotaAnswer answer = DebitQuota(MakeQuota(10, kSecond), kNow, tat);
  EXPECT_FALSE(answer.allowed);
  EXPECT_EQ(answer.retry_after_ns, kSecond / 10);
}

// A token bucket with all the arithmetic written out: the slow reference.
struct Bucket {
  explicit Bucket(const Quota& quota)
      : interval((quota.period_ns + quota.calls - 1) / quota.calls),
        capacity(interval * quota.calls),
        level(capacity) {}
  bool Take(uint64_t now_ns) {
    level = std::min(capacity, level + static_cast<uint64_t>(now_ns - last_ns));
    last_ns = now_ns;
    if (level < interval) return false;
    level -= interval;
    return true;
  }
  uint64_t interval;
  uint64_t capacity;
  uint64_t level;
  uint64_t last_ns = 0;
};

TEST(QuotaTest, AgreesWithATokenBucketAndNeverPassesN) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const Quota quota =
        MakeQuota(static_cast<uint32_t>(1 + random() % 50), kSecond * (1 + random() % 100) + random() % 7);
    const uint64_t interval = (quota.period_ns + quota.calls - 1) / quota.calls;
    Bucket bucket(quota);
    uint64_t tat = 0;
    uint64_t now = kNow;
    std::vector<uint64_t> allowed_at;
    for (int i = 0; i < 500; ++i) {
      switch (random() % 4) {
        case 0: now += random() % (2 * interval); break;
        case 1: now += random() % 1000; break;
        case 2:
          if (random() % 20 == 0) now += random() % (2 * quota.period_ns);
          break;
        default: break;
      }
      const bool wanted = bucket.Take(now);
      const QuotaAnswer answer = DebitQuota(quota, now, tat);
      ASSERT_EQ(answer.allowed, wanted) << round << " " << i;
      ASSERT_EQ(answer.remaining, static_cast<uint32_t>(bucket.level / bucket.interval));
      if (!answer.allowed) {
        uint64_t copy = tat;
        ASSERT_FALSE(DebitQuota(quota, now + answer.retry_after_ns - 1, copy).allowed);
        ASSERT_TRUE(DebitQuota(quota, now + answer.retry_after_ns, copy).allowed);
      }
      if (answer.allowed) allowed_at.push_back(now);
    }
    // In any window of w: at most N + w / interval.
    for (size_t i = 0; i < allowed_at.size(); ++i) {
      for (size_t k = i; k < allowed_at.size(); k += 7) {
        ASSERT_LE(k - i + 1, quota.calls + (allowed_at[k] - allowed_at[i]) / interval);
      }
    }
  }
}

class QuotaLedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fd_ = ::memfd_create("quota", MFD_CLOEXEC);
    ASSERT_GE(fd_, 0);
    ASSERT_EQ(::ftruncate(fd_, QuotaLedger::kMemoryBytes), 0);
  }
  void TearDown() override { ::close(fd_); }
  QuotaLedger Open() { return std::move(*QuotaLedger::Open(fd_)); }

  int fd_ = -1;
  Quota quota_ = MakeQuota(3, 60 * kSecond);
};

TEST_F(QuotaLedgerTest, ARestartedHostGoesOnWhereItStopped) {
  const Uuid a = Uuid::Random();
  const Uuid b = Uuid::Random();
  {
    QuotaLedger ledger = Open();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(ledger.Debit(a, quota_, kNow)->allowed);
    EXPECT_TRUE(ledger.Debit(b, quota_, kNow)->allowed);
  }
  QuotaLedger ledger = Open();
  EXPECT_FALSE(ledger.Debit(a, quota_, kNow)->allowed);
  EXPECT_EQ(ledger.Debit(b, quota_, kNow)->remaining, 1U);
}

TEST_F(QuotaLedgerTest, ForgottenGrantsGiveTheirPlacesBack) {
  const Uuid a = Uuid::Random();
  const Uuid b = Uuid::Random();
  const Uuid c = Uuid::Random();
  QuotaLedger ledger = Open();
  for (const Uuid& id : {a, b}) EXPECT_EQ(ledger.Debit(id, quota_, kNow)->remaining, 2U);
  ledger.Forget(a);
  ledger.Forget(a);
  EXPECT_EQ(ledger.Debit(c, quota_, kNow)->remaining, 2U);
  ledger.ForgetUnless([&](const Uuid& id) { return id == c; });
  QuotaLedger again = Open();
  EXPECT_EQ(again.Debit(a, quota_, kNow)->remaining, 2U);
  EXPECT_EQ(again.Debit(b, quota_, kNow)->remaining, 2U);
  EXPECT_EQ(again.Debit(c, quota_, kNow)->remaining, 1U);
}

TEST_F(QuotaLedgerTest, GivesNewMemoryItsSize) {
  ASSERT_EQ(::ftruncate(fd_, 0), 0);
  const Uuid a = Uuid::Random();
  EXPECT_EQ(Open().Debit(a, quota_, kNow)->remaining, 2U);
  EXPECT_EQ(Open().Debit(a, quota_, kNow)->remaining, 1U);
}

TEST_F(QuotaLedgerTest, RefusesMemoryThatIsNotItsOwn) {
  const int small = ::memfd_create("small", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(small, 4096), 0);
  EXPECT_EQ(QuotaLedger::Open(small).error().code(), Code::kInvalidArgument);
  ::close(small);
  const uint64_t wrong[2] = {42, 0};
  ASSERT_EQ(::pwrite(fd_, wrong, sizeof wrong, 0), static_cast<ssize_t>(sizeof wrong));
  EXPECT_EQ(QuotaLedger::Open(fd_).error().code(), Code::kDataLoss);
}

// A host dies at any moment: no debit that was answered is lost, and at most the one under way is there
// besides.
TEST_F(QuotaLedgerTest, NoAnsweredDebitIsLostWhenTheHostIsKilled) {
  const Quota quota = MakeQuota(1'000'000'000, 366 * 86400 * kSecond);
  std::vector<Uuid> grants(64);
  for (Uuid& id : grants) id = Uuid::Random();
  std::mt19937 random(5);
  std::vector<uint64_t> sure(grants.size());
  for (int round = 0; round < 20; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      QuotaLedger ledger = Open();
      for (uint32_t i = 0;; i = (i + 1) % static_cast<uint32_t>(grants.size())) {
        if (!ledger.Debit(grants[i], quota, kNow)) ::_exit(1);
        if (::write(pipe_fds[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
    }
    ::close(pipe_fds[1]);
    const size_t answers = 1 + random() % 500;
    uint32_t index = 0;
    for (size_t i = 0; i < answers; ++i) {
      ASSERT_EQ(::read(pipe_fds[0], &index, sizeof index), static_cast<ssize_t>(sizeof index));
      ++sure[index];
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(pipe_fds[0], &index, sizeof index) == sizeof index) ++sure[index];
    ::close(pipe_fds[0]);
  }
  QuotaLedger ledger = Open();
  uint64_t extra = 0;
  for (size_t i = 0; i < grants.size(); ++i) {
    const uint64_t debits = 1'000'000'000 - ledger.Debit(grants[i], quota, kNow)->remaining - 1;
    EXPECT_GE(debits, sure[i]);
    extra += debits - sure[i];
  }
  EXPECT_LE(extra, 20U);
}

// An entry whose last store was never made does not count, whatever else is in it.
TEST_F(QuotaLedgerTest, AHalfMadeEntryIsNoEntry) {
  const Uuid a = Uuid::Random();
  { EXPECT_TRUE(Open().Debit(a, quota_, kNow)->allowed); }
  const uint64_t unused = 0;
  ASSERT_EQ(::pwrite(fd_, &unused, sizeof unused, 64 + 24), static_cast<ssize_t>(sizeof unused));
  QuotaLedger ledger = Open();
  EXPECT_EQ(ledger.Debit(a, quota_, kNow)->remaining, 2U);
  EXPECT_EQ(Open().Debit(a, quota_, kNow)->remaining, 1U);
}

}  // namespace
}  // namespace glasscase::access
