// Which acts there are, from which listener they are taken, and which roles they ask for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "desk.h"

namespace glasscase::operations {

class Uploads;
class Publishing;
class RunDesk;
class RemoteWorkers;

// What acts need beyond the desk.
struct Workplace {
  Desk& desk;
  Uploads& uploads;
  Publishing& publishing;
  RunDesk& runs;
  RemoteWorkers& remote_workers;
  std::function<void(const PeerId&)> end_link;  // to a process, as if it had died
  std::function<rpc::StatusAnswer()> status;
  std::function<rpc::ListChainAnswer()> describe_chain;  // without acts
};

using Reply = std::function<void(Result<Outcome>)>;

struct Route {
  rpc::Request::OpCase op = rpc::Request::OP_NOT_SET;
  std::string_view name;
  bool on_public_edge = false;
  access::Roles wanted = 0;  // one of these; 0: no token is asked for
  bool audited = true;       // the pieces of an upload are not, only its beginning and its end
  Result<Outcome> (*run)(Workplace&, Act&) = nullptr;
  // Instead of `run`, for acts that answer later.
  void (*begin)(Workplace&, const std::shared_ptr<Act>&, Reply) = nullptr;
};

inline constexpr access::Roles kAnybody = access::kLearner | access::kOwner | access::kOperator;

// Null for an op that is not set.
const Route* FindRoute(rpc::Request::OpCase op);
// Of the acts here; "" for other numbers.
std::string_view RouteName(uint16_t route);

// subjects.cc
Result<Outcome> AddSubject(Workplace& place, Act& act);
Result<Outcome> ListSubjects(Workplace& place, Act& act);
Result<Outcome> RevokeSubject(Workplace& place, Act& act);
Result<Outcome> WhoAmI(Workplace& place, Act& act);
// Makes a learner within a transaction.
catalog::Subject NewLearner(const Desk& desk, const Act& act, std::string_view name);
rpc::Subject Describe(const catalog::Subject& subject);
// The slot of an owner's host that nobody has.
Result<uint32_t> FreeHostSlot(const catalog::Catalog& catalog);

// tokens.cc
Result<Outcome> CreateToken(Workplace& place, Act& act);
Result<Outcome> ListTokens(Workplace& place, Act& act);
Result<Outcome> RevokeToken(Workplace& place, Act& act);
Result<Outcome> RotateToken(Workplace& place, Act& act);

// invitations.cc
Result<Outcome> CreateInvitation(Workplace& place, Act& act);
Result<Outcome> RedeemInvitation(Workplace& place, Act& act);

// grants.cc
Result<Outcome> CreateGrant(Workplace& place, Act& act);
Result<Outcome> ListGrants(Workplace& place, Act& act);
Result<Outcome> RevokeGrant(Workplace& place, Act& act);

// searching.cc
Result<Outcome> ListModels(Workplace& place, Act& act);

// details.cc
Result<Outcome> EditModel(Workplace& place, Act& act);

// lineage_graph.cc
Result<Outcome> ShowLineage(Workplace& place, Act& act);

// models.cc
Result<Outcome> ShowModel(Workplace& place, Act& act);
Result<Outcome> SetDefault(Workplace& place, Act& act);
Result<Outcome> Retire(Workplace& place, Act& act);
Result<Outcome> Erase(Workplace& place, Act& act);
std::vector<Digest> DigestsOf(const std::vector<catalog::VersionFile>& files);
// Those of these blobs that no version has (any more); `then` is called once, perhaps at once. Unavailable
// without the seat.
void RemoveUnusedBlobs(Desk& desk, const std::vector<Digest>& blobs, std::function<void(const Status&)> then);

// ledger_acts.cc
Result<Outcome> ReadLogFile(Workplace& place, Act& act);
Result<Outcome> GiveReceipt(Workplace& place, Act& act);
Result<Outcome> GiveHistory(Workplace& place, Act& act);

// chain_acts.cc
Result<Outcome> Anchor(Workplace& place, Act& act);
Result<Outcome> ListChain(Workplace& place, Act& act);

// taking.cc
Result<Outcome> ListFiles(Workplace& place, Act& act);
void OpenFile(Workplace& place, const std::shared_ptr<Act>& act, Reply reply);

// The version, for those who may take it: its owner, and who has a grant to.
struct Taken {
  NamedModel named;
  catalog::Version version;
};
// As FindTaken has it, of a version that another one was made from; false too when it is gone.
Result<bool> MayTakeVersion(Desk& desk, const Act& act, const Uuid& id);
// For what was asked for with the right to take it, as a run. A grant that covered the default version still
// covers it when another one has become the default. One that has ended since `at_micros` still holds.
Result<bool> MayStillTake(Desk& desk, const Uuid& subject, const catalog::Version& version,
                          int64_t at_micros);
Result<Taken> FindTaken(Desk& desk, Act& act, const std::string& text);

// signing.cc
Result<Outcome> SignVersion(Workplace& place, Act& act);
Result<Outcome> StateVersion(Workplace& place, Act& act);

// uploads.cc
Result<Outcome> CreateUpload(Workplace& place, Act& act);
Result<Outcome> ListUploads(Workplace& place, Act& act);
Result<Outcome> ShowUpload(Workplace& place, Act& act);
Result<Outcome> ReceiveUpload(Workplace& place, Act& act);
void AwaitUpload(Workplace& place, const std::shared_ptr<Act>& act, Reply reply);
Result<Outcome> DropUpload(Workplace& place, Act& act);

// publishing.cc
void Publish(Workplace& place, const std::shared_ptr<Act>& act, Reply reply);

// runs.cc
Result<Outcome> SubmitRun(Workplace& place, Act& act);
Result<Outcome> SubmitRuns(Workplace& place, Act& act);
Result<Outcome> ListRuns(Workplace& place, Act& act);
Result<Outcome> ShowRun(Workplace& place, Act& act);
Result<Outcome> CancelRun(Workplace& place, Act& act);
Result<Outcome> VerifyRun(Workplace& place, Act& act);
Result<Outcome> ReadRunLog(Workplace& place, Act& act);

// worker_acts.cc
Result<Outcome> AddWorker(Workplace& place, Act& act);
Result<Outcome> ListWorkers(Workplace& place, Act& act);
Result<Outcome> RemoveWorker(Workplace& place, Act& act);

// translation_runs.cc
Result<Outcome> TranslateVersion(Workplace& place, Act& act);

// status.cc
Result<Outcome> AskStatus(Workplace& place, Act& act);
Result<Outcome> Stop(Workplace& place, Act& act);

}  // namespace glasscase::operations
