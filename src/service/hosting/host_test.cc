#include <glasscase/hosting/host.h>

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host_harness.h"

namespace glasscase::hosting {
namespace {

using testing::Answer;
using testing::Edge;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HostHarness;
using testing::Published;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class HostTest : public ::testing::Test {
 protected:
  void SetUp() override { host_.PushPeople(); }
  // Published, granted and loaded.
  Published Ready(const std::string& graph, bool rows_independent = true) {
    Published published = host_.Publish(graph, rows_independent);
    host_.Grant(published.model);
    EXPECT_EQ(host_.Call({.model = published.model}).view.code, 0U);
    const std::lock_guard lock(host_.log_.mutex);
    host_.log_.run_rows.clear();
    return published;
  }
  bool Heard(const std::function<bool(const rpc::ToCustodian&)>& is_it, int ms = 5000) {
    return host_.WaitUntil([&] { return std::any_of(host_.heard_.begin(), host_.heard_.end(), is_it); }, ms);
  }
  HostHarness host_;
};

TEST_F(HostTest, TellsTheCustodianWhoItIs) {
  EXPECT_TRUE(Heard([](const rpc::ToCustodian& m) {
    return m.has_hello() && m.hello().pid() == static_cast<uint32_t>(::getpid());
  }));
}

TEST_F(HostTest, AFirstCallFetchesTheModelAndIsAnswered) {
  const Published published = host_.Publish("rows");
  host_.Grant(published.model);
  const Answer& answer = host_.Call({.model = published.model, .value = 41});
  EXPECT_EQ(answer.view.code, 0U) << answer.view.message;
  EXPECT_EQ(answer.first(), 42.0F);
  EXPECT_EQ(answer.view.version, published.version);
  ASSERT_EQ(answer.view.outputs.size(), 1U);
  EXPECT_EQ(answer.view.outputs[0].name, "y");
  EXPECT_EQ(ShapeText(answer.view.outputs[0].shape()), "[1,4]");
  EXPECT_FALSE(answer.view.has_quota);
  EXPECT_EQ(host_.Call({.model = published.model, .outputs = {}}).view.outputs.size(), 2U);
  EXPECT_EQ(host_.loads(), 1);
}

TEST_F(HostTest, TheOwnerNeedsNoGrantAndAStrangerGetsNothing) {
  const Published published = host_.Publish("rows");
  EXPECT_EQ(host_.Call({.token = "owner", .model = published.model}).view.code, 0U);
  const Answer& refused = host_.Call({.model = published.model});
  EXPECT_EQ(refused.code(), Code::kNotFound);
  EXPECT_EQ(refused.view.reason, access::Reason::kNoGrant);
  EXPECT_EQ(host_.Call({.token = "nobody", .model = published.model}).code(), Code::kUnauthenticated);
  EXPECT_EQ(host_.run_rows().size(), 1U);
}

TEST_F(HostTest, AMissingModelAndOneNotGrantedGetTheSameAnswer) {
  const Published published = host_.Publish("rows");
  Answer const& ungranted = host_.Call({.model = published.model});
  Answer const& missing = host_.Call({.model = Uuid::Random()});
  EXPECT_EQ(ungranted.view.code, missing.view.code);
  EXPECT_EQ(ungranted.view.reason, missing.view.reason);
  EXPECT_EQ(ungranted.view.message, missing.view.message);
  EXPECT_EQ(ungranted.bytes.size(), missing.bytes.size());
}

TEST_F(HostTest, WithoutALeaseNobodyIsServed) {
  const Published published = Ready("rows");
  host_.SendLease(-1);
  host_.Grant(published.model);  // acknowledged after the lease was taken in
  const Answer& answer = host_.Call({.model = published.model});
  EXPECT_EQ(answer.code(), Code::kUnavailable);
  EXPECT_EQ(answer.view.reason, access::Reason::kLeaseLapsed);
  host_.SendLease(60'000);
  host_.Grant(published.model);
  EXPECT_EQ(host_.Call({.model = published.model}).view.code, 0U);
}

TEST_F(HostTest, EverythingWaitingGoesIntoTheNextRun) {
  const Published slow = Ready("slow 60");
  std::vector<uint64_t> ids = {host_.edge().Send({.model = slow.model})};
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (int i = 0; i < 10; ++i)
    ids.push_back(host_.edge().Send({.model = slow.model, .value = static_cast<float>(i)}));
  for (size_t i = 0; i < ids.size(); ++i) {
    const Answer& answer = host_.Wait(ids[i]);
    EXPECT_EQ(answer.view.code, 0U) << answer.view.message;
    EXPECT_EQ(answer.first(), i == 0 ? 2.0F : static_cast<float>(i));
  }
  EXPECT_THAT(host_.run_rows(), ElementsAre(1, 10));
}

TEST_F(HostTest, CallsOfOneRoundShareARunAtOnce) {
  const Published rows = Ready("rows");
  std::vector<uint64_t> ids;
  for (int i = 0; i < 50; ++i)
    ids.push_back(host_.edge().Write({.model = rows.model, .shape = {1 + i % 3, 4}}));
  host_.edge().Wake();
  for (const uint64_t id : ids) EXPECT_EQ(host_.Wait(id).view.code, 0U);
  EXPECT_LE(host_.run_rows().size(), 3U);
}

TEST_F(HostTest, WhatIsNotIndependentIsNeverMixed) {
  const Published mixes = Ready("mixes", /*rows_independent=*/false);
  std::vector<uint64_t> ids;
  for (int i = 0; i < 20; ++i)
    ids.push_back(host_.edge().Write({.model = mixes.model, .value = static_cast<float>(i)}));
  host_.edge().Wake();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(host_.Wait(ids[static_cast<size_t>(i)]).first(), 4.0F * static_cast<float>(i));
  const std::vector<int64_t> rows = host_.run_rows();
  EXPECT_EQ(rows.size(), 20U);
  EXPECT_TRUE(std::all_of(rows.begin(), rows.end(), [](int64_t r) { return r == 1; }));
}

TEST_F(HostTest, CallsThatWantOtherOutputsDoNotShare) {
  const Published slow = Ready("slow 30");
  host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const uint64_t a = host_.edge().Write({.model = slow.model, .outputs = {"y"}});
  const uint64_t b = host_.edge().Write({.model = slow.model, .outputs = {"z"}});
  const uint64_t c = host_.edge().Write({.model = slow.model, .outputs = {"y"}});
  host_.edge().Wake();
  EXPECT_EQ(host_.Wait(b).view.outputs[0].name, "z");
  EXPECT_EQ(host_.Wait(a).view.outputs[0].name, "y");
  EXPECT_EQ(host_.Wait(c).view.code, 0U);
  EXPECT_THAT(host_.run_rows(), ElementsAre(1, 2, 1));
}

TEST_F(HostTest, NoBatchPassesTheLimitOfRows) {
  const Published slow = Ready("slow 30");
  host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::vector<uint64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(host_.edge().Write({.model = slow.model, .shape = {400, 4}}));
  host_.edge().Wake();
  for (const uint64_t id : ids) EXPECT_EQ(host_.Wait(id).view.code, 0U);
  EXPECT_THAT(host_.run_rows(), ElementsAre(1, 800, 800, 400));
}

TEST_F(HostTest, OneCallersBadValuesFailNobodyElse) {
  const Published picky = Ready("picky");
  std::vector<uint64_t> ids;
  for (int i = 0; i < 8; ++i)
    ids.push_back(host_.edge().Write({.model = picky.model, .value = i == 3 ? -1.0F : 1.0F}));
  host_.edge().Wake();
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(host_.Wait(ids[i]).view.code, i == 3 ? static_cast<uint32_t>(Code::kInvalidArgument) : 0U) << i;
  }
}

TEST_F(HostTest, AModelWhoseRowsAreNotWhatWasProvedIsRunCallByCallFromThenOn) {
  const Published liar = Ready("liar");
  for (int round = 0; round < 2; ++round) {
    std::vector<uint64_t> ids;
    for (int i = 0; i < 4; ++i)
      ids.push_back(host_.edge().Write({.model = liar.model, .value = static_cast<float>(i)}));
    host_.edge().Wake();
    for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(host_.Wait(ids[i]).first(), static_cast<float>(i) + 1);
  }
  const std::vector<int64_t> rows = host_.run_rows();
  EXPECT_LE(std::count_if(rows.begin(), rows.end(), [](int64_t r) { return r > 1; }), 1);
}

TEST_F(HostTest, WrongInputsAreNamedAndCostNoQuota) {
  const Published rows = host_.Publish("rows");
  host_.Grant(rows.model, "1/h");
  const std::pair<Edge::Call, const char*> cases[] = {
      {{.model = rows.model, .input = "q"}, "input 'x' is missing"},
      {{.model = rows.model, .shape = {1, 5}}, "was sent FP32 [1,5]"},
      {{.model = rows.model, .outputs = {"nothing"}}, "no output 'nothing'"},
      {{.model = rows.model, .outputs = {"y", "y"}}, "twice"},
  };
  for (const auto& [call, words] : cases) {
    const Answer& answer = host_.Call(call);
    EXPECT_EQ(answer.code(), Code::kInvalidArgument);
    EXPECT_THAT(std::string(answer.view.message), HasSubstr(words));
  }
  EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);
}

TEST_F(HostTest, ACallThatWaitsPastItsDeadlineIsNotRun) {
  const Published slow = Ready("slow 300");
  const uint64_t first = host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const int64_t start = NowMs();
  const Answer& late = host_.Call({.model = slow.model, .deadline_ms = 50});
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
  EXPECT_LT(NowMs() - start, 200);
  EXPECT_EQ(host_.Wait(first).view.code, 0U);
  EXPECT_EQ(host_.run_rows().size(), 1U);
}

TEST_F(HostTest, ARunPastItsDeadlineIsEnded) {
  const Published slow = Ready("slow 1000");
  const int64_t start = NowMs();
  EXPECT_EQ(host_.Call({.model = slow.model, .deadline_ms = 100}).code(), Code::kDeadlineExceeded);
  EXPECT_LT(NowMs() - start, 500);
}

TEST_F(HostTest, ASlowModelDelaysNoOther) {
  const Published slow = Ready("slow 400");
  const Published rows = Ready("rows");
  const uint64_t id = host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (int i = 0; i < 10; ++i) {
    const int64_t start = NowMs();
    EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);
    EXPECT_LT(NowMs() - start, 100);
  }
  EXPECT_EQ(host_.edge().Find(id), nullptr);
  EXPECT_EQ(host_.Wait(id).view.code, 0U);
}

