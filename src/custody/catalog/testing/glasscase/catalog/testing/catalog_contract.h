// What every catalog keeps, as tests. An adapter instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, CatalogContract, ::testing::Values(MakeSqliteFixture));
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/catalog/catalog.h>
#include <glasscase/catalog/copy.h>
#include <glasscase/catalog/testing/rows.h>

namespace glasscase::catalog::testing {

// An empty catalog that can be closed and opened again as a later process would.
class CatalogFixture {
 public:
  virtual ~CatalogFixture() = default;
  virtual std::unique_ptr<Catalog> Open() = 0;
  // Empties search_terms and puts a term there that is not true.
  virtual void SpoilSearch() = 0;
};
using MakeFixture = std::function<std::unique_ptr<CatalogFixture>()>;

class CatalogContract : public ::testing::TestWithParam<MakeFixture> {
 protected:
  void Change(const std::function<Status(Transaction&)>& change) {
    auto transaction = catalog->Begin().value();
    const Status changed = change(*transaction);
    ASSERT_TRUE(changed) << changed.error().message();
    const Status committed = transaction->Commit();
    ASSERT_TRUE(committed) << committed.error().message();
  }
  void Reopen() {
    catalog.reset();
    catalog = fixture->Open();
  }
  // An owner with a model and one version, and a learner.
  void AddOwnerWithModel() {
    Change([&](Transaction& t) -> Status {
      owner.host_slot = 0;
      GC_TRY_VOID(t.InsertSubject(owner));
      GC_TRY_VOID(t.InsertSubject(learner));
      GC_TRY_VOID(t.InsertModel(model));
      return t.InsertVersion(version, files);
    });
  }
  std::vector<Uuid> GrantIds(const GrantFilter& filter) {
    std::vector<Uuid> ids;
    EXPECT_TRUE(catalog->EachGrant(filter, [&](const Grant& grant) {
      ids.push_back(grant.id);
      return Ok();
    }));
    return ids;
  }

