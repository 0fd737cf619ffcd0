#include <glasscase/access/decide.h>

#include <set>
#include <string>

#include <glasscase/access/audit.h>
#include <gtest/gtest.h>

namespace glasscase::access {
namespace {

constexpr int64_t kNow = 1'790'000'000'000'000;

Uuid Id(uint8_t n) {
  Uuid id;
  id.bytes[8] = n;
  id.bytes[15] = 1;
  return id;
}

// Owner 1 (ana) has model 10 "digits" with versions 11 "1" and 12 "2" (the default); learner 2; stranger 3.
class DecideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TableUpdate update;
    update.subjects = {{.id = Id(1), .name = "ana", .roles = kOwner | kOperator},
                       {.id = Id(2), .name = "lea", .roles = kLearner},
                       {.id = Id(3), .name = "sam", .roles = kLearner}};
    update.tokens = {TokenRow{.id = Id(20), .subject = Id(2), .digest = {20}},
                     TokenRow{.id = Id(21), .subject = Id(2), .digest = {21}, .expires_micros = kNow},
                     TokenRow{.id = Id(22), .subject = Id(99), .digest = {22}}};
    update.models = {MakeModel(10, 1, "ana", "digits")};
    table_.Apply(update);
  }

  static ModelRow MakeModel(uint8_t id, uint8_t owner, std::string owner_name, std::string name) {
    ModelRow row;
    row.id = Id(id);
    row.owner = Id(owner);
    row.owner_name = std::move(owner_name);
    row.name = std::move(name);
    for (uint8_t i = 1; i <= 2; ++i) {
      VersionRow version;
      version.id = Id(static_cast<uint8_t>(id + i));
      version.label = std::to_string(i);
      row.versions.push_back(version);
    }
    row.default_version = row.versions[1].id;
    return row;
  }
  void PutModel(const ModelRow& row) {
    TableUpdate update;
    update.models = {row};
    table_.Apply(update);
  }
  void PutGrant(uint8_t id, uint8_t subject, uint8_t model, uint8_t version = 0, int64_t expires_micros = 0,
                const char* quota = nullptr) {
    GrantRow row;
    row.id = Id(id);
    row.subject = Id(subject);
    row.model = Id(model);
    if (version != 0) row.version = Id(version);
    row.expires_micros = expires_micros;
    if (quota != nullptr) row.quota = *Quota::Parse(quota);
    TableUpdate update;
    update.grants = {row};
    table_.Apply(update);
  }
  CallVerdict Decide(uint8_t subject, std::string_view version = "", int64_t now = kNow, uint8_t model = 10) {
    return DecideCall(table_, *table_.FindSubject(Id(subject)), table_.FindModel(Id(model)), version, now);
  }
  Reason Why(uint8_t subject, std::string_view version = "", int64_t now = kNow) {
    const CallVerdict verdict = Decide(subject, version, now);
    const bool is_permit = verdict.reason <= Reason::kAllowedWithoutToken;
    EXPECT_EQ(verdict.allowed, is_permit);
    EXPECT_TRUE(!verdict.allowed || (verdict.model != nullptr && verdict.version != nullptr));
    return verdict.reason;
  }

  AccessTable table_;
};

TEST_F(DecideTest, IdentifiesByTokenExpiryAndSubject) {
  const Caller known = Identify(table_, Digest{20}, kNow);
  EXPECT_TRUE(known.known());
  EXPECT_EQ(known.reason, Reason::kAllowedByRole);
  EXPECT_EQ(known.subject->name, "lea");
  EXPECT_EQ(Identify(table_, Digest{19}, kNow).reason, Reason::kUnknownToken);
  EXPECT_FALSE(Identify(table_, Digest{19}, kNow).known());

  EXPECT_TRUE(Identify(table_, Digest{21}, kNow - 1).known());
  const Caller expired = Identify(table_, Digest{21}, kNow);
  EXPECT_EQ(expired.reason, Reason::kExpiredToken);
  EXPECT_FALSE(expired.known());
  EXPECT_EQ(expired.token->id, Id(21));  // for the audit log

  const Caller orphan = Identify(table_, Digest{22}, kNow);
  EXPECT_EQ(orphan.reason, Reason::kUnknownSubject);
  EXPECT_FALSE(orphan.known());
}

TEST_F(DecideTest, TheOwnerNeedsNoGrant) {
  EXPECT_EQ(Why(1), Reason::kAllowedToOwner);
  EXPECT_EQ(Decide(1).version->label, "2");
  EXPECT_EQ(Decide(1, "1").version->label, "1");
  EXPECT_EQ(Decide(1).grant, nullptr);
  EXPECT_EQ(Why(1, "3"), Reason::kNoSuchVersion);
}