TEST_F(HostTest, ALeaderCaughtInALongRunLosesTheLead) {
  const Published rows = Ready("rows");
  const Published later = host_.Publish("later 400");
  host_.Grant(later.model);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(host_.Call({.model = later.model}).view.code, 0U);
  const uint64_t id = host_.edge().Send({.model = later.model});  // expected to be short
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const int64_t start = NowMs();
  EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);
  EXPECT_LT(NowMs() - start, 150);
  EXPECT_EQ(host_.Wait(id).view.code, 0U);
}

TEST_F(HostTest, TooManyWaitingCallsAreRefusedAtOnce) {
  const Published slow = Ready("slow 200");
  host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  std::vector<uint64_t> ids;
  for (int i = 0; i < 1100; ++i) ids.push_back(host_.edge().Write({.model = slow.model}));
  host_.edge().Wake();
  const Answer& last = host_.Wait(ids.back(), nullptr, 150);
  EXPECT_EQ(last.code(), Code::kUnavailable);
  EXPECT_EQ(last.view.reason, access::Reason::kBusy);
  size_t served = 0;
  for (const uint64_t id : ids) served += host_.Wait(id).view.code == 0 ? 1 : 0;
  EXPECT_EQ(served, 1024U);
}

TEST_F(HostTest, NothingDecidedAfterTheAcknowledgementOfARevocationIsServed) {
  const Published rows = host_.Publish("rows");
  for (int round = 0; round < 20; ++round) {
    access::TableUpdate removal;
    removal.removed_grants = {host_.Grant(rows.model)};
    std::vector<uint64_t> during;
    for (int i = 0; i < 50; ++i) during.push_back(host_.edge().Send({.model = rows.model}));
    host_.Push(removal);
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(host_.Call({.model = rows.model}).code(), Code::kNotFound) << round;
    for (const uint64_t id : during) static_cast<void>(host_.Wait(id));
  }
}

