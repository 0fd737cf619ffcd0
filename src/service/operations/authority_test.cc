// Who may do what: every act, every role, both listeners.
#include <map>

#include <gmock/gmock.h>

#include "bench_test.h"
#include "routes.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::HasSubstr;
using Op = rpc::Request::OpCase;

// A request of each kind that fails on its content, not for want of authority, so that asking changes
// nothing.
rpc::Request Harmless(Op op) {
  rpc::Request request;
  switch (op) {
    case Op::kAddSubject: request.mutable_add_subject(); break;
    case Op::kListSubjects: request.mutable_list_subjects(); break;
    case Op::kRevokeSubject: request.mutable_revoke_subject()->set_subject("nobody"); break;
    case Op::kCreateToken: request.mutable_create_token()->set_subject("nobody"); break;
    case Op::kListTokens: request.mutable_list_tokens(); break;
    case Op::kRevokeToken: request.mutable_revoke_token(); break;
    case Op::kRotateToken: request.mutable_rotate_token(); break;
    case Op::kCreateInvitation: request.mutable_create_invitation(); break;
    case Op::kRedeemInvitation: request.mutable_redeem_invitation(); break;
    case Op::kCreateGrant: request.mutable_create_grant()->set_model("none"); break;
    case Op::kListGrants: request.mutable_list_grants(); break;
    case Op::kRevokeGrant: request.mutable_revoke_grant(); break;
    case Op::kListModels: request.mutable_list_models(); break;
    case Op::kLineage: request.mutable_lineage()->set_model("none"); break;
    case Op::kEditModel: request.mutable_edit_model()->set_model("none"); break;
    case Op::kShowModel: request.mutable_show_model()->set_model("none"); break;
    case Op::kSetDefault: request.mutable_set_default()->set_model("none"); break;
    case Op::kRetire: request.mutable_retire()->set_model("none"); break;
    case Op::kErase: request.mutable_erase()->set_model("none"); break;
    case Op::kCreateUpload: request.mutable_create_upload()->set_bytes(-1); break;
    case Op::kListUploads: request.mutable_list_uploads(); break;
    case Op::kShowUpload: request.mutable_show_upload(); break;
    case Op::kReceiveUpload: request.mutable_receive_upload(); break;
    case Op::kAwaitUpload: request.mutable_await_upload(); break;
    case Op::kDropUpload: request.mutable_drop_upload(); break;
    case Op::kPublish: request.mutable_publish(); break;
    case Op::kWhoAmI: request.mutable_who_am_i(); break;
    case Op::kStatus: request.mutable_status(); break;
    case Op::kStop: request.mutable_stop(); break;
    case Op::kListFiles: request.mutable_list_files()->set_model("none"); break;
    case Op::kOpenFile: request.mutable_open_file()->set_model("none"); break;
    case Op::kLogFile: request.mutable_log_file(); break;
    case Op::kReceipt: request.mutable_receipt()->set_model("none"); break;
    case Op::kSignature: request.mutable_signature()->set_model("none"); break;
    case Op::kStatement: request.mutable_statement()->set_model("none"); break;
    case Op::kAnchor: request.mutable_anchor()->set_model("none"); break;
    case Op::kListChain: request.mutable_list_chain()->set_model("none"); break;
    case Op::kSubmitRun: request.mutable_submit_run(); break;
    case Op::kSubmitRuns: request.mutable_submit_runs(); break;
    case Op::kListRuns: request.mutable_list_runs(); break;
    case Op::kShowRun: request.mutable_show_run()->set_run("none"); break;
    case Op::kCancelRun: request.mutable_cancel_run()->set_run("none"); break;
    case Op::kVerifyRun: request.mutable_verify_run()->set_run("none"); break;
    case Op::kRunLog: request.mutable_run_log()->set_run("none"); break;
    case Op::kTranslate: request.mutable_translate()->set_source("none"); break;
    case Op::kAddWorker: request.mutable_add_worker(); break;
    case Op::kListWorkers: request.mutable_list_workers(); break;
    case Op::kRemoveWorker: request.mutable_remove_worker()->set_name("none"); break;
    case Op::kHistory: request.mutable_history()->set_model("none"); break;
    case Op::OP_NOT_SET: break;
  }
  return request;
}