TEST_F(DecideTest, NobodyElseComesInWithoutAGrantWhateverTheirRole) {
  TableUpdate update;
  update.subjects = {{.id = Id(4), .name = "oli", .roles = kLearner | kOwner | kOperator}};
  table_.Apply(update);
  EXPECT_EQ(Why(4), Reason::kNoGrant);
  EXPECT_EQ(Why(2), Reason::kNoGrant);
}

TEST_F(DecideTest, AGrantCountsForItsSubjectAndItsModelOnly) {
  PutModel(MakeModel(30, 1, "ana", "letters"));
  PutGrant(40, 2, 10);
  EXPECT_EQ(Why(2), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(3), Reason::kNoGrant);
  EXPECT_EQ(Decide(2, "", kNow, 30).reason, Reason::kNoGrant);
}

TEST_F(DecideTest, AGrantWithoutVersionCoversTheDefaultNowAndLaterAndNothingElse) {
  PutGrant(40, 2, 10);
  EXPECT_EQ(Decide(2).version->label, "2");
  EXPECT_EQ(Why(2, "2"), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(2, Id(12).ToString()), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(2, "1"), Reason::kVersionNotGranted);

  ModelRow model = *table_.FindModel(Id(10));
  model.default_version = Id(11);
  PutModel(model);
  EXPECT_EQ(Decide(2).version->label, "1");
  EXPECT_EQ(Why(2, "1"), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(2, "2"), Reason::kVersionNotGranted);

  model.default_version = Uuid{};
  PutModel(model);
  EXPECT_EQ(Why(2), Reason::kNoSuchVersion);
  EXPECT_EQ(Why(2, "1"), Reason::kVersionNotGranted);
}

TEST_F(DecideTest, APinnedGrantCoversThatVersionOnly) {
  PutGrant(40, 2, 10, 11);
  EXPECT_EQ(Why(2, "1"), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(2, "2"), Reason::kVersionNotGranted);
  EXPECT_EQ(Why(2), Reason::kVersionNotGranted);
  ModelRow model = *table_.FindModel(Id(10));
  model.default_version = Id(11);
  PutModel(model);
  EXPECT_EQ(Why(2), Reason::kAllowedByGrant);
}

TEST_F(DecideTest, AGranteeCannotTellAMissingVersionFromOneNotGranted) {
  PutGrant(40, 2, 10, 11);
  const CallVerdict missing = Decide(2, "77");
  const CallVerdict ungranted = Decide(2, "2");
  EXPECT_EQ(missing.reason, ungranted.reason);
  EXPECT_EQ(missing.version, nullptr);
  EXPECT_EQ(ungranted.version, nullptr);
}

TEST_F(DecideTest, AGrantEndsAtItsExpiryToTheMicrosecond) {
  PutGrant(40, 2, 10, 0, kNow + 1);
  EXPECT_EQ(Why(2, "", kNow), Reason::kAllowedByGrant);
  EXPECT_EQ(Why(2, "", kNow + 1), Reason::kExpiredGrant);
  PutGrant(41, 2, 10, 11, 0);  // another that lives on, for another version
  EXPECT_EQ(Why(2, "", kNow + 1), Reason::kVersionNotGranted);
  EXPECT_EQ(Why(2, "1", kNow + 1), Reason::kAllowedByGrant);
}

TEST_F(DecideTest, RetiredAndDisabledVersionsAnswerNobody) {
  PutGrant(40, 2, 10);
  PutGrant(41, 2, 10, 11);
  ModelRow model = *table_.FindModel(Id(10));
  model.versions[0].retired = true;
  model.versions[1].disabled_reason = "killed its host three times";
  PutModel(model);
  EXPECT_EQ(Why(2, "1"), Reason::kRetired);
  EXPECT_EQ(Why(1, "1"), Reason::kRetired);
  EXPECT_EQ(Why(2), Reason::kDisabled);
  EXPECT_EQ(Why(1), Reason::kDisabled);
  EXPECT_EQ(Decide(1).version->disabled_reason, "killed its host three times");
  EXPECT_EQ(Why(3, "1"), Reason::kNoGrant);  // a stranger does not learn it
}

TEST_F(DecideTest, OfSeveralGrantsTheMostGenerousCountsWhateverTheirOrder) {
  for (const bool reversed : {false, true}) {
    SetUp();
    const uint8_t first = reversed ? 45 : 40;
    const uint8_t second = reversed ? 40 : 45;
    PutGrant(first, 2, 10, 0, 0, "10/min");
    PutGrant(second, 2, 10, 12, 0, "100/min");
    EXPECT_EQ(Decide(2).grant->id, Id(second));
    PutGrant(50, 2, 10);
    EXPECT_EQ(Decide(2).grant->id, Id(50));
    PutGrant(49, 2, 10);
    EXPECT_EQ(Decide(2).grant->id, Id(49));
    PutGrant(49, 2, 10, 0, kNow - 1);
    EXPECT_EQ(Decide(2).grant->id, Id(50));
    TableUpdate cleared;
    cleared.removed_grants = {Id(40), Id(45), Id(49), Id(50)};
    table_.Apply(cleared);
  }
}