  std::unique_ptr<CatalogFixture> fixture = GetParam()();
  std::unique_ptr<Catalog> catalog = fixture->Open();
  Subject owner = SomeSubject("teacher", access::kOwner);
  Subject learner = SomeSubject("ada");
  Model model = SomeModel(owner.id, "iris");
  Version version = SomeVersion(model, "1");
  std::vector<VersionFile> files = {{.path = "a.onnx", .bytes = 12, .sha256 = DigestOf(7), .is_graph = true}};
};

TEST_P(CatalogContract, CommittedRowsSurviveReopeningUnchanged) {
  AddOwnerWithModel();
  Reopen();
  const Subject found = catalog->FindSubjectCalled("teacher").value().value();
  EXPECT_EQ(found.id, owner.id);
  EXPECT_EQ(found.roles, access::kOwner);
  EXPECT_EQ(found.host_slot, 0u);
  EXPECT_EQ(catalog->FindOwnerOfSlot(0).value().value().id, owner.id);
  const Version read = catalog->FindVersion(version.id).value().value();
  EXPECT_EQ(read.inputs, version.inputs);
  EXPECT_EQ(read.outputs, version.outputs);
  EXPECT_EQ(read.card, version.card);
  EXPECT_EQ(read.parameters, 15);
  EXPECT_EQ(catalog->FilesOf(version.id).value(), files);
}

TEST_P(CatalogContract, DroppedTransactionsNeverHappened) {
  {
    auto transaction = catalog->Begin().value();
    ASSERT_TRUE(transaction->InsertSubject(learner));
    EXPECT_TRUE(catalog->FindSubject(learner.id).value().has_value());
  }
  EXPECT_FALSE(catalog->FindSubject(learner.id).value().has_value());
  Change([&](Transaction& t) { return t.InsertSubject(learner); });
}

TEST_P(CatalogContract, TakenNamesDigestsAndLabelsAreRefused) {
  AddOwnerWithModel();
  Change([&](Transaction& t) { return t.InsertToken(SomeToken(learner.id, 1)); });
  auto transaction = catalog->Begin().value();
  EXPECT_EQ(transaction->InsertSubject(SomeSubject("ada")).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(transaction->InsertToken(SomeToken(learner.id, 1)).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(transaction->InsertModel(SomeModel(owner.id, "iris")).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(transaction->InsertVersion(SomeVersion(model, "1"), {}).error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(transaction->InsertModel(SomeModel(learner.id, "iris")));
}

TEST_P(CatalogContract, ReferencesToNothingAreRefused) {
  auto transaction = catalog->Begin().value();
  EXPECT_FALSE(transaction->InsertToken(SomeToken(Uuid::Random(), 1)) && transaction->Commit());
}

TEST_P(CatalogContract, ChangingWhatIsNotThereIsNotFound) {
  auto transaction = catalog->Begin().value();
  EXPECT_EQ(transaction->RevokeToken(Uuid::Random(), 5).error().code(), Code::kNotFound);
  EXPECT_EQ(transaction->RevokeGrant(Uuid::Random(), 5).error().code(), Code::kNotFound);
  EXPECT_EQ(transaction->SetVersionState(Uuid::Random(), VersionState::kRetired, "").error().code(),
            Code::kNotFound);
  EXPECT_TRUE(transaction->NoteTokenUse(Uuid::Random(), 5));
}

TEST_P(CatalogContract, TokensAreFoundByDigestAndKeepTheirTimes) {
  AddOwnerWithModel();
  const Token token = SomeToken(learner.id, 9);
  Change([&](Transaction& t) { return t.InsertToken(token); });
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.NoteTokenUse(token.id, 50));
    GC_TRY_VOID(t.NoteTokenUse(token.id, 40));
    return t.RevokeToken(token.id, 60);
  });
  const Token found = catalog->FindTokenByDigest(DigestOf(9)).value().value();
  EXPECT_EQ(found.id, token.id);
  EXPECT_EQ(found.last_used_micros, 50);
  EXPECT_EQ(found.revoked_micros, 60);
  EXPECT_FALSE(catalog->FindTokenByDigest(DigestOf(10)).value().has_value());
}

TEST_P(CatalogContract, InvitationsAreFoundByDigestUntilTheEndOfTime) {
  AddOwnerWithModel();
  Invitation invitation{.id = Uuid::Random(), .subject = learner.id, .custodian_digest = DigestOf(3)};
  invitation.token_lifetime_micros = 77;
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertInvitation(invitation));
    return t.MarkInvitationRedeemed(invitation.id, 5);
  });
  const Invitation found = catalog->FindInvitationByDigest(DigestOf(3)).value().value();
  EXPECT_EQ(found.token_lifetime_micros, 77);
  EXPECT_EQ(found.redeemed_micros, 5);
}

TEST_P(CatalogContract, GrantsAreListedByEachMemberOfTheFilter) {
  AddOwnerWithModel();
  const Subject other = SomeSubject("bob", access::kOwner);
  const Model others = SomeModel(other.id, "mnist");
  const Grant first = SomeGrant(learner.id, model.id);
  Grant second = SomeGrant(learner.id, others.id);
  second.quota = access::Quota{.calls = 5, .period_ns = 60'000'000'000};
  const Grant third = SomeGrant(other.id, model.id);
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertSubject(other));
    GC_TRY_VOID(t.InsertModel(others));
    GC_TRY_VOID(t.InsertGrant(first));
    GC_TRY_VOID(t.InsertGrant(second));
    GC_TRY_VOID(t.InsertGrant(third));
    return t.RevokeGrant(third.id, 9);
  });
  using ::testing::ElementsAre;
  EXPECT_THAT(GrantIds({}), ElementsAre(first.id, second.id, third.id));
  EXPECT_THAT(GrantIds({.subject = learner.id}), ElementsAre(first.id, second.id));
  EXPECT_THAT(GrantIds({.model = model.id}), ElementsAre(first.id, third.id));
  EXPECT_THAT(GrantIds({.owner = other.id}), ElementsAre(second.id));
  EXPECT_THAT(GrantIds({.model = model.id, .with_revoked = false}), ElementsAre(first.id));
  EXPECT_THAT(GrantIds({.subject = learner.id, .model = others.id}), ElementsAre(second.id));
  EXPECT_EQ(catalog->FindGrant(second.id).value().value().quota, second.quota);
}