TEST_F(HostTest, AQuotaIsDebitedOnceAndOutlivesTheHost) {
  const Published rows = host_.Publish("rows");
  host_.Grant(rows.model, "3/h");
  const Answer& first = host_.Call({.model = rows.model});
  EXPECT_TRUE(first.view.has_quota);
  EXPECT_EQ(first.view.quota.calls, 3U);
  EXPECT_EQ(first.view.quota_state.remaining, 2U);
  EXPECT_EQ(host_.Call({.model = rows.model}).view.quota_state.remaining, 1U);

  host_.Stop();
  host_.Start();
  host_.PushPeople();
  EXPECT_EQ(host_.Call({.model = rows.model}).view.quota_state.remaining, 0U);
  const Answer& refused = host_.Call({.model = rows.model});
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.view.reason, access::Reason::kQuotaExhausted);
  EXPECT_TRUE(refused.view.has_quota);
  EXPECT_GT(refused.view.quota_state.retry_after_ns, 1'000'000'000'000U);
}

TEST_F(HostTest, ABrokenChannelIsDroppedAndTheOthersGoOn) {
  const Published rows = Ready("rows");
  Edge other;
  host_.Connect(other, 1);
  EXPECT_EQ(host_.Wait(other.Send({.model = rows.model}), &other).view.code, 0U);
  const uint64_t huge = ~uint64_t{0} - 7;
  ASSERT_EQ(::pwrite(other.memory_fd(), &huge, sizeof huge, 0), static_cast<ssize_t>(sizeof huge));
  other.Write({.model = rows.model});
  ASSERT_EQ(::pwrite(other.memory_fd(), &huge, sizeof huge, 0), static_cast<ssize_t>(sizeof huge));
  other.Wake();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);
}

