// What processes know, when they know it, and what happens to one that does not listen.
#include "table_pusher.h"

#include <chrono>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using access::Reason;

class TablePusherTest : public OperationsTest {
 protected:
  TablePusherTest() {
    EXPECT_EQ(Publish(root, "iris", "weights").code(), 0u);
    ada = Enrol(root, "ada");
    host = Join({ProcessKind::kHost, 0});
    grant = Do(root, CreateGrant("ada", "iris")).grant().id();
  }
  double MillisOf(const std::function<void()>& work) {
    const int64_t start = clock.MonotonicNanos();
    work();
    return static_cast<double>(clock.MonotonicNanos() - start) / 1e6;
  }

  std::string ada, grant;
};

TEST_F(TablePusherTest, EdgesAndTheOwnersHostDecideAlike) {
  for (const FakePeer* peer : {public_edge.get(), control.get(), host.get()}) {
    EXPECT_TRUE(Decide(*peer, ada, "teacher/iris").allowed);
    EXPECT_EQ(Decide(*peer, root, "teacher/iris").reason, Reason::kAllowedToOwner);
    EXPECT_FALSE(Decide(*peer, "gct_unknown", "teacher/iris").allowed);
  }
  // Each has digests of its own kind, which open nothing at the other.
  EXPECT_EQ(public_edge->table.FindToken(access::CredentialDigest(access::HostCredential(ada))), nullptr);
  EXPECT_EQ(host->table.FindToken(access::EdgeDigest(ada)), nullptr);
}

TEST_F(TablePusherTest, LateComersGetTheWholeTable) {
  const auto late = Join({ProcessKind::kPublicEdge, 1});
  EXPECT_EQ(late->tables, 1);
  EXPECT_TRUE(Decide(*late, ada, "teacher/iris").allowed);
}

TEST_F(TablePusherTest, HostsKnowOnlyWhoMayCallTheirOwnersModels) {
  const std::string prof = Enrol(root, "prof", "owner");
  const std::string bob = Enrol(prof, "bob");
  ASSERT_EQ(Publish(prof, "mnist", "digits").code(), 0u);
  EXPECT_TRUE(supervisor.hosts.contains(1));
  const auto profs_host = Join({ProcessKind::kHost, 1});
  Do(prof, CreateGrant("bob", "mnist"));

  EXPECT_TRUE(Decide(*profs_host, bob, "prof/mnist").allowed);
  EXPECT_EQ(profs_host->table.FindModel("teacher/iris"), nullptr);
  EXPECT_EQ(Decide(*profs_host, ada, "prof/mnist").reason, Reason::kUnknownToken);
  EXPECT_EQ(Decide(*host, bob, "teacher/iris").reason, Reason::kUnknownToken);

  // A token made after the grant reaches the host too; with the last grant all of them go.
  const std::string second = Do(prof, CreateToken("bob")).new_token().token();
  EXPECT_TRUE(Decide(*profs_host, second, "prof/mnist").allowed);
  rpc::Request list;
  list.mutable_list_grants()->set_subject("bob");
  Do(prof, RevokeGrant(Do(prof, list).grants().grants(0).id()));
  EXPECT_EQ(Decide(*profs_host, bob, "prof/mnist").reason, Reason::kUnknownToken);
  EXPECT_EQ(profs_host->table.token_count(), 1u);  // prof's own
}

TEST_F(TablePusherTest, TheFirstPublishOfAnOwnerIsAnsweredWhenItsHostMayAct) {
  const std::string prof = Enrol(root, "prof", "owner");
  std::unique_ptr<FakePeer> started;
  supervisor.on_need_host = [&](uint32_t slot) {
    loop.After(50, [&, slot] { started = Connect({ProcessKind::kHost, slot}); });
  };
  ASSERT_EQ(Publish(prof, "mnist", "digits").code(), 0u);
  ASSERT_TRUE(started);
  EXPECT_NE(started->lease_until_ns, 0);
  EXPECT_TRUE(Decide(*started, prof, "prof/mnist").allowed);
  supervisor.on_need_host = nullptr;
  EXPECT_LT(MillisOf([&] { EXPECT_EQ(Publish(prof, "second", "more").code(), 0u); }), 1000);
}

