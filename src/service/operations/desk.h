// What every act works with, and an act under way.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <glasscase/access/audit.h>
#include <glasscase/access/decide.h>
#include <glasscase/catalog/catalog.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/operations/operations.h>
#include <glasscase/rpc/link.pb.h>

#include "audit_log.h"
#include "ledger_desk.h"
#include "peer_links.h"
#include "store_work.h"
#include "table_pusher.h"

namespace glasscase::operations {

// One request and who sent it.
struct Act {
  LinkId from;
  rpc::Request request;
  uint16_t route = 0;
  bool audited = true;
  std::optional<catalog::Subject> caller;  // set unless the route needs none
  std::optional<catalog::Token> token;
  std::string object;  // what it is about, for the audit log
  access::Reason reason = access::Reason::kAllowedByRole;
  bool permitted = false;  // its audit line is on disk

  bool Is(access::Roles roles) const { return caller && access::DecideRoute(caller->roles, roles); }
  access::Stage stage() const {
    return from.peer.kind == process::ProcessKind::kPublicEdge ? access::Stage::kPublicEdge
                                                               : access::Stage::kControlEdge;
  }
  // Notes why, and gives the error on.
  tl::unexpected<Error> Refuse(access::Reason why, Error error) {
    reason = why;
    return Fail(std::move(error));
  }
};

// What an act leaves when it succeeds.
struct Outcome {
  rpc::Response answer;
  std::shared_ptr<Fd> descriptor;  // goes out with the answer; shared by the copies of this until then
  TableChange change;              // told to every process before the answer goes out
  std::optional<PeerId> starting;  // a process to wait for as well, until it may act
  // When every process knows; calls back once with what is the answer then.
  std::function<void(std::function<void(const Status&)>)> finish;
  std::function<void()> afterwards;  // when the answer went out
};

class Desk {
 public:
  Desk(const Parts& parts, AuditLog& audit_log, PeerLinks& peer_links, TablePusher& table_pusher)
      : loop(parts.loop),
        clock(parts.clock),
        random(parts.random),
        catalog(parts.catalog),
        blobs(parts.blobs),
        supervisor(parts.supervisor),
        ledger(parts.loop, parts.clock, parts.catalog, parts.log_files, parts.log_signer),
        log_files(parts.log_files),
        signing_key(parts.signing_key),
        anchor(parts.anchor),
        holds_seat(parts.holds_seat),
        store_changes(parts.loop, parts.blobs.MayWait()),
        store_reads(parts.loop, parts.blobs.MayWait()),
        audit(audit_log),
        links(peer_links),
        pusher(table_pusher) {}

  process::EventLoop& loop;
  const Clock& clock;
  RandomSource& random;
  catalog::Catalog& catalog;
  blobs::BlobStore& blobs;
  Supervisor& supervisor;
  LedgerDesk ledger;
  ledger::LogFiles& log_files;
  EcdsaPrivateKey signing_key;
  const ledger::Anchor* const anchor;  // null: no chain. What is registered is written there too
  HoldsSeat holds_seat;
  StoreWork store_changes;  // every commit and every removal of blobs
  StoreWork store_reads;
  AuditLog& audit;
  PeerLinks& links;
  TablePusher& pusher;

  int64_t now() const { return clock.WallMicros(); }

  // The decision to do what was asked, on disk. Every act calls it once, after its last check and before its
  // first change; an act whose line cannot be written is not done.
  Status Permit(Act& act);
  void NoteRefusal(const Act& act);
  // "" for the nil subject and for one that is not there.
  std::string SubjectName(const Uuid& id);

  // Last uses of tokens, as edges report them; written to the catalog now and then.
  void NoteTokenUse(const Uuid& token, int64_t when_micros);
  int64_t LastUse(const catalog::Token& token) const;
  void WriteTokenUses();

  // Asks for an owner's host. The first time it is given back, to be waited for.
  std::optional<PeerId> NeedHost(uint32_t slot);

  // Begins a transaction, lets `change` work on it, commits.
  Status Change(const std::function<Status(catalog::Transaction&)>& change);
  // Unavailable when another custodian may act by now.
  Status CheckSeat() const;
  // How many changes were committed so far.
  uint64_t changes() const { return changes_; }

 private:
  AuditLine LineFor(const Act& act, bool allowed);

  std::unordered_map<Uuid, std::string, UuidHash> subject_names_;  // names never change
  std::unordered_map<Uuid, int64_t, UuidHash> token_uses_;
  std::set<uint32_t> hosts_asked_for_;
  uint64_t changes_ = 0;
};

// Look-ups that every act shares. NotFound says how to find what there is.
Result<catalog::Subject> FindSubject(Desk& desk, std::string_view name_or_uuid);
Result<Uuid> ParseId(std::string_view text, std::string_view what);
// An owner administers the learners it has added and nobody else's; operators everybody.
bool MayAdminister(const Act& act, const catalog::Subject& subject);

// A model as callers name it: NAME, OWNER/NAME or a UUID (of the model or of a version), each with @VERSION
// if wanted. Only what the caller may see is found.
struct NamedModel {
  catalog::Model model;
  catalog::Subject owner;
  std::optional<catalog::Version> version;  // when one was named
  std::string FullName() const { return owner.name + "/" + model.name; }
};
Result<NamedModel> FindModel(Desk& desk, Act& act, std::string_view text);
// The same, for acts that only the model's owner may do.
Result<NamedModel> FindOwnModel(Desk& desk, Act& act, std::string_view text);
bool MaySee(Desk& desk, const Act& act, const catalog::Model& model);
// The version that `named` names, or the default one; only what the caller sees.
Result<catalog::Version> FindVisibleVersion(Desk& desk, Act& act, const NamedModel& named);
Result<std::optional<catalog::Version>> FindVersionOf(Desk& desk, const Uuid& model,
                                                      std::string_view label_or_uuid);

// A row and the secret that it is the digest of.
struct MadeToken {
  catalog::Token row;
  Secret token;
};
MadeToken MakeToken(const Clock& clock, RandomSource& random, const Uuid& subject, int64_t expires_micros);

// Text of times: "" for 0.
std::string TimeText(int64_t micros);
std::string StateText(int64_t revoked_micros, int64_t expires_micros, int64_t now_micros);

}  // namespace glasscase::operations
