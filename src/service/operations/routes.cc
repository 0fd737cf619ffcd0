#include "routes.h"

#include <algorithm>
#include <array>

namespace glasscase::operations {
namespace {

using access::kOperator;
using access::kOwner;
using rpc::Request;

constexpr access::Roles kOperatorOrOwner = kOperator | kOwner;

constexpr std::array<Route, 49> kRoutes = {{
    {Request::kAddSubject, "add_subject", false, kOperatorOrOwner, true, AddSubject},
    {Request::kListSubjects, "list_subjects", false, kOperatorOrOwner, true, ListSubjects},
    {Request::kRevokeSubject, "revoke_subject", false, kOperator, true, RevokeSubject},
    {Request::kCreateToken, "create_token", false, kOperatorOrOwner, true, CreateToken},
    {Request::kListTokens, "list_tokens", false, kAnybody, true, ListTokens},
    {Request::kRevokeToken, "revoke_token", false, kAnybody, true, RevokeToken},
    {Request::kRotateToken, "rotate_token", true, kAnybody, true, RotateToken},
    {Request::kCreateInvitation, "create_invitation", false, kOperatorOrOwner, true, CreateInvitation},
    {Request::kRedeemInvitation, "redeem_invitation", true, 0, true, RedeemInvitation},
    {Request::kCreateGrant, "create_grant", false, kOwner, true, CreateGrant},
    {Request::kListGrants, "list_grants", false, kAnybody, true, ListGrants},
    {Request::kRevokeGrant, "revoke_grant", false, kOperatorOrOwner, true, RevokeGrant},
    {Request::kListModels, "list_models", true, kAnybody, true, ListModels},
    {Request::kShowModel, "show_model", true, kAnybody, true, ShowModel},
    {Request::kLineage, "lineage", true, kAnybody, true, ShowLineage},
    {Request::kEditModel, "edit_model", false, kOwner, true, EditModel},
    {Request::kSetDefault, "set_default", false, kOwner, true, SetDefault},
    {Request::kRetire, "retire", false, kOwner, true, Retire},
    {Request::kErase, "erase", false, kOwner, true, Erase},
    {Request::kCreateUpload, "create_upload", false, kOwner, true, CreateUpload},
    {Request::kListUploads, "list_uploads", false, kOwner, true, ListUploads},
    {Request::kShowUpload, "show_upload", false, kOwner, false, ShowUpload},
    {Request::kReceiveUpload, "receive_upload", false, kOwner, false, ReceiveUpload},
    {Request::kAwaitUpload, "await_upload", false, kOwner, false, nullptr, AwaitUpload},
    {Request::kDropUpload, "drop_upload", false, kOwner, true, DropUpload},
    {Request::kPublish, "publish", false, kOwner, true, nullptr, Publish},
    {Request::kWhoAmI, "who_am_i", true, kAnybody, true, WhoAmI},
    {Request::kStatus, "status", false, kOperator, true, AskStatus},
    {Request::kLogFile, "log_file", true, 0, false, ReadLogFile},
    {Request::kReceipt, "receipt", true, kAnybody, true, GiveReceipt},
    {Request::kHistory, "history", true, kAnybody, true, GiveHistory},
    {Request::kAnchor, "anchor", false, kOperatorOrOwner, true, Anchor},
    {Request::kListChain, "list_chain", false, kOperatorOrOwner, true, ListChain},
    {Request::kListFiles, "list_files", false, kAnybody, true, ListFiles},
    {Request::kOpenFile, "open_file", false, kAnybody, true, nullptr, OpenFile},
    {Request::kSignature, "signature", false, kAnybody, true, SignVersion},
    {Request::kStatement, "statement", true, kAnybody, true, StateVersion},
    {Request::kSubmitRun, "submit_run", false, kOwner, true, SubmitRun},
    {Request::kSubmitRuns, "submit_runs", false, kOwner, true, SubmitRuns},
    {Request::kListRuns, "list_runs", false, kOwner, true, ListRuns},
    {Request::kShowRun, "show_run", false, kOwner, true, ShowRun},
    {Request::kCancelRun, "cancel_run", false, kOwner, true, CancelRun},
    {Request::kTranslate, "translate", false, kOwner, true, TranslateVersion},
    {Request::kRunLog, "run_log", false, kOwner, false, ReadRunLog},
    {Request::kVerifyRun, "verify_run", false, kOwner, true, VerifyRun},
    {Request::kAddWorker, "add_worker", false, kOperator, true, AddWorker},
    {Request::kListWorkers, "list_workers", false, kOperatorOrOwner, true, ListWorkers},
    {Request::kRemoveWorker, "remove_worker", false, kOperator, true, RemoveWorker},
    {Request::kStop, "stop", false, kOperator, true, Stop},
}};

}  // namespace

const Route* FindRoute(Request::OpCase op) {
  const auto found =
      std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) { return route.op == op; });
  return found == kRoutes.end() ? nullptr : &*found;
}

std::string_view RouteName(uint16_t route) {
  const Route* found = FindRoute(static_cast<Request::OpCase>(route));
  return found == nullptr ? std::string_view() : found->name;
}

}  // namespace glasscase::operations
