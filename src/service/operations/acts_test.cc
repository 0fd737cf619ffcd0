// Subjects, tokens, invitations, grants: what they do, and that doing it again is safe.
#include <sys/mount.h>

#include <gmock/gmock.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ActsTest : public OperationsTest {
 protected:
  rpc::Response Redeem(std::string_view invitation) {
    rpc::Request request;
    request.mutable_redeem_invitation();
    return Ask(*public_edge, invitation, request);
  }
  rpc::NewInvitation Invite(std::string_view subject, std::string_view expires = "",
                            std::string_view token = "") {
    rpc::Request request;
    request.mutable_create_invitation()->set_subject(std::string(subject));
    request.mutable_create_invitation()->set_expires(std::string(expires));
    request.mutable_create_invitation()->set_token_expires(std::string(token));
    return Do(root, request).new_invitation();
  }
  rpc::WhoAmIAnswer WhoAmI(std::string_view token) {
    rpc::Request request;
    request.mutable_who_am_i();
    return Do(token, request).who_am_i();
  }
  Code CodeOfWhoAmI(std::string_view token) {
    rpc::Request request;
    request.mutable_who_am_i();
    return CodeOf(Ask(token, request));
  }
};

TEST_F(ActsTest, AddingASubjectTwiceGivesTheSameOne) {
  const auto first = Do(root, AddSubject("ada")).subject();
  EXPECT_THAT(first.roles(), ElementsAre("learner"));
  EXPECT_EQ(Do(root, AddSubject("ada")).subject().id(), first.id());
  const auto owner = Do(root, AddSubject("ada", "owner")).subject();
  EXPECT_EQ(owner.id(), first.id());
  EXPECT_THAT(owner.roles(), ElementsAre("owner", "learner"));
  EXPECT_EQ(CodeOf(Ask(root, AddSubject("ada", "operator"))), Code::kInvalidArgument);
  EXPECT_THAT(Ask(root, AddSubject("Ada")).message(), HasSubstr("a-z 0-9"));
}

TEST_F(ActsTest, TheFirstSubjectIsOperatorAndOwner) {
  const auto me = WhoAmI(root);
  EXPECT_THAT(me.subject().roles(), ElementsAre("operator", "owner"));
  EXPECT_EQ(me.installation(), catalog->Setting(catalog::kInstallationSetting).value().value());
  EXPECT_FALSE(EnsureFirstSubject(*catalog, clock, random, "somebody", false).value().created);
  EXPECT_TRUE(supervisor.hosts.contains(0));
}

TEST_F(ActsTest, TokensWorkAtOnceAndExpire) {
  Do(root, AddSubject("ada"));
  const auto token = Do(root, CreateToken("ada", "1h")).new_token();
  EXPECT_EQ(WhoAmI(token.token()).token_id(), token.id());
  EXPECT_NE(public_edge->table.FindToken(access::EdgeDigest(token.token())), nullptr);
  clock.shift_micros += int64_t{3600} * 1'000'000;
  EXPECT_EQ(CodeOfWhoAmI(token.token()), Code::kUnauthenticated);
}

TEST_F(ActsTest, RevokedTokensAreGoneEverywhere) {
  Do(root, AddSubject("ada"));
  const auto token = Do(root, CreateToken("ada")).new_token();
  EXPECT_EQ(Do(root, RevokeToken(token.id())).revoked().tokens(), 1u);
  EXPECT_EQ(CodeOfWhoAmI(token.token()), Code::kUnauthenticated);
  EXPECT_EQ(public_edge->table.FindToken(access::EdgeDigest(token.token())), nullptr);
  EXPECT_EQ(Do(root, RevokeToken(token.id())).revoked().tokens(), 0u);
  EXPECT_EQ(CodeOf(Ask(root, RevokeToken("no id"))), Code::kInvalidArgument);
}

TEST_F(ActsTest, RotatingExchangesTheTokenInHand) {
  Do(root, AddSubject("ada"));
  const auto old = Do(root, CreateToken("ada", "30d")).new_token();
  rpc::Request rotate;
  rotate.mutable_rotate_token();
  const auto fresh = Ask(*public_edge, old.token(), rotate).new_token();
  EXPECT_EQ(fresh.expires_at(), old.expires_at());
  EXPECT_EQ(CodeOfWhoAmI(old.token()), Code::kUnauthenticated);
  EXPECT_EQ(WhoAmI(fresh.token()).subject().name(), "ada");
}