struct Row {
  Op op;
  bool operator_only, owner_only, learner;  // admitted on the control edge
  bool on_public;
};
constexpr Row kMatrix[] = {
    // act                     operator owner  learner public
    {Op::kAddSubject, true, true, false, false},     {Op::kListSubjects, true, true, false, false},
    {Op::kRevokeSubject, true, false, false, false}, {Op::kCreateToken, true, true, false, false},
    {Op::kListTokens, true, true, true, false},      {Op::kRevokeToken, true, true, true, false},
    {Op::kRotateToken, true, true, true, true},      {Op::kCreateInvitation, true, true, false, false},
    {Op::kCreateGrant, false, true, false, false},   {Op::kListGrants, true, true, true, false},
    {Op::kSignature, true, true, true, false},       {Op::kStatement, true, true, true, true},
    {Op::kAnchor, true, true, false, false},         {Op::kListChain, true, true, false, false},
    {Op::kLineage, true, true, true, true},          {Op::kEditModel, false, true, false, false},
    {Op::kRevokeGrant, true, true, false, false},    {Op::kListModels, true, true, true, true},
    {Op::kShowModel, true, true, true, true},        {Op::kSetDefault, false, true, false, false},
    {Op::kRetire, false, true, false, false},        {Op::kErase, false, true, false, false},
    {Op::kCreateUpload, false, true, false, false},  {Op::kReceiveUpload, false, true, false, false},
    {Op::kListUploads, false, true, false, false},   {Op::kShowUpload, false, true, false, false},
    {Op::kAwaitUpload, false, true, false, false},   {Op::kDropUpload, false, true, false, false},
    {Op::kPublish, false, true, false, false},       {Op::kWhoAmI, true, true, true, true},
    {Op::kStatus, true, false, false, false},        {Op::kStop, true, false, false, false},
    {Op::kReceipt, true, true, true, true},          {Op::kHistory, true, true, true, true},
    {Op::kListFiles, true, true, true, false},       {Op::kOpenFile, true, true, true, false},
    {Op::kSubmitRun, false, true, false, false},     {Op::kListRuns, false, true, false, false},
    {Op::kShowRun, false, true, false, false},       {Op::kCancelRun, false, true, false, false},
    {Op::kRunLog, false, true, false, false},        {Op::kVerifyRun, false, true, false, false},
    {Op::kTranslate, false, true, false, false},     {Op::kSubmitRuns, false, true, false, false},
    {Op::kAddWorker, true, false, false, false},     {Op::kListWorkers, true, true, false, false},
    {Op::kRemoveWorker, true, false, false, false},
};

class AuthorityTest : public OperationsTest {
 protected:
  // `init` is the only way to an operator, so one that is nothing else is put into the catalog by hand.
  std::string MakeOperator() {
    catalog::Subject subject;
    subject.id = Uuid::Random();
    subject.name = "janitor";
    subject.roles = access::kOperator;
    auto transaction = catalog->Begin().value();
    EXPECT_TRUE(transaction->InsertSubject(subject));
    EXPECT_TRUE(transaction->Commit());
    return Do(root, CreateToken("janitor")).new_token().token();
  }
  bool Admitted(FakePeer& edge, const std::string& token, Op op) {
    const Code code = CodeOf(Ask(edge, token, Harmless(op)));
    EXPECT_NE(code, Code::kUnauthenticated);
    return code != Code::kPermissionDenied;
  }
  std::string Fresh(std::string_view subject) { return Do(root, CreateToken(subject)).new_token().token(); }
};