TEST_P(CatalogContract, GrantTermsChangeInPlace) {
  AddOwnerWithModel();
  const Grant grant = SomeGrant(learner.id, model.id);
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertGrant(grant));
    return t.SetGrantTerms(grant.id, access::Quota{.calls = 1, .period_ns = 1'000'000'000}, 99);
  });
  EXPECT_EQ(catalog->FindGrant(grant.id).value().value().expires_micros, 99);
  EXPECT_EQ(catalog->FindGrant(grant.id).value().value().quota->calls, 1u);
  Change([&](Transaction& t) { return t.SetGrantTerms(grant.id, std::nullopt, 0); });
  EXPECT_FALSE(catalog->FindGrant(grant.id).value().value().quota.has_value());
}

TEST_P(CatalogContract, BlobsOfErasedVersionsAreNotUsed) {
  AddOwnerWithModel();
  EXPECT_TRUE(catalog->BlobIsUsed(DigestOf(7)).value());
  EXPECT_FALSE(catalog->BlobIsUsed(DigestOf(6)).value());
  Change([&](Transaction& t) { return t.SetVersionState(version.id, VersionState::kErased, "erased"); });
  EXPECT_FALSE(catalog->BlobIsUsed(DigestOf(7)).value());
  EXPECT_EQ(catalog->VersionsOf(model.id).value()[0].note, "erased");
}

TEST_P(CatalogContract, DefaultsFaultsAndRolesAreKept) {
  AddOwnerWithModel();
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.SetDefaultVersion(model.id, version.id));
    GC_TRY_VOID(t.SetVersionFaults(version.id, 2));
    return t.SetRoles(learner.id, access::kLearner | access::kOwner, 4);
  });
  EXPECT_EQ(catalog->FindModelCalled(owner.id, "iris").value().value().default_version, version.id);
  EXPECT_EQ(catalog->FindVersion(version.id).value().value().faults, 2u);
  EXPECT_EQ(catalog->FindSubject(learner.id).value().value().host_slot, 4u);
  Change([&](Transaction& t) { return t.SetDefaultVersion(model.id, Uuid{}); });
  EXPECT_TRUE(catalog->FindModel(model.id).value().value().default_version.IsNil());
}

TEST_P(CatalogContract, CountsLeaveOutTheRevokedAndTheExpired) {
  AddOwnerWithModel();
  Change([&](Transaction& t) -> Status {
    for (uint8_t i = 0; i < 3; ++i) {
      Token token = SomeToken(learner.id, i);
      if (i == 1) token.revoked_micros = 5;
      if (i == 2) token.expires_micros = 50;
      GC_TRY_VOID(t.InsertToken(token));
    }
    return t.InsertGrant(SomeGrant(learner.id, model.id));
  });
  const Counts counts = catalog->Count(100).value();
  EXPECT_EQ(counts.subjects, 2u);
  EXPECT_EQ(counts.tokens, 1u);
  EXPECT_EQ(counts.grants, 1u);
  EXPECT_EQ(counts.models, 1u);
}

TEST_P(CatalogContract, SettingsAreReplaced) {
  EXPECT_FALSE(catalog->Setting("key").value().has_value());
  Change([](Transaction& t) { return t.SetSetting("key", "one"); });
  Change([](Transaction& t) { return t.SetSetting("key", "two"); });
  EXPECT_EQ(catalog->Setting("key").value(), "two");
}

TEST_P(CatalogContract, VisitorsMayReadOnAndEndTheVisit) {
  AddOwnerWithModel();
  int seen = 0;
  const Status status = catalog->EachSubject([&](const Subject& subject) -> Status {
    ++seen;
    GC_TRY(const auto again, catalog->FindSubject(subject.id));
    EXPECT_TRUE(again.has_value());
    GC_TRY_VOID(catalog->EachSubject([](const Subject&) { return Ok(); }));
    return Fail(Error::Internal("enough"));
  });
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(status.error().message(), "enough");
}