TEST_F(ActsTest, TokensAreListedWithStateHintAndLastUse) {
  Do(root, AddSubject("ada"));
  const auto token = Do(root, CreateToken("ada")).new_token();
  WhoAmI(token.token());
  rpc::Request list;
  list.mutable_list_tokens()->set_subject("ada");
  auto row = Do(root, list).tokens().tokens(0);
  EXPECT_EQ(row.state(), "active");
  EXPECT_EQ(row.hint(), token.token().substr(36));
  EXPECT_FALSE(row.last_used_at().empty());
  Do(root, RevokeToken(token.id()));
  EXPECT_EQ(Do(root, list).tokens().tokens(0).state(), "revoked");
}

TEST_F(ActsTest, InvitationsYieldOneTokenOnce) {
  const auto invitation = Invite("ada", "", "1h");
  const auto token = Redeem(invitation.invitation());
  ASSERT_EQ(token.code(), 0u) << token.message();
  EXPECT_EQ(WhoAmI(token.new_token().token()).subject().name(), "ada");
  EXPECT_FALSE(token.new_token().expires_at().empty());
  EXPECT_THAT(Redeem(invitation.invitation()).message(), HasSubstr("used already"));
  EXPECT_EQ(CodeOf(Redeem("gci_unknown")), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(Redeem("")), Code::kUnauthenticated);
}

TEST_F(ActsTest, InvitationsExpireAndAreWithdrawnWithTheirSubject) {
  const auto first = Invite("ada", "1h");
  clock.shift_micros += int64_t{3600} * 1'000'000;
  EXPECT_THAT(Redeem(first.invitation()).message(), HasSubstr("expired"));
  const auto second = Invite("ada");
  rpc::Request revoke;
  revoke.mutable_revoke_subject()->set_subject("ada");
  EXPECT_EQ(Do(root, revoke).revoked().invitations(), 2u);
  EXPECT_EQ(CodeOf(Redeem(second.invitation())), Code::kUnauthenticated);
}

TEST_F(ActsTest, RevokingASubjectWithdrawsAllItHad) {
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  const std::string ada = Enrol(root, "ada");
  Do(root, CreateGrant("ada", "iris"));
  rpc::Request revoke;
  revoke.mutable_revoke_subject()->set_subject("ada");
  const auto answer = Do(root, revoke).revoked();
  EXPECT_EQ(answer.tokens(), 1u);
  EXPECT_EQ(answer.grants(), 1u);
  EXPECT_FALSE(Decide(*public_edge, ada, "teacher/iris").allowed);
  const auto again = Do(root, revoke).revoked();
  EXPECT_EQ(again.tokens() + again.grants() + again.invitations(), 0u);
  revoke.mutable_revoke_subject()->set_subject("teacher");
  EXPECT_EQ(CodeOf(Ask(root, revoke)), Code::kFailedPrecondition);
}

TEST_F(ActsTest, TheSameGrantAgainKeepsItsIdAndTakesTheNewTerms) {
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  const std::string ada = Enrol(root, "ada");
  const auto first = Do(root, CreateGrant("ada", "iris", "100/min", "30d")).grant();
  EXPECT_EQ(first.model(), "teacher/iris");
  EXPECT_EQ(first.quota(), "100/min");
  EXPECT_EQ(Do(root, CreateGrant("ada", "iris", "100/min", "30d")).grant().id(), first.id());
  const auto changed = Do(root, CreateGrant("ada", "iris", "5/s")).grant();
  EXPECT_EQ(changed.id(), first.id());
  EXPECT_EQ(changed.expires_at(), "");
  EXPECT_EQ(Decide(*public_edge, ada, "teacher/iris").grant->quota->calls, 5u);
  // One on a version is another grant.
  EXPECT_NE(Do(root, CreateGrant("ada", "iris@1")).grant().id(), first.id());
  // After a withdrawal it is a new one.
  Do(root, RevokeGrant(first.id()));
  EXPECT_NE(Do(root, CreateGrant("ada", "iris")).grant().id(), first.id());
}