// A call goes another way than the lease, and may be there first.
TEST_F(TablePusherTest, AHostMayActWhenItHasSaidThatItHasItsLease) {
  const std::string prof = Enrol(root, "prof", "owner");
  std::unique_ptr<FakePeer> started;
  bool answered = false;
  supervisor.on_need_host = [&](uint32_t slot) {
    started = Connect({ProcessKind::kHost, slot});
    started->shows_life = false;
    loop.After(400, [&] {
      EXPECT_NE(started->lease_until_ns, 0);
      EXPECT_FALSE(answered);
      started->Acknowledge();
    });
  };
  const double ms = MillisOf([&] { EXPECT_EQ(Publish(prof, "mnist", "digits").code(), 0u); });
  answered = true;
  EXPECT_GE(ms, 300);
  EXPECT_LT(ms, TablePusher::kStartMs);
}

TEST_F(TablePusherTest, APublishDoesNotWaitForeverForAHost) {
  const std::string prof = Enrol(root, "prof", "owner");
  supervisor.on_need_host = nullptr;
  const double ms = MillisOf([&] { EXPECT_EQ(Publish(prof, "mnist", "digits").code(), 0u); });
  EXPECT_GE(ms, TablePusher::kStartMs);
}

TEST_F(TablePusherTest, AProcessThatHangsIsKilledThoughNothingChanges) {
  host->shows_life = false;
  EXPECT_TRUE(RunUntil([&] { return !supervisor.kills.empty(); }, 8'000));
  EXPECT_EQ(supervisor.kills, std::vector<PeerId>({{ProcessKind::kHost, 0}}));
}

TEST_F(TablePusherTest, RevocationIsAnsweredWhenEveryoneHasAcknowledged) {
  public_edge->acknowledges = false;
  const uint64_t id = Submit(*control, root, RevokeGrant(grant));
  ASSERT_TRUE(RunUntil(
      [&] { return public_edge->tables > 0 && !Decide(*public_edge, ada, "teacher/iris").allowed; }));
  RunFor(100);
  EXPECT_FALSE(control->responses.contains(id));
  EXPECT_FALSE(Decide(*host, ada, "teacher/iris").allowed);
  public_edge->Acknowledge();
  ASSERT_TRUE(RunUntil([&] { return control->responses.contains(id); }));
  EXPECT_EQ(control->responses[id].revoked().grants(), 1u);
  EXPECT_GE(control->responses[id].revoked().acknowledged_ms(), 100);
  EXPECT_TRUE(supervisor.kills.empty());
}

TEST_F(TablePusherTest, SilentProcessesAreKilledAfterAQuarterOfASecond) {
  host->acknowledges = false;
  bool dead = false;
  supervisor.on_kill = [&](PeerId peer) {
    loop.After(30, [&, peer] {
      dead = true;
      operations->PeerGone(peer);
    });
  };
  const double ms = MillisOf([&] {
    const auto answer = Do(root, RevokeGrant(grant));
    EXPECT_TRUE(dead) << "answered while the silent process could still act on the grant";
    EXPECT_EQ(answer.revoked().grants(), 1u);
  });
  EXPECT_EQ(supervisor.kills, (std::vector<PeerId>{{ProcessKind::kHost, 0}}));
  EXPECT_GE(ms, 250);
  EXPECT_LT(ms, 1000);
}

// The supervisor may be slow or gone: the lease ends what the kill did not.
TEST_F(TablePusherTest, AProcessThatDoesNotDieIsWaitedForUntilItsLeaseLapses) {
  host->acknowledges = false;
  supervisor.on_kill = nullptr;
  Do(root, RevokeGrant(grant));
  EXPECT_GE(clock.MonotonicNanos(), host->lease_until_ns);
}

TEST_F(TablePusherTest, ProcessesWithoutALeaseAreNotWaitedFor) {
  auto starting = Connect({ProcessKind::kPublicEdge, 1});
  starting->acknowledges = false;
  const double ms = MillisOf([&] { Do(root, RevokeGrant(grant)); });
  EXPECT_LT(ms, 200);
  EXPECT_EQ(starting->lease_until_ns, 0);
  EXPECT_TRUE(supervisor.kills.empty());
  // Its first lease comes when it knows all, not when it knows the first table.
  RunUntil([&] { return starting->tables == 2; });
  starting->last_sequence -= 1;
  starting->Acknowledge();
  RunFor(30);
  EXPECT_EQ(starting->lease_until_ns, 0);
  starting->last_sequence += 1;
  starting->Acknowledge();
  EXPECT_TRUE(RunUntil([&] { return starting->lease_until_ns != 0; }));
}

TEST_F(TablePusherTest, LeasesAreRenewedEverySecondForFive) {
  const int64_t first = host->lease_until_ns;
  EXPECT_NEAR(static_cast<double>(first - clock.MonotonicNanos()) / 1e9, 5, 1.2);
  EXPECT_TRUE(RunUntil([&] { return host->lease_until_ns > first; }, 1'500));
}

TEST_F(TablePusherTest, AnotherProcessThatDiesIsNotWaitedFor) {
  public_edge->acknowledges = false;
  const uint64_t id = Submit(*control, root, RevokeGrant(grant));
  ASSERT_TRUE(RunUntil([&] { return !Decide(*public_edge, ada, "teacher/iris").allowed; }));
  operations->PeerGone(kPublic);
  EXPECT_TRUE(RunUntil([&] { return control->responses.contains(id); }, 100));
}

// A process that closes its socket and lives on would act on its last table for as long as its lease.
TEST_F(TablePusherTest, ClosingTheSocketIsNoWayToKeepTheOldTable) {
  host.reset();
  const double ms = MillisOf([&] { Do(root, RevokeGrant(grant)); });
  EXPECT_EQ(supervisor.kills, (std::vector<PeerId>{{ProcessKind::kHost, 0}}));
  EXPECT_GE(ms, 200);
}

TEST_F(TablePusherTest, BreakingTheRulesCutsTheLink) {
  host->SendRaw("\xff\xff\xff");
  EXPECT_TRUE(RunUntil([&] { return host->cut_off; }));
  EXPECT_TRUE(RunUntil([&] { return !supervisor.kills.empty(); }));
}

TEST_F(TablePusherTest, AcknowledgingTheFutureDoesNotCount) {
  public_edge->acknowledges = false;
  rpc::ToCustodian message;
  message.mutable_ack()->set_sequence(1'000'000);
  public_edge->Send(message);
  RunFor(20);
  const uint64_t id = Submit(*control, root, RevokeGrant(grant));
  RunFor(100);
  EXPECT_FALSE(control->responses.contains(id));
}

TEST_F(TablePusherTest, LargeTablesComeInPartsThatFitIntoAFrame) {
  auto transaction = catalog->Begin().value();
  const Uuid teacher = catalog->FindSubjectCalled("teacher").value()->id;
  catalog::Token last;
  for (int i = 0; i < 12'000; ++i) {
    last = {};
    last.id = Uuid::Random();
    last.subject = teacher;
    random.Fill(last.edge_digest);
    random.Fill(last.custodian_digest);
    ASSERT_TRUE(transaction->InsertToken(last));
  }
  ASSERT_TRUE(transaction->Commit());
  const auto late = Join({ProcessKind::kPublicEdge, 1});
  EXPECT_GT(late->last_sequence, 2u);
  EXPECT_EQ(late->tables, 1);
  EXPECT_NE(late->table.FindToken(last.edge_digest), nullptr);
}

// `glasscase init --new-token` while the custodian serves.
TEST_F(TablePusherTest, ChangesOfAnotherProcessAreTold) {
  auto other = catalog::OpenSqliteCatalog(folder / "catalog.db", clock).value();
  const auto first = EnsureFirstSubject(*other, clock, random, "", true).value();
  const std::string token(first.token.Reveal(RevealToken()));
  EXPECT_TRUE(RunUntil([&] { return Decide(*public_edge, token, "teacher/iris").allowed; }, 2'000));
}

TEST_F(TablePusherTest, WithdrawingTwiceIsFine) {
  EXPECT_EQ(Do(root, RevokeGrant(grant)).revoked().grants(), 1u);
  EXPECT_EQ(Do(root, RevokeGrant(grant)).revoked().grants(), 0u);
}

}  // namespace
}  // namespace glasscase::operations::testing