TEST_F(AuthorityTest, EveryActAsksForItsRoleAndItsListener) {
  MakeOperator();
  Enrol(root, "prof", "owner");
  Enrol(root, "ada");
  for (const Row& row : kMatrix) {
    const std::string_view name = RouteName(static_cast<uint16_t>(row.op));
    for (const auto& [subject, wanted] :
         {std::pair("janitor", row.operator_only), {"prof", row.owner_only}, {"ada", row.learner}}) {
      EXPECT_EQ(Admitted(*control, Fresh(subject), row.op), wanted) << name << " by " << subject;
      EXPECT_EQ(Admitted(*public_edge, Fresh(subject), row.op), wanted && row.on_public)
          << name << " by " << subject << " at the public edge";
    }
    // The first subject may do everything, at the control edge.
    EXPECT_TRUE(Admitted(*control, Fresh("teacher"), row.op)) << name;
    EXPECT_EQ(Admitted(*public_edge, Fresh("teacher"), row.op), row.on_public) << name;
  }
  EXPECT_EQ(std::size(kMatrix), 47u) << "all but redeem_invitation and log_file, which ask for no token";
}

TEST_F(AuthorityTest, NobodyDoesAnythingWithoutAKnownToken) {
  const std::string stranger(access::NewToken(access::TokenKind::kAccess, random).Reveal(RevealToken()));
  const std::string expired = Do(root, CreateToken("teacher", "30s")).new_token().token();
  const auto revoked = Do(root, CreateToken("teacher")).new_token();
  Do(root, RevokeToken(revoked.id()));
  clock.shift_micros += 31'000'000;
  for (const Row& row : kMatrix)
    for (const std::string& token : {std::string(), stranger, expired, revoked.token()})
      EXPECT_EQ(CodeOf(Ask(token, Harmless(row.op))), Code::kUnauthenticated)
          << RouteName(static_cast<uint16_t>(row.op));
}

// Requests that name another's things.
TEST_F(AuthorityTest, OwnersHaveNoPowerOverOthersThings) {
  const std::string prof = Enrol(root, "prof", "owner");
  const std::string ada = Enrol(root, "ada");
  const std::string bob = Enrol(prof, "bob");
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  ASSERT_EQ(Publish(prof, "mnist", "digits").code(), 0u);
  const std::string grant = Do(root, CreateGrant("bob", "teacher/iris")).grant().id();
  Do(root, CreateGrant("prof", "iris"));

  // Somebody else's model that one may see, and one that one may not.
  EXPECT_EQ(CodeOf(Ask(prof, CreateGrant("ada", "teacher/iris"))), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(prof, OnVersion(&rpc::Request::mutable_retire, "teacher/iris", "1"))),
            Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(prof, OnVersion(&rpc::Request::mutable_erase, "teacher/iris", "1"))),
            Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(prof, OnVersion(&rpc::Request::mutable_set_default, "teacher/iris", "1"))),
            Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(ada, ShowModel("teacher/iris"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(prof, RevokeGrant(grant))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(prof, PublishRequest(Upload(prof, {{"m.onnx", "x"}}), "teacher/iris"))),
            Code::kPermissionDenied);

  // Tokens: of learners that one added, and of nobody else. Otherwise prof could act as ada.
  EXPECT_EQ(CodeOf(Ask(prof, CreateToken("bob"))), Code{});
  for (const char* subject : {"ada", "teacher"})
    EXPECT_EQ(CodeOf(Ask(prof, CreateToken(subject))), Code::kPermissionDenied) << subject;
  rpc::Request invite;
  invite.mutable_create_invitation()->set_subject("ada");
  EXPECT_EQ(CodeOf(Ask(prof, invite)), Code::kPermissionDenied);
  rpc::Request list;
  list.mutable_list_tokens()->set_subject("ada");
  EXPECT_EQ(CodeOf(Ask(prof, list)), Code::kPermissionDenied);
  const std::string adas_token = Do(root, CreateToken("ada")).new_token().id();
  EXPECT_EQ(CodeOf(Ask(prof, RevokeToken(adas_token))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(bob, RevokeToken(adas_token))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(ada, RevokeToken(adas_token))), Code{});

  // Only operators make owners, and a learner that became one is no longer administered.
  EXPECT_EQ(CodeOf(Ask(prof, AddSubject("eve", "owner"))), Code::kPermissionDenied);
  Do(root, AddSubject("bob", "owner"));
  EXPECT_EQ(CodeOf(Ask(prof, CreateToken("bob"))), Code::kPermissionDenied);
}