TEST_P(CatalogContract, ChangesOfAnotherProcessAreNoticed) {
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
  Change([&](Transaction& t) { return t.InsertSubject(learner); });
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
  {
    auto other = fixture->Open();
    auto transaction = other->Begin().value();
    ASSERT_TRUE(transaction->InsertSubject(owner));
    ASSERT_TRUE(transaction->Commit());
  }
  EXPECT_TRUE(catalog->ChangedElsewhere().value());
  EXPECT_FALSE(catalog->ChangedElsewhere().value());
}

TEST_P(CatalogContract, DetailsOfAssetsAreKept) {
  model.kind = AssetKind::kDataset;
  model.secret = DigestOf(9);
  model.licence = "CC-BY-4.0";
  model.tags = {"digits", "images, small"};
  version.hostable = false;
  version.media_type = "text/csv";
  AddOwnerWithModel();
  Reopen();
  EXPECT_EQ(catalog->Count(0)->models, 0u) << "a dataset is no model";
  Model kept = catalog->FindModel(model.id).value().value();
  EXPECT_EQ(kept.kind, AssetKind::kDataset);
  EXPECT_EQ(kept.secret, model.secret);
  EXPECT_EQ(kept.licence, model.licence);
  EXPECT_EQ(kept.tags, model.tags);
  EXPECT_FALSE(catalog->FindVersion(version.id).value()->hostable);
  EXPECT_EQ(catalog->FindVersion(version.id).value()->media_type, "text/csv");
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.SetModelDetails(model.id, {.licence = "MIT", .tags = {}, .fields = {}, .card = "# New\n"}));
    return t.EraseModelSecret(model.id);
  });
  kept = catalog->FindModel(model.id).value().value();
  EXPECT_EQ(kept.secret, std::nullopt);
  EXPECT_EQ(kept.licence, "MIT");
  EXPECT_TRUE(kept.tags.empty());
  EXPECT_EQ(kept.card, "# New\n");
  EXPECT_EQ(catalog->FindVersion(version.id).value()->card, version.card) << "what was published stays";
}

TEST_P(CatalogContract, LineageIsFoundFromBothEnds) {
  AddOwnerWithModel();
  const Version later = SomeVersion(model, "2");
  const Lineage claimed{
      .child = later.id, .parent = version.id, .relation = Relation::kDerivedFrom, .created_micros = 5};
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertVersion(later, {}));
    return t.InsertLineage(claimed);
  });
  EXPECT_THAT(catalog->ParentsOf(later.id).value(), ::testing::ElementsAre(claimed));
  EXPECT_THAT(catalog->ChildrenOf(version.id).value(), ::testing::ElementsAre(claimed));
  EXPECT_TRUE(catalog->ParentsOf(version.id)->empty());
  Lineage witnessed = claimed;
  witnessed.witnessed = true;
  Change([&](Transaction& t) { return t.InsertLineage(witnessed); });
  Change([&](Transaction& t) { return t.InsertLineage(claimed); });
  EXPECT_THAT(catalog->ParentsOf(later.id).value(), ::testing::ElementsAre(witnessed));
}

TEST_P(CatalogContract, EntriesWaitWithTheirActAndInOrder) {
  {
    auto dropped = catalog->Begin().value();
    ASSERT_TRUE(dropped->QueueEntry("never", {}));
  }
  EXPECT_TRUE(catalog->Journal().Waiting(10, 1000)->empty());
  const std::vector<Uuid> assets = {Uuid::Random(), Uuid::Random()};
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.QueueEntry("first", assets));
    return t.QueueEntry("second", {});
  });
  Change([&](Transaction& t) { return t.QueueEntry("third", {}); });
  Reopen();
  const auto waiting = catalog->Journal().Waiting(10, 1000).value();
  ASSERT_EQ(waiting.size(), 3u);
  EXPECT_EQ(waiting[0].entry, "first");
  EXPECT_EQ(waiting[0].assets, assets);
  EXPECT_EQ(waiting[2].entry, "third");
  EXPECT_LT(waiting[0].sequence, waiting[1].sequence);
  EXPECT_EQ(catalog->Journal().Waiting(2, 1000)->size(), 2u);
  EXPECT_EQ(catalog->Journal().Waiting(10, 6)->size(), 2u);
}