TEST_F(HostTest, GarbageInARecordHarmsNobody) {
  const Published rows = Ready("rows");
  host_.edge().WriteRaw(AsBytes("this is no call"));
  host_.edge().WriteRaw({});
  EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);
}

TEST_F(HostTest, AReplacedEdgeIsServedAndTheOldOneForgotten) {
  const Published rows = Ready("rows");
  Edge fresh;
  host_.Connect(fresh, 0);
  EXPECT_EQ(host_.Wait(fresh.Send({.model = rows.model}), &fresh).view.code, 0U);
}

TEST_F(HostTest, DamagedFilesAreNeverLoaded) {
  const Published rows = host_.Publish("rows");
  host_.Grant(rows.model);
  host_.damage_files_ = true;
  EXPECT_EQ(host_.Call({.model = rows.model}).code(), Code::kDataLoss);
  EXPECT_EQ(host_.Call({.model = rows.model}).code(), Code::kDataLoss);  // at once: no second try yet
  EXPECT_EQ(host_.loads(), 0);
}

TEST_F(HostTest, AModelThatTheEngineRefusesSaysWhy) {
  const Published broken = host_.Publish("broken");
  host_.Grant(broken.model);
  const Answer& answer = host_.Call({.model = broken.model});
  EXPECT_EQ(answer.code(), Code::kInternal);
  EXPECT_THAT(std::string(answer.view.message), HasSubstr("the fake engine refuses it"));
}

TEST_F(HostTest, AWithdrawnVersionIsUnloadedAtOnce) {
  const Published rows = Ready("rows");
  access::TableUpdate update;
  update.removed_models = {rows.model};
  host_.Push(update);
  EXPECT_TRUE(host_.WaitUntil([&] {
    const std::lock_guard lock(host_.log_.mutex);
    return host_.log_.unloads == 1;
  }));
  EXPECT_EQ(host_.Call({.model = rows.model}).code(), Code::kNotFound);
}

TEST_F(HostTest, ACustodianThatCameBackIsAskedAgain) {
  const Published rows = host_.Publish("rows");
  host_.Grant(rows.model);
  host_.answer_need_model_ = false;
  const uint64_t id = host_.edge().Send({.model = rows.model});
  EXPECT_TRUE(Heard([](const rpc::ToCustodian& m) { return m.has_need_model(); }));
  host_.heard_.clear();
  host_.answer_need_model_ = true;
  host_.ConnectCustodian();
  EXPECT_TRUE(Heard([](const rpc::ToCustodian& m) { return m.has_hello(); }));
  EXPECT_EQ(host_.Wait(id).view.code, 0U);
}

TEST_F(HostTest, ATableInPartsComesIntoForceWithItsLast) {
  const Published rows = Ready("rows");
  rpc::FromCustodian message;
  access::TableUpdate people;
  people.reset = true;
  people.subjects = {{.id = host_.learner(), .name = "lea"}};
  *message.mutable_table() = rpc::ToMessage(people);
  message.mutable_table()->set_more(true);
  host_.Send(message);
  EXPECT_EQ(host_.Call({.model = rows.model}).view.code, 0U);  // the old one still holds
  access::TableUpdate last;
  last.tokens = {host_.Token("learner", host_.learner())};
  host_.Push(last);
  EXPECT_EQ(host_.Call({.model = rows.model}).code(), Code::kNotFound);  // known, but the model is gone
  EXPECT_EQ(host_.Call({.token = "owner", .model = rows.model}).code(), Code::kUnauthenticated);
}

