// The server goes away, and comes back.
#include <chrono>
#include <thread>

#include "postgres_fixture_test.h"

namespace glasscase::catalog::testing {
namespace {

using ::testing::HasSubstr;

class PostgresRestartTest : public ::testing::TestWithParam<int> {
 protected:
  void Restart() {
    server.Stop(GetParam());
    server.Start();
  }

  // Without fsync: what the server wrote outlives it also so, and a start after a crash would take long.
  static PostgresServer& RestartedServer() {
    static PostgresServer server;
    return server;
  }

  PostgresServer& server = RestartedServer();
  PostgresFixture fixture{server};
  std::unique_ptr<Catalog> catalog = fixture.Open();
};

INSTANTIATE_TEST_SUITE_P(Ways, PostgresRestartTest, ::testing::Values(SIGINT, SIGQUIT),
                         [](const auto& way) { return way.param == SIGINT ? "Orderly" : "AtOnce"; });

TEST_P(PostgresRestartTest, InMidTransactionLeavesNothingHalfWrittenAndTheNextCallConnectsAgain) {
  ASSERT_TRUE(Insert(*catalog, SomeSubject("before")));
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertSubject(SomeSubject("half")));
  ASSERT_TRUE(transaction->QueueEntry("half", {}));
  Restart();
  const Status more = transaction->InsertSubject(SomeSubject("more"));
  EXPECT_EQ(more.error().code(), Code::kUnavailable);
  EXPECT_THAT(more.error().message(), HasSubstr("nothing of it is written"));
  // Not from a new session, which would not see what the transaction wrote.
  EXPECT_EQ(catalog->FindSubjectCalled("before").error().code(), Code::kUnavailable);
  EXPECT_EQ(transaction->Commit().error().code(), Code::kUnavailable);
  transaction.reset();
  EXPECT_TRUE(catalog->FindSubjectCalled("before").value().has_value());
  EXPECT_FALSE(catalog->FindSubjectCalled("half").value().has_value());
  EXPECT_TRUE(catalog->Journal().Waiting(10, 1000)->empty());
  EXPECT_TRUE(Insert(*catalog, SomeSubject("after")));
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
}

TEST_P(PostgresRestartTest, JustBeforeTheCommitLeavesNothing) {
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertSubject(SomeSubject("half")));
  Restart();
  const Status committed = transaction->Commit();
  EXPECT_EQ(committed.error().code(), Code::kUnavailable);
  EXPECT_THAT(committed.error().message(), HasSubstr("nothing of it is written"));
  transaction.reset();
  EXPECT_FALSE(catalog->FindSubjectCalled("half").value().has_value());
}

TEST_P(PostgresRestartTest, BetweenCallsIsNotNoticed) {
  ASSERT_TRUE(Insert(*catalog, SomeSubject("before")));
  Restart();
  EXPECT_TRUE(catalog->FindSubjectCalled("before").value().has_value());
  Restart();
  EXPECT_TRUE(Insert(*catalog, SomeSubject("after")));
  Restart();
  EXPECT_EQ(catalog->Journal().Claim().value(), 1u);
}

TEST_P(PostgresRestartTest, WhileItIsDownCallsAreUnavailable) {
  server.Stop(GetParam());
  EXPECT_EQ(catalog->FindSubjectCalled("ada").error().code(), Code::kUnavailable);
  EXPECT_EQ(catalog->Begin().error().code(), Code::kUnavailable);
  EXPECT_EQ(catalog->Journal().Claim().error().code(), Code::kUnavailable);
  server.Start();
  EXPECT_TRUE(Insert(*catalog, SomeSubject("ada")));
}