TEST_F(ActsTest, GrantsSayWhatIsWrongWithThem) {
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  Do(root, AddSubject("ada"));
  EXPECT_THAT(Ask(root, CreateGrant("bob", "iris")).message(), HasSubstr("glasscase list subjects"));
  EXPECT_THAT(Ask(root, CreateGrant("ada", "none")).message(), HasSubstr("glasscase list models"));
  EXPECT_THAT(Ask(root, CreateGrant("ada", "iris@9")).message(), HasSubstr("glasscase show teacher/iris"));
  EXPECT_EQ(CodeOf(Ask(root, CreateGrant("ada", "iris", "often"))), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Ask(root, CreateGrant("ada", "iris", "", "soon"))), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Ask(root, CreateGrant("teacher", "iris"))), Code::kInvalidArgument);
  rpc::Request take = CreateGrant("ada", "iris");
  take.mutable_create_grant()->set_action("keep");
  EXPECT_EQ(CodeOf(Ask(root, take)), Code::kInvalidArgument);
  // Subject and model by UUID.
  const auto model = Do(root, ShowModel("iris")).model();
  EXPECT_EQ(Do(root, CreateGrant("ada", model.id())).grant().model(), "teacher/iris");
  EXPECT_EQ(Do(root, CreateGrant("ada", model.versions(0).id())).grant().model(), "teacher/iris@1");
}

TEST_F(ActsTest, ShortNamesWorkWhereOneModelIsSeen) {
  const std::string prof = Enrol(root, "prof", "owner");
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  ASSERT_EQ(Publish(prof, "iris", "others").code(), 0u);
  EXPECT_EQ(Do(prof, ShowModel("iris")).model().name(), "prof/iris");
  const auto seen_both = Ask(root, ShowModel("iris"));
  EXPECT_EQ(CodeOf(seen_both), Code::kInvalidArgument);
  EXPECT_THAT(seen_both.message(), HasSubstr("teacher/iris, prof/iris"));
  EXPECT_EQ(Do(root, ShowModel("prof/iris")).model().name(), "prof/iris");
}

TEST_F(ActsTest, StatusShowsEveryProcessAndWhatIsMissing) {
  rpc::ToCustodian hello;
  hello.mutable_hello()->set_pid(77);
  hello.mutable_hello()->add_missing("landlock: not offered by this kernel");
  public_edge->Send(hello);
  RunFor(10);
  rpc::Request request;
  request.mutable_status();
  const auto status = Do(root, request).status();
  EXPECT_EQ(status.version(), "0.1.0");
  EXPECT_EQ(status.subjects(), 1u);
  EXPECT_GT(status.data_bytes_free(), 0);
  ASSERT_EQ(status.processes_size(), 3);
  EXPECT_EQ(status.processes(0).process(), "custodian");
  EXPECT_THAT(status.processes(0).in_force(), ElementsAre("seccomp"));
  EXPECT_EQ(status.processes(1).pid(), 77u);
  EXPECT_THAT(status.processes(1).missing(0), HasSubstr("landlock"));
}

TEST_F(ActsTest, LastUsesSurviveTheEnd) {
  Do(root, AddSubject("ada"));
  const auto token = Do(root, CreateToken("ada")).new_token();
  WhoAmI(token.token());
  operations->Flush();
  Restart();
  rpc::Request list;
  list.mutable_list_tokens()->set_subject("ada");
  EXPECT_FALSE(Do(root, list).tokens().tokens(0).last_used_at().empty());
}

bool MountSmallDisk(const std::filesystem::path& at) {
  return ::mount("tmpfs", at.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=80m") == 0;
}

// Needs the right to mount.
class FullDiskTest : public OperationsTest {
 protected:
  FullDiskTest() : OperationsTest([](const auto& at) { mounted = MountSmallDisk(at); }) {}
  void FillDisk() {
    for (const size_t bytes : {size_t{1} << 20, size_t{4096}, size_t{1}}) {
      std::ofstream filler(folder / "filler", std::ios::app);
      const std::string block(bytes, 'x');
      while (filler << block << std::flush) {
      }
    }
  }
  static inline bool mounted = false;  // set while the base is made
};

TEST_F(FullDiskTest, ActsFailClearlyCallsGoOnAndRoomHeals) {
  if (!mounted) GTEST_SKIP() << "no right to mount a small disk here";
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  FillDisk();
  const auto refused = Ask(root, AddSubject("ada"));
  EXPECT_EQ(CodeOf(refused), Code::kResourceExhausted);
  EXPECT_EQ(refused.message(), "the disk of the data directory is full");
  EXPECT_FALSE(catalog->FindSubjectCalled("ada").value().has_value());
  const int64_t lease = public_edge->lease_until_ns;
  EXPECT_TRUE(RunUntil([&] { return public_edge->lease_until_ns > lease; }));
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
  std::filesystem::remove(folder / "filler");
  EXPECT_EQ(Do(root, AddSubject("ada")).subject().name(), "ada");
}

}  // namespace
}  // namespace glasscase::operations::testing