TEST_P(CatalogContract, TheHeadMovesByCompareAndSet) {
  ledger::Journal& journal = catalog->Journal();
  EXPECT_EQ(journal.ReadHead().value(), ledger::Head());
  ledger::Head from{.size = 0, .root = ledger::EmptyRoot(), .fence = journal.Claim().value()};
  const ledger::Head to{.size = 2, .root = DigestOf(3), .fence = from.fence};
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.QueueEntry("first", {}));
    return t.QueueEntry("second", {});
  });
  const int64_t first = journal.Waiting(1, 1000).value()[0].sequence;

  auto other = fixture->Open();
  const uint64_t taken_over = other->Journal().Claim().value();
  EXPECT_GT(taken_over, from.fence);
  EXPECT_EQ(journal.Advance(from, to, first, "framed").error().code(), Code::kAborted);
  EXPECT_EQ(journal.Waiting(10, 1000)->size(), 2u);
  EXPECT_TRUE(journal.ReadKept()->empty());

  from.fence = taken_over;
  ledger::Head moved = to;
  moved.fence = taken_over;
  ASSERT_TRUE(other->Journal().Advance(from, moved, first, std::string("fra\0med", 7)));
  EXPECT_EQ(other->Journal().Advance(from, moved, first, "again").error().code(), Code::kAborted);
  EXPECT_EQ(journal.ReadHead().value(), moved);
  EXPECT_EQ(journal.Waiting(10, 1000)->size(), 1u);
  const auto kept = journal.ReadKept().value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].first, 0u);
  EXPECT_EQ(kept[0].count, 2u);
  EXPECT_EQ(kept[0].framed, std::string("fra\0med", 7));
  ASSERT_TRUE(journal.Forget(1));
  EXPECT_EQ(journal.ReadKept()->size(), 1u);
  ASSERT_TRUE(journal.Forget(2));
  EXPECT_TRUE(journal.ReadKept()->empty());
}

TEST_P(CatalogContract, SettingsAreListedByKey) {
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.SetSetting("b", "2"));
    GC_TRY_VOID(t.SetSetting("B", "1"));
    return t.SetSetting("a_", "");
  });
  std::string seen;
  ASSERT_TRUE(catalog->EachSetting([&](const std::string& key, const std::string& value) -> Status {
    if (key.size() < 3) seen += key + "=" + value + ";";  // without the adapter's own
    return Ok();
  }));
  EXPECT_EQ(seen, "B=1;a_=;b=2;");
}

TEST_P(CatalogContract, ChainActsKeepTheirOrderAndTheirState) {
  AddOwnerWithModel();
  ChainAct record{
      .id = Uuid::Random(), .kind = ChainActKind::kRecord, .asset = model.id, .version = version.id};
  ChainAct checkpoint{.id = Uuid::Random(), .created_micros = 7};
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertChainAct(record));
    return t.InsertChainAct(checkpoint);
  });
  EXPECT_EQ(catalog->OpenChainActs().value(), (std::vector<ChainAct>{record, checkpoint}));
  record.kept = std::string("a\0b", 3);
  record.state = "written";
  record.is_final = true;
  record.transaction = "0x1";
  record.contract = "0x2";
  record.note = "n";
  Change([&](Transaction& t) { return t.SetChainAct(record); });
  Reopen();
  EXPECT_EQ(catalog->OpenChainActs().value(), std::vector<ChainAct>{checkpoint});
  EXPECT_EQ(catalog->ChainActsOf(model.id).value(), std::vector<ChainAct>{record});
  EXPECT_TRUE(catalog->ChainActsOf(owner.id)->empty());
}