TEST_F(DecideTest, AMissingModelAndOneNotGrantedAreTheSame) {
  const SubjectRow& subject = *table_.FindSubject(Id(2));
  for (const char* version : {"", "1", "9"}) {
    const CallVerdict missing = DecideCall(table_, subject, nullptr, version, kNow);
    const CallVerdict ungranted = DecideCall(table_, subject, table_.FindModel(Id(10)), version, kNow);
    for (const CallVerdict& verdict : {missing, ungranted}) {
      EXPECT_FALSE(verdict.allowed);
      EXPECT_EQ(verdict.reason, Reason::kNoGrant);
      EXPECT_EQ(verdict.model, nullptr);
      EXPECT_EQ(verdict.version, nullptr);
      EXPECT_EQ(verdict.grant, nullptr);
    }
  }
}

TEST_F(DecideTest, ANilModelCanNeverBeGranted) {
  PutGrant(40, 2, 0);
  GrantRow odd;
  odd.id = Id(41);
  odd.subject = Id(2);
  TableUpdate update;
  update.grants = {odd};  // on the nil model
  table_.Apply(update);
  EXPECT_EQ(DecideCall(table_, *table_.FindSubject(Id(2)), nullptr, "", kNow).reason, Reason::kNoGrant);
}

TEST_F(DecideTest, ShortNamesResolveAmongModelsThatTheCallerSees) {
  PutModel(MakeModel(30, 3, "sam", "digits"));
  const auto resolve = [this](uint8_t subject, std::string_view name) {
    bool ambiguous = false;
    const ModelRow* model = ResolveModel(table_, *table_.FindSubject(Id(subject)), name, &ambiguous);
    return ambiguous ? std::string("ambiguous") : model == nullptr ? "none" : model->owner_name;
  };
  EXPECT_EQ(resolve(1, "digits"), "ana");
  EXPECT_EQ(resolve(3, "digits"), "sam");
  EXPECT_EQ(resolve(2, "digits"), "none");
  EXPECT_EQ(resolve(2, "letters"), "none");
  PutGrant(40, 2, 10);
  EXPECT_EQ(resolve(2, "digits"), "ana");
  PutGrant(41, 2, 30);
  EXPECT_EQ(resolve(2, "digits"), "ambiguous");
  EXPECT_EQ(resolve(2, "sam/digits"), "sam");
  EXPECT_EQ(resolve(2, Id(30).ToString()), "sam");
  EXPECT_EQ(resolve(2, Id(31).ToString()), "sam");
  EXPECT_EQ(resolve(2, "sam/letters"), "none");
  EXPECT_EQ(resolve(2, ""), "none");
}

TEST_F(DecideTest, AVersionsIdentifierGivenAsNameMeansThatVersion) {
  const ModelRow* model = table_.FindModel(Id(10));
  EXPECT_EQ(VersionMeant(model, "digits", ""), "");
  EXPECT_EQ(VersionMeant(model, "digits", "1"), "1");
  EXPECT_EQ(VersionMeant(model, Id(10).ToString(), ""), "");
  const std::string version = Id(11).ToString();
  EXPECT_EQ(VersionMeant(model, version, ""), version);
  EXPECT_EQ(VersionMeant(model, version, "2"), "2");
  EXPECT_EQ(VersionMeant(nullptr, version, ""), "");
}

TEST_F(DecideTest, RoutesAskForOneOfSeveralRoles) {
  EXPECT_TRUE(DecideRoute(kOwner, kOwner | kOperator));
  EXPECT_FALSE(DecideRoute(kLearner, kOwner | kOperator));
  EXPECT_FALSE(DecideRoute(0, kLearner));
}

TEST(ReasonTest, EveryReasonHasANameOfItsOwn) {
  std::set<std::string_view> names;
  size_t named = 0;
  for (int value = 0; value < 256; ++value) {
    const std::string_view name = ReasonName(static_cast<Reason>(value));
    if (name == "unknown") continue;
    ++named;
    names.insert(name);
  }
  EXPECT_EQ(named, 23U);
  EXPECT_EQ(names.size(), named);
}

TEST(AuditRecordTest, CutsLongNames) {
  AuditRecord record;
  record.SetObject(std::string(200, 'x'));
  EXPECT_EQ(record.object_bytes, sizeof record.object);
  record.SetObject("a/b");
  EXPECT_EQ(std::string_view(record.object, record.object_bytes), "a/b");
}

}  // namespace
}  // namespace glasscase::access
