// What Operations is made of: its desks, and the way of a message to them. Private.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/operations/operations.h>

#include "audit_log.h"
#include "chain_desk.h"
#include "desk.h"
#include "inspections.h"
#include "peer_links.h"
#include "publishing.h"
#include "remote_workers.h"
#include "reports.h"
#include "routes.h"
#include "run_desk.h"
#include "table_pusher.h"
#include "uploads.h"
#include "witness_desk.h"

namespace glasscase::operations {

class Operations::Core {
 public:
  Core(const Parts& parts, Settings settings, std::unique_ptr<AuditLog> audit_log, std::string installation);
  ~Core();

  Status AskForHosts();
  Status StartLedger(const Parts& parts);
  void SweepBlobs();
  Status TakeUpUploads() { return uploads_.TakeUp(); }
  Status TakeUpRuns() { return runs_.TakeUp(); }
  Status LoadWorkers() { return remote_workers_.Load(); }
  void Link(const PeerId& peer, Fd socket);
  void PeerGone(const PeerId& peer);
  void Flush();

 private:
  void OnMessage(const LinkId& from, rpc::ToCustodian message, process::ForeignFds fds);
  void OnRequest(const LinkId& from, rpc::Request request);
  void OnFault(const LinkId& from, const rpc::ModelFault& fault);
  void OnWorkerCame(const rpc::WorkerCame& came, process::ForeignFds fds);
  void OnLost(const LinkId& link);
  void EndOf(const LinkId& link);
  void EndLostWorker(const LinkId& link);

  Reply ReplyTo(const std::shared_ptr<Act>& act);
  void Deliver(const std::shared_ptr<Act>& act, Outcome outcome);
  void Complete(const Act& act, Outcome done);
  void AnswerError(const Act& act, const Error& error);
  void SendAnswer(const Act& act, rpc::Response answer, std::vector<Fd> descriptors = {});

  void FlushAudit();
  void EverySecond();
  // operations_status.cc
  rpc::StatusAnswer DescribeStatus();
  void DescribeSelf(rpc::ProcessStatus& row);
  void DescribePeer(const PeerId& peer, rpc::ProcessStatus& row);
  void DescribeLedger(rpc::StatusAnswer& answer);
  rpc::ListChainAnswer DescribeChain() const;

  Settings settings_;
  const std::string installation_;
  const int64_t started_micros_;
  std::unique_ptr<AuditLog> audit_;
  PeerLinks links_;
  TablePusher pusher_;
  Desk desk_;
  Uploads uploads_;
  Inspections inspections_;
  Publishing publishing_;
  RunDesk runs_;
  RemoteWorkers remote_workers_;
  std::unique_ptr<WitnessDesk> witnesses_;  // null: the policy has none
  std::unique_ptr<ChainDesk> chain_;        // null: no chain is configured
  FaultCounter faults_;
  Workplace place_;
  std::map<PeerId, LinkId> current_;  // the last life of each peer
  std::vector<process::EventLoop::TimerId> timers_;
  bool audit_failing_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers that fire once look whether this is gone
};

}  // namespace glasscase::operations