TEST_F(HostTest, PermitsAreCountedAndRefusalsListed) {
  const Published rows = Ready("rows");
  for (int i = 0; i < 9; ++i) static_cast<void>(host_.Call({.model = rows.model}));
  static_cast<void>(host_.Call({.token = "nobody", .model = rows.model}));
  static_cast<void>(host_.Call({.token = "nobody", .model = rows.model}));
  const auto count = [&](access::Reason reason) {
    uint32_t sum = 0;
    for (const access::AuditRecord& record : host_.audit_) sum += record.reason == reason ? record.count : 0;
    return sum;
  };
  EXPECT_TRUE(host_.WaitUntil([&] {
    return count(access::Reason::kAllowedByGrant) == 10 && count(access::Reason::kUnknownToken) == 2;
  }));
  EXPECT_LE(host_.audit_.size(), 6U);
  for (const access::AuditRecord& record : host_.audit_) {
    EXPECT_EQ(record.stage, access::Stage::kHost);
    if (record.allowed == 0) continue;
    EXPECT_EQ(std::string_view(record.object, record.object_bytes), "ana/m0");
  }
}

TEST_F(HostTest, ARunThatFindsNoMemoryIsTold) {
  const Published hungry = host_.Publish("hungry");
  host_.Grant(hungry.model);
  EXPECT_EQ(host_.Call({.model = hungry.model}).code(), Code::kResourceExhausted);
  EXPECT_TRUE(Heard([&](const rpc::ToCustodian& m) {
    return m.has_model_fault() && m.model_fault().version() == hungry.version.AsBytes();
  }));
}

TEST_F(HostTest, ShuttingDownFinishesWhatIsUnderWay) {
  const Published slow = Ready("slow 150");
  const uint64_t id = host_.edge().Send({.model = slow.model});
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  host_.ShutDown(5000);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(host_.Call({.model = slow.model}).code(), Code::kUnavailable);
  EXPECT_EQ(host_.Wait(id).view.code, 0U);
}

TEST(HostFaultTest, ARunThatNeverEndsCostsTheHostItsLife) {
  HostHarness host({.threads = 2, .call_deadline_ms = 100, .hard_grace_ms = 200});
  host.PushPeople();
  const Published stuck = host.Publish("stuck 1500");
  host.Grant(stuck.model);
  host.edge().Send({.model = stuck.model});
  EXPECT_TRUE(host.WaitUntil([&] { return host.ended_with_ == kExitModelFault; }));
  EXPECT_TRUE(host.WaitUntil([&] {
    return std::any_of(host.heard_.begin(), host.heard_.end(), [&](const rpc::ToCustodian& m) {
      return m.has_model_fault() && m.model_fault().version() == stuck.version.AsBytes();
    });
  }));
}

TEST(HostMemoryTest, TheModelUnusedLongestMakesRoom) {
  HostHarness host({.memory_bytes = uint64_t{16} << 20, .threads = 2});  // 12 MiB for models
  host.PushPeople();
  std::vector<Published> models;
  for (int i = 0; i < 3; ++i) {
    models.push_back(host.Publish("rows", true, uint64_t{2} << 20));  // 7 MiB to load, 3 MiB loaded
    host.Grant(models.back().model);
  }
  const auto call = [&](int i) {
    EXPECT_EQ(host.Call({.model = models[static_cast<size_t>(i)].model}).view.code, 0U);
  };
  const auto loads = [&] {
    const std::lock_guard lock(host.log_.mutex);
    return std::pair(host.log_.loads, host.log_.unloads);
  };
  call(0);
  call(1);
  EXPECT_EQ(loads(), std::pair(2, 0));
  call(0);
  call(2);  // 1 was unused longest
  EXPECT_EQ(loads(), std::pair(3, 1));
  call(0);
  EXPECT_EQ(loads(), std::pair(3, 1));
  call(1);
  EXPECT_EQ(loads().first, 4);
  const Published large = host.Publish("rows", true, uint64_t{8} << 20);
  host.Grant(large.model);
  EXPECT_EQ(host.Call({.model = large.model}).code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace glasscase::hosting