// What Commit acknowledged is there after a crash: fsync is on here.
TEST(PostgresDurableTest, AcknowledgedActsAndTheirEntriesSurvive) {
  PostgresServer server(PostgresServer::Disk::kDurable);
  PostgresFixture fixture(server);
  auto catalog = fixture.Open();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) {
      auto transaction = catalog->Begin().value();
      const std::string name = "s" + std::to_string(round * 5 + i);
      ASSERT_TRUE(transaction->InsertSubject(SomeSubject(name)));
      ASSERT_TRUE(transaction->QueueEntry(name, {}));
      ASSERT_TRUE(transaction->Commit());
    }
    server.Stop(SIGQUIT);
    server.Start();
  }
  EXPECT_EQ(catalog->Count(0)->subjects, 10u);
  const auto waiting = catalog->Journal().Waiting(100, 10'000).value();
  ASSERT_EQ(waiting.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(waiting[i].entry, "s" + std::to_string(i));
}

constexpr char kOthers[] =
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'glasscase'";

// Runs the commit while the server ends its session after `when`.
Status CommitInterrupted(PostgresFixture& fixture, Transaction& transaction, std::chrono::milliseconds when) {
  std::thread interruption([&] {
    std::this_thread::sleep_for(when);
    fixture.Alter(kOthers);
  });
  const Status committed = transaction.Commit();
  interruption.join();
  return committed;
}

TEST(PostgresCommitTest, OneWhoseAnswerWasLostBeforeItHappenedIsUnavailable) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  fixture.Alter(
      "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_sleep(20); RETURN NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON subjects DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION linger()");
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertSubject(SomeSubject("ada")));
  const Status committed = CommitInterrupted(fixture, *transaction, std::chrono::milliseconds(300));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code(), Code::kUnavailable);
  EXPECT_THAT(committed.error().message(), HasSubstr("nothing of it is written"));
  transaction.reset();
  EXPECT_FALSE(catalog->FindSubjectCalled("ada").value().has_value());
}

// A commit that waits for a standby is already written when its session is ended.
TEST(PostgresCommitTest, OneWhoseAnswerWasLostAfterItHappenedIsACommit) {
  PostgresServer server;
  PostgresFixture fixture(server);
  auto catalog = fixture.Open();
  ASSERT_TRUE(server.Sql(fixture.url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
  fixture.Alter("SELECT pg_reload_conf(), pg_sleep(0.3)");
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertSubject(SomeSubject("ada")));
  const Status committed = CommitInterrupted(fixture, *transaction, std::chrono::milliseconds(300));
  EXPECT_TRUE(committed) << committed.error().message();
  transaction.reset();
  EXPECT_TRUE(catalog->FindSubjectCalled("ada").value().has_value());
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
}

TEST(PostgresAnswerTest, AServerThatStandsStillIsGivenUp) {
  PostgresFixture fixture;
  auto catalog = fixture.TryOpen({.create = true, .answer_timeout_ms = 400}).value();
  fixture.Alter(
      "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_sleep(20); RETURN NEW; END $$;"
      "CREATE TRIGGER linger BEFORE INSERT ON subjects FOR EACH ROW EXECUTE FUNCTION linger()");
  auto transaction = catalog->Begin().value();
  const Status inserted = transaction->InsertSubject(SomeSubject("ada"));
  EXPECT_EQ(inserted.error().code(), Code::kUnavailable);
  EXPECT_THAT(inserted.error().message(), HasSubstr("400 ms"));
  EXPECT_EQ(transaction->Commit().error().code(), Code::kUnavailable);
  transaction.reset();
  EXPECT_FALSE(catalog->FindSubjectCalled("ada").value().has_value());
  fixture.Alter(kOthers);
}

TEST(PostgresDiskTest, OverwrittenPagesStopTheStart) {
  PostgresServer server;
  PostgresFixture fixture(server);
  ASSERT_TRUE(Insert(*fixture.Open(), SomeSubject("ada")));
  const std::string table = server.data() + "/" + fixture.Ask("SELECT pg_relation_filepath('subjects')");
  server.Stop(SIGINT);
  {
    std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file);
    file.seekp(4000);
    file << std::string(2000, '\xff');
  }
  server.Start();
  const auto opened = fixture.TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kDataLoss) << opened.error().message();
}

}  // namespace
}  // namespace glasscase::catalog::testing
