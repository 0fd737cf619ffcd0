#include "gate.h"

#include <sys/mman.h>
#include <unistd.h>

#include <glasscase/access/token.h>
#include <glasscase/core/testing/fake_clock.h>
#include <glasscase/rpc/convert.h>
#include <gtest/gtest.h>

namespace glasscase::hosting {
namespace {

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    access::TableUpdate update;
    update.reset = true;
    update.subjects = {{.id = subject_, .name = "lea"}};
    update.tokens = {{.id = Uuid::Random(),
                      .subject = subject_,
                      .digest = access::CredentialDigest(access::HostCredential("token")),
                      .expires_micros = clock_.WallMicros() + 10'000'000}};
    access::ModelRow model;
    model.id = model_;
    model.owner = Uuid::Random();
    model.owner_name = "ana";
    model.name = "digits";
    access::VersionRow& version = model.versions.emplace_back();
    version.id = model.default_version = Uuid::Random();
    version.label = "1";
    update.models = {model};
    model_row_ = model;
    access::GrantRow grant;
    grant.id = grant_;
    grant.subject = subject_;
    grant.model = model_;
    grant.quota = *access::Quota::Parse("1/h");
    update.grants = {grant};
    Apply(update);
    gate_.SetLease(clock_.MonotonicNanos() + 5'000'000'000);
    const int fd = ::memfd_create("quota", MFD_CLOEXEC);
    EXPECT_EQ(::ftruncate(fd, access::QuotaLedger::kMemoryBytes), 0);
    EXPECT_TRUE(gate_.SetQuotaMemory(fd));
    ::close(fd);
    call_.credential = access::HostCredential("token");
    call_.model = model_;
  }
  bool Apply(const access::TableUpdate& update, bool more = false) {
    rpc::TableUpdate message = rpc::ToMessage(update);
    message.set_more(more);
    return *gate_.Apply(message);
  }
  std::optional<access::Reason> Refused() {
    Gate::Question question(gate_, call_);
    if (!question.refusal()) return std::nullopt;
    return question.refusal()->reason;
  }
  std::optional<access::Reason> Debit() {
    Gate::Question question(gate_, call_);
    QuotaState state;
    const auto refusal = question.Debit(state);
    if (!refusal) return std::nullopt;
    return refusal->reason;
  }

  glasscase::testing::FakeClock clock_;
  Gate gate_{clock_};
  Uuid subject_ = Uuid::Random();
  Uuid model_ = Uuid::Random();
  Uuid grant_ = Uuid::Random();
  access::ModelRow model_row_;
  rpc::CallView call_;
};

TEST_F(GateTest, TheLeaseEndsToTheNanosecond) {
  EXPECT_EQ(Refused(), std::nullopt);
  gate_.SetLease(clock_.MonotonicNanos() + 1);
  EXPECT_EQ(Refused(), std::nullopt);
  gate_.SetLease(clock_.MonotonicNanos());
  EXPECT_EQ(Refused(), access::Reason::kLeaseLapsed);
}

TEST_F(GateTest, ATokenExpires) {
  clock_.AdvanceSeconds(4.9);
  EXPECT_EQ(Refused(), std::nullopt);
  clock_.AdvanceSeconds(5.2);
  gate_.SetLease(clock_.MonotonicNanos() + 1'000'000);
  EXPECT_EQ(Refused(), access::Reason::kExpiredToken);
}

TEST_F(GateTest, AGrantThatIsReplacedKeepsItsDebitsAndOneThatIsGoneDoesNot) {
  EXPECT_EQ(Debit(), std::nullopt);
  EXPECT_EQ(Debit(), access::Reason::kQuotaExhausted);
  access::GrantRow grant;
  grant.id = grant_;
  grant.subject = subject_;
  grant.model = model_;
  grant.quota = *access::Quota::Parse("1/h");
  access::TableUpdate replaced;
  replaced.removed_grants = {grant_};
  replaced.grants = {grant};
  EXPECT_TRUE(Apply(replaced));
  EXPECT_EQ(Debit(), access::Reason::kQuotaExhausted);
  access::TableUpdate removed;
  removed.removed_grants = {grant_};
  EXPECT_TRUE(Apply(removed));
  access::TableUpdate again;
  again.grants = {grant};
  EXPECT_TRUE(Apply(again));
  EXPECT_EQ(Debit(), std::nullopt);
}

TEST_F(GateTest, ChangesInPartsComeIntoForceTogether) {
  access::TableUpdate first;
  first.removed_grants = {grant_};
  EXPECT_FALSE(Apply(first, /*more=*/true));
  EXPECT_EQ(Refused(), std::nullopt);
  EXPECT_TRUE(Apply({}));
  EXPECT_EQ(Refused(), access::Reason::kNoGrant);
}

TEST_F(GateTest, RetiredAndDisabledVersionsAreNotCallable) {
  const Uuid version = model_row_.default_version;
  EXPECT_TRUE(gate_.IsCallable(model_, version));
  EXPECT_FALSE(gate_.IsCallable(model_, Uuid::Random()));
  EXPECT_FALSE(gate_.IsCallable(Uuid::Random(), version));
  model_row_.versions[0].disabled_reason = "killed its host";
  access::TableUpdate update;
  update.models = {model_row_};
  Apply(update);
  EXPECT_FALSE(gate_.IsCallable(model_, version));
  EXPECT_EQ(Refused(), access::Reason::kDisabled);
  Gate::Question question(gate_, call_);
  EXPECT_NE(question.refusal()->message.find("killed its host"), std::string::npos);
}

TEST(AuditLogTest, CountsPermitsAndListsRefusalsUpToALimit) {
  AuditLog log;
  AuditLog::Decision permit{.time_micros = 5,
                            .subject = Uuid::Random(),
                            .allowed = true,
                            .owner_name = "ana",
                            .model_name = "digits"};
  for (int i = 0; i < 1000; ++i) log.Add(permit);
  AuditLog::Decision refusal{.subject = Uuid::Random(), .reason = access::Reason::kNoGrant};
  for (size_t i = 0; i < AuditLog::kSingleRefusalsMax + 100; ++i) log.Add(refusal);
  const auto records = log.Take();
  ASSERT_EQ(records.size(), AuditLog::kSingleRefusalsMax + 2);
  uint64_t permits = 0;
  uint64_t refusals = 0;
  for (const access::AuditRecord& record : records)
    (record.allowed != 0 ? permits : refusals) += record.count;
  EXPECT_EQ(permits, 1000U);
  EXPECT_EQ(refusals, AuditLog::kSingleRefusalsMax + 100);
  EXPECT_TRUE(log.Take().empty());
}

}  // namespace
}  // namespace glasscase::hosting