TEST_P(CatalogContract, RunsWaitByPriorityAndKeepWhatCameOfThem) {
  AddOwnerWithModel();
  const auto run_of = [&](int number, int64_t priority) {
    return catalog::Run{.id = Uuid::Random(),
                        .owner = owner.id,
                        .asset = model.id,
                        .label = std::to_string(number),
                        .recipe = "{}",
                        .recipe_sha256 = DigestOf(number),
                        .priority = priority,
                        .created_micros = number};
  };
  std::vector<catalog::Run> runs = {run_of(1, 0), run_of(2, 5), run_of(3, 0), run_of(4, -1)};
  Change([&](Transaction& t) -> Status {
    for (const catalog::Run& run : runs) GC_TRY_VOID(t.InsertRun(run));
    return Ok();
  });
  EXPECT_EQ(catalog->NextQueuedRun(Uuid{}).value(), runs[1]);
  EXPECT_EQ(catalog->NextQueuedRun(owner.id).value(), runs[1]) << "alone, the owner comes next again";
  EXPECT_EQ(catalog->CountOpenRuns(owner.id).value(), 4u);
  catalog::Run& done = runs[1];
  done.state = RunState::kSucceeded;
  done.reason = "r";
  done.attempts = 2;
  done.worker = "w";
  done.started_micros = 7;
  done.ended_micros = 9;
  done.result = version.id;
  done.record = "{\"a\":1}";
  done.evidence = "{\"class\":\"B\"}";
  Change([&](Transaction& t) { return t.SetRun(done); });
  catalog::Run again = run_of(5, 0);
  again.repeats = done.id;
  again.translates = version.id;
  again.wanted_worker = "w";
  Change([&](Transaction& t) { return t.InsertRun(again); });
  Reopen();
  EXPECT_EQ(catalog->FindRun(done.id).value(), done);
  EXPECT_EQ(catalog->FindRun(owner.id).value(), std::nullopt);
  EXPECT_EQ(catalog->CountOpenRuns(owner.id).value(), 4u);
  EXPECT_EQ(catalog->CountOpenRuns(learner.id).value(), 0u);
  EXPECT_EQ(catalog->ListRuns({.repeats = done.id}).value(), std::vector<catalog::Run>{again});
  EXPECT_EQ(catalog->ListRuns({.result = version.id}).value(), std::vector<catalog::Run>{done});
  EXPECT_EQ(catalog->ListRuns({.owner = owner.id, .only_open = true, .limit = 2}).value(),
            (std::vector<catalog::Run>{again, runs[3]}));
  EXPECT_EQ(catalog->ListRuns({.asset = model.id, .after = runs[2].id}).value(),
            (std::vector<catalog::Run>{done, runs[0]}));
  EXPECT_TRUE(catalog->ListRuns({.owner = learner.id})->empty());
  EXPECT_EQ(catalog->ListRuns({.after = owner.id}).error().code(), Code::kInvalidArgument);
  size_t seen = 0;
  ASSERT_TRUE(catalog->EachRun([&](const catalog::Run&) { return ++seen, Ok(); }));
  EXPECT_EQ(seen, 5u);
  catalog::Run nowhere = run_of(6, 0);
  auto transaction = catalog->Begin().value();
  EXPECT_EQ(transaction->SetRun(nowhere).error().code(), Code::kNotFound);
}

TEST_P(CatalogContract, OwnersWhoseRunsWaitTakeTurns) {
  AddOwnerWithModel();
  const auto queue = [&](const Uuid& whose, int64_t priority) {
    const catalog::Run run{
        .id = Uuid::Random(), .owner = whose, .asset = model.id, .recipe = "{}", .priority = priority};
    Change([&](Transaction& t) { return t.InsertRun(run); });
    return run;
  };
  EXPECT_EQ(catalog->NextQueuedRun(Uuid{}).value(), std::nullopt);
  std::vector<catalog::Run> many;
  for (int i = 0; i < 4; ++i) many.push_back(queue(owner.id, 0));
  std::vector<catalog::Run> few = {queue(learner.id, 0), queue(learner.id, 0)};
  const catalog::Run urgent = queue(owner.id, 1);
  const bool owner_first = owner.id < learner.id;
  const std::vector<catalog::QueueTurn> turns = {
      {1, owner.id}, {0, owner_first ? owner.id : learner.id}, {0, owner_first ? learner.id : owner.id}};
  EXPECT_EQ(catalog->QueueTurns(std::nullopt, 9).value(), turns);
  EXPECT_EQ(catalog->QueueTurns(turns[0], 9).value(), (std::vector{turns[1], turns[2]}));
  EXPECT_EQ(catalog->QueueTurns(turns[1], 1).value(), std::vector{turns[2]});
  EXPECT_TRUE(catalog->QueueTurns(turns[2], 9)->empty());
  EXPECT_EQ(catalog->QueuedRuns({0, learner.id}, 9).value(), few);
  EXPECT_EQ(catalog->QueuedRuns({1, owner.id}, 2).value(), std::vector{urgent});
  EXPECT_EQ(catalog->QueuedRuns({0, owner.id}, 2).value(), (std::vector{many[0], many[1]}));
  EXPECT_TRUE(catalog->QueuedRuns({0, model.id}, 9)->empty());
  std::vector<Uuid> order;
  for (Uuid last{};;) {
    auto next = catalog->NextQueuedRun(last).value();
    if (!next) break;
    last = next->owner;
    order.push_back(next->id);
    next->state = RunState::kRunning;
    Change([&](Transaction& t) { return t.SetRun(*next); });
  }
  std::vector<Uuid> wanted = {urgent.id,  few[0].id,  many[0].id, few[1].id,
                              many[1].id, many[2].id, many[3].id};
  EXPECT_EQ(order, wanted);
}

