// Several custodians over one database.
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "postgres_fixture_test.h"

namespace glasscase::catalog::testing {
namespace {

using ledger::Head;

Status Queue(Catalog& catalog, const std::string& entry) {
  GC_TRY(auto transaction, catalog.Begin());
  GC_TRY_VOID(transaction->QueueEntry(entry, {}));
  return transaction->Commit();
}

// Sequences all that waits, and gives it; nothing when another one moved the head first.
Result<std::vector<std::string>> Drain(ledger::Journal& journal, uint64_t fence, int64_t& last_sequence) {
  GC_TRY(Head from, journal.ReadHead());
  from.fence = fence;
  GC_TRY(const auto waiting, journal.Waiting(7, 10'000));
  if (waiting.empty()) return std::vector<std::string>();
  std::vector<std::string> entries;
  for (const auto& entry : waiting) {
    EXPECT_GT(entry.sequence, last_sequence) << "an entry came to light behind those already taken";
    last_sequence = entry.sequence;
    entries.push_back(entry.entry);
  }
  Head to = from;
  to.size += entries.size();
  to.root = DigestOf(static_cast<uint8_t>(to.size));
  GC_TRY_VOID(journal.Advance(from, to, last_sequence, "framed"));
  return entries;
}

TEST(PostgresConcurrencyTest, NoEntryIsLostOrReorderedUnderEightWriters) {
  constexpr int kWriters = 8;
  constexpr int kActs = 40;
  PostgresFixture fixture;
  auto reader = fixture.Open();
  std::atomic<int> writing = kWriters;
  std::mutex committed_mutex;  // guards committed
  std::set<std::string> committed;
  const auto write = [&](int writer) {
    std::mt19937 random(static_cast<unsigned>(writer));
    auto catalog = fixture.TryOpen({.read_whole = false, .lock_timeout_ms = 60'000}).value();
    for (int act = 0; act < kActs; ++act) {
      auto transaction = catalog->Begin().value();
      const std::string entry = std::to_string(writer) + ":" + std::to_string(1000 + act);
      ASSERT_TRUE(transaction->QueueEntry(entry, {}));
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));  // between number and commit
      if (random() % 5 == 0) continue;                                          // an act that is given up
      ASSERT_TRUE(transaction->Commit());
      const std::lock_guard lock(committed_mutex);
      committed.insert(entry);
    }
    --writing;
  };
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) writers.emplace_back(write, writer);

  const auto sequencer = fixture.TryOpen({.lock_timeout_ms = 60'000}).value();
  const uint64_t fence = sequencer->Journal().Claim().value();
  std::vector<std::string> drained;
  int64_t last_sequence = 0;
  while (true) {
    const bool done = writing == 0;
    const auto entries = Drain(sequencer->Journal(), fence, last_sequence).value();
    drained.insert(drained.end(), entries.begin(), entries.end());
    if (done && entries.empty()) break;
  }
  for (std::thread& writer : writers) writer.join();

  EXPECT_EQ(drained.size(), committed.size());
  EXPECT_EQ(std::set<std::string>(drained.begin(), drained.end()), committed);
  std::map<char, std::string> last_of;  // by writer
  for (const std::string& entry : drained) {
    EXPECT_LT(last_of[entry[0]], entry);
    last_of[entry[0]] = entry;
  }
  EXPECT_EQ(reader->Journal().ReadHead()->size, committed.size());
}

// Both believe that they hold the fence; each takes over when refused, as custodians that do not know better.
TEST(PostgresConcurrencyTest, OfTwoThatRaceToAdvanceOneGoesOnAtATime) {
  constexpr int kEntries = 120;
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(Queue(*catalog, std::to_string(i)));
  std::mutex log_mutex;                              // guards log and refusals
  std::map<uint64_t, std::vector<std::string>> log;  // by its first entry
  int refusals = 0;
  const auto race = [&] {
    auto own = fixture.TryOpen({.read_whole = false, .lock_timeout_ms = 60'000}).value();
    uint64_t fence = own->Journal().Claim().value();
    while (true) {
      int64_t last = 0;
      const auto entries = Drain(own->Journal(), fence, last);
      const std::lock_guard lock(log_mutex);
      if (entries) {
        if (entries->empty()) return;
        log[std::stoul(entries->front())] = *entries;
      } else {
        ASSERT_EQ(entries.error().code(), Code::kAborted) << entries.error().message();
        ++refusals;
        fence = own->Journal().Claim().value();
      }
    }
  };
  std::thread one(race);
  std::thread other(race);
  one.join();
  other.join();
  uint64_t at = 0;
  for (const auto& [first, entries] : log) {
    EXPECT_EQ(first, at);
    for (const std::string& entry : entries) EXPECT_EQ(entry, std::to_string(at++));
  }
  EXPECT_EQ(at, static_cast<uint64_t>(kEntries));
  EXPECT_EQ(catalog->Journal().ReadHead()->size, static_cast<uint64_t>(kEntries));
  uint64_t kept = 0;
  const auto parts = catalog->Journal().ReadKept().value();
  for (const auto& part : parts) {
    EXPECT_EQ(part.first, kept);
    kept += part.count;
  }
  EXPECT_EQ(kept, static_cast<uint64_t>(kEntries));
  RecordProperty("refusals", refusals);
}

// A process of its own that is stopped with a transaction open, and woken when another has gone on.
TEST(PostgresConcurrencyTest, ThePausedOneLosesItsTransactionAndItsFence) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  ASSERT_TRUE(Queue(*catalog, "first"));
  const pid_t paused = fork();
  ASSERT_GE(paused, 0);
  if (paused == 0) {
    auto own = fixture.TryOpen({.read_whole = false, .idle_transaction_ms = 300}).value();
    Head from = own->Journal().ReadHead().value();
    from.fence = own->Journal().Claim().value();
    const int64_t sequence = own->Journal().Waiting(1, 100).value()[0].sequence;
    auto transaction = own->Begin().value();
    if (!transaction->QueueEntry("of the paused one", {})) _exit(10);
    raise(SIGSTOP);
    const Status committed = transaction->Commit();
    if (committed || committed.error().code() != Code::kUnavailable) _exit(11);
    transaction.reset();
    Head to = from;
    to.size = 1;
    const Status advanced = own->Journal().Advance(from, to, sequence, "forked");
    if (advanced || advanced.error().code() != Code::kAborted) _exit(12);
    _exit(Queue(*own, "of the woken one") ? 0 : 13);
  }
  int status = 0;
  ASSERT_EQ(waitpid(paused, &status, WUNTRACED), paused);
  ASSERT_TRUE(WIFSTOPPED(status));
  Head from = catalog->Journal().ReadHead().value();
  from.fence = catalog->Journal().Claim().value();  // waits until the server dropped the paused transaction
  Head to = from;
  to.size = 1;
  to.root = DigestOf(1);
  const int64_t sequence = catalog->Journal().Waiting(1, 100).value()[0].sequence;
  ASSERT_TRUE(catalog->Journal().Advance(from, to, sequence, "framed"));
  kill(paused, SIGCONT);
  ASSERT_EQ(waitpid(paused, &status, 0), paused);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(catalog->Journal().ReadHead().value(), to);
  EXPECT_EQ(catalog->Journal().ReadKept()->size(), 1u);
  const auto waiting = catalog->Journal().Waiting(10, 1000).value();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].entry, "of the woken one");
}

TEST(PostgresConcurrencyTest, ATransactionThatStaysOpenHoldsOthersUpForALimitedTime) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  auto other = fixture.TryOpen({.lock_timeout_ms = 100}).value();
  auto open = catalog->Begin().value();
  EXPECT_EQ(other->Begin().error().code(), Code::kUnavailable);
  EXPECT_EQ(other->Journal().Claim().error().code(), Code::kUnavailable);
  EXPECT_FALSE(other->FindSubjectCalled("ada").value().has_value());  // reading goes on
  open.reset();
  EXPECT_TRUE(Insert(*other, SomeSubject("ada")));
}

TEST(PostgresConcurrencyTest, TransactionsDecideOnWhatOthersCommittedBefore) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  const auto count = [&] {
    auto own = fixture.TryOpen({.read_whole = false, .lock_timeout_ms = 60'000}).value();
    for (int i = 0; i < 30; ++i) {
      auto transaction = own->Begin().value();
      const int before = std::stoi(own->Setting("count").value().value_or("0"));
      ASSERT_TRUE(transaction->SetSetting("count", std::to_string(before + 1)));
      ASSERT_TRUE(transaction->Commit());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(count);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(catalog->Setting("count").value(), "120");
}

TEST(PostgresConcurrencyTest, AChangeBetweenOurOwnIsNoticed) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  auto other = fixture.Open();
  ASSERT_TRUE(Insert(*catalog, SomeSubject("ada")));
  ASSERT_TRUE(Insert(*other, SomeSubject("bob")));
  ASSERT_TRUE(Insert(*catalog, SomeSubject("eve")));
  EXPECT_TRUE(catalog->ChangedElsewhere().value());
  auto transaction = catalog->Begin().value();
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
  transaction.reset();
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
}

TEST(PostgresConcurrencyTest, ManyThatStartAtOnceMakeTheTablesOnce) {
  PostgresFixture fixture;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { EXPECT_TRUE(fixture.TryOpen()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fixture.Ask("SELECT count(*) FROM schema_versions"), std::to_string(PostgresSchemaVersion()));
}

TEST(PostgresConcurrencyTest, OneHasTheSeatOfTheWriterUntilItsConnectionGoes) {
  PostgresFixture fixture;
  auto first = TryToBecomeWriter(fixture.url).value();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(TryToBecomeWriter(fixture.url).value(), nullptr);
  EXPECT_TRUE(first->Check());
  first.reset();
  auto second = TryToBecomeWriter(fixture.url).value();
  ASSERT_NE(second, nullptr);
  fixture.Alter("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'");
  EXPECT_EQ(second->Check().error().code(), Code::kUnavailable);
  EXPECT_EQ(second->Check().error().code(), Code::kUnavailable);
  EXPECT_NE(TryToBecomeWriter(fixture.url).value(), nullptr);
  EXPECT_NE(TryToBecomeWriter(SharedServer().NewDatabase()).value(), nullptr);  // each database has its own
}

TEST(PostgresConcurrencyTest, AWriterThatStandsStillLosesTheSeat) {
  PostgresFixture fixture;
  auto paused = TryToBecomeWriter(fixture.url).value();
  ASSERT_NE(paused, nullptr);
  EXPECT_EQ(TryToBecomeWriter(fixture.url, {}, 60'000).value(), nullptr);
  EXPECT_TRUE(paused->Check());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::unique_ptr<WriterLock> next;
  for (int tries = 0; tries < 100 && !next; ++tries) {
    next = TryToBecomeWriter(fixture.url, {}, 20).value();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(paused->Check().error().code(), Code::kUnavailable);
  EXPECT_TRUE(next->Check());
}

}  // namespace
}  // namespace glasscase::catalog::testing