TEST_F(AuthorityTest, ListsShowWhatIsOnesOwn) {
  const std::string prof = Enrol(root, "prof", "owner");
  const std::string ada = Enrol(root, "ada");
  const std::string bob = Enrol(prof, "bob");
  ASSERT_EQ(Publish(root, "iris", "weights").code(), 0u);
  ASSERT_EQ(Publish(prof, "mnist", "digits").code(), 0u);
  Do(root, CreateGrant("ada", "iris"));
  Do(prof, CreateGrant("bob", "mnist"));
  const auto models = [&](const std::string& token) {
    return Do(token, Harmless(Op::kListModels)).models().models_size();
  };
  const auto grants = [&](const std::string& token) {
    return Do(token, Harmless(Op::kListGrants)).grants().grants_size();
  };
  const auto tokens = [&](const std::string& token) {
    return Do(token, Harmless(Op::kListTokens)).tokens().tokens_size();
  };
  const auto subjects = [&](const std::string& token) {
    return Do(token, Harmless(Op::kListSubjects)).subjects().subjects_size();
  };
  EXPECT_EQ(models(root), 2);
  EXPECT_EQ(models(prof), 1);
  EXPECT_EQ(models(ada), 1);
  EXPECT_EQ(grants(root), 2);
  EXPECT_EQ(grants(prof), 1);
  EXPECT_EQ(grants(bob), 1);
  EXPECT_EQ(tokens(root), 4);
  EXPECT_EQ(tokens(prof), 2);
  EXPECT_EQ(tokens(ada), 1);
  EXPECT_EQ(subjects(root), 4);
  EXPECT_EQ(subjects(prof), 2);
}

TEST_F(AuthorityTest, ATokenForOneselfDoesNotOutliveTheOneInHand) {
  Enrol(root, "prof", "owner");
  const std::string lent = Do(root, CreateToken("prof", "1h")).new_token().token();
  EXPECT_EQ(CodeOf(Ask(lent, CreateToken("prof"))), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(lent, CreateToken("prof", "2h"))), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Ask(lent, CreateToken("prof", "30m"))), Code{});
}

TEST_F(AuthorityTest, RefusalsAndPermissionsAreInTheAuditLogBeforeTheAnswer) {
  const std::string ada = Enrol(root, "ada");
  Ask(*public_edge, ada, Harmless(Op::kStop));
  EXPECT_THAT(AuditText(),
              HasSubstr("\"route\":\"stop\",\"verdict\":\"refused\",\"reason\":\"wrong_listener\""));
  Ask(ada, Harmless(Op::kStop));
  EXPECT_THAT(AuditText(), HasSubstr("\"reason\":\"role_missing\""));
  Ask("", Harmless(Op::kStop));
  EXPECT_THAT(AuditText(), HasSubstr("\"reason\":\"no_token\""));
  Do(root, AddSubject("bob"));
  EXPECT_THAT(AuditText(),
              HasSubstr("\"object\":\"bob\",\"verdict\":\"allowed\",\"reason\":\"allowed_by_role\""));
  EXPECT_THAT(AuditText(), ::testing::Not(HasSubstr("gct_")));
}

TEST_F(AuthorityTest, OtherProcessesMayNotAsk) {
  host = Join({ProcessKind::kHost, 0});
  Submit(*host, root, Harmless(Op::kStop));
  RunFor(50);
  EXPECT_TRUE(host->responses.empty());
  EXPECT_FALSE(supervisor.stopped);
}

TEST_F(AuthorityTest, StopAsksTheSupervisor) {
  Do(root, Harmless(Op::kStop));
  EXPECT_TRUE(supervisor.stopped);
}

}  // namespace
}  // namespace glasscase::operations::testing