// Into another database of the same kind; between the two kinds: system tests.
TEST_P(CatalogContract, ACopyHoldsTheSameRows) {
  AddOwnerWithModel();
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertToken(SomeToken(learner.id, 1)));
    GC_TRY_VOID(t.InsertInvitation({.id = Uuid::Random(), .subject = learner.id, .created_micros = 3}));
    GC_TRY_VOID(t.SetDefaultVersion(model.id, version.id));
    GC_TRY_VOID(t.InsertChainAct({.id = Uuid::Random(), .asset = model.id, .kept = "k"}));
    GC_TRY_VOID(t.InsertRun({.id = Uuid::Random(), .owner = owner.id, .asset = model.id, .recipe = "{}"}));
    return t.SetSetting(kInstallationSetting, "i");
  });
  const Grant grant = SomeGrant(learner.id, model.id);
  Change([&](Transaction& t) { return t.InsertGrant(grant); });
  const auto other_fixture = GetParam()();
  const auto other = other_fixture->Open();
  EXPECT_NE(DigestRows(*other).value(), DigestRows(*catalog).value());
  const Status copied = CopyRows(*catalog, *other);
  ASSERT_TRUE(copied) << copied.error().message();
  EXPECT_EQ(DigestRows(*other).value(), DigestRows(*catalog).value());
  EXPECT_EQ(CopyRows(*catalog, *other).error().code(), Code::kAlreadyExists);
  Change([&](Transaction& t) { return t.RevokeGrant(grant.id, 5); });
  EXPECT_NE(DigestRows(*other).value(), DigestRows(*catalog).value());
}

TEST_P(CatalogContract, AJournalAdoptsALogFromElsewhere) {
  using Kept = ledger::Journal::Kept;
  ledger::Journal& journal = catalog->Journal();
  const ledger::Head head{.size = 3, .root = DigestOf(4), .fence = 9};
  std::vector<Kept> parts = {{.first = 0, .count = 2, .framed = "ab"},
                             {.first = 2, .count = 1, .framed = "c"}};
  size_t given = 0;
  ASSERT_TRUE(journal.Adopt(head, [&]() -> Result<std::optional<Kept>> {
    return given == parts.size() ? std::nullopt : std::optional<Kept>(parts[given++]);
  }));
  EXPECT_EQ(journal.ReadHead().value(), head);
  EXPECT_TRUE(journal.ReadKept()->empty());
  EXPECT_EQ(journal.Claim().value(), 10u);
  const auto archive = journal.ReadArchive(0, 10).value();
  if (archive.empty()) return;  // it keeps none
  ASSERT_EQ(archive.size(), 2u);
  EXPECT_EQ(archive[1].framed, "c");
  EXPECT_EQ(journal.ReadArchive(1, 10)->size(), 2u);
  EXPECT_EQ(journal.ReadArchive(2, 10)->size(), 1u);
  EXPECT_EQ(journal.ReadArchive(0, 1)->size(), 1u);
  EXPECT_TRUE(journal.ReadArchive(3, 10)->empty());
}

}  // namespace glasscase::catalog::testing
