// What a Supervisor is made of. Private.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <glasscase/process/cgroup.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/supervision/supervisor.h>

#include "children.h"
#include "listening_socket.h"
#include "tls_files.h"

namespace glasscase::supervision {

class Supervisor::State {
 public:
  explicit State(SupervisorOptions options) : options_(std::move(options)) {}

  Status Prepare();  // everything that can fail for the operator's reasons
  Status Run();

 private:
  using Type = process::LifelineMessage::Type;
  using Message = process::LifelineMessage;
  using Kind = process::ProcessKind;

  Status CheckOptions() const;
  bool HasRelay() const { return !options_.servers.empty(); }
  bool HasGate() const { return !options_.worker_listen.empty(); }
  void TakeCgroup();
  Status WatchSignals();
  void OnSignals();

  // Starting.
  void Start(const ChildId& id);
  std::string ProgramOf(Kind kind) const;
  std::vector<std::string> ArgumentsOf(const ChildId& id) const;
  // A worker's, made if there can be one; says so in the arguments.
  std::optional<process::Cgroup> SeatOf(const ChildId& id, std::vector<std::string>& arguments) const;
  void ReportWhenReady();

  // Handing out descriptors.
  void Equip(const ChildId& id);
  void EquipEdge(const ChildId& id);
  void EquipHost(const ChildId& id);
  void EquipRelay(const ChildId& id);
  void EquipGate(const ChildId& id);
  bool SendTlsFiles(const ChildId& id);
  void LinkToCustodian(const ChildId& id);
  void LinkCalls(const ChildId& host);
  void Send(const ChildId& to, const Message& message, const std::vector<int>& fds = {});
  void CheckTlsFiles();

  // Listening to children.
  void OnLifeline(const ChildId& id);
  void OnLifelineClosed(const ChildId& id);
  void OnMessage(const ChildId& from, process::ReceivedLifelineMessage received);
  void OnCustodianMessage(process::ReceivedLifelineMessage received);
  void OnOutlet(process::ReceivedLifelineMessage received);
  void StartHost(uint32_t slot);
  void StartInspector(uint32_t number);

  // Ending.
  void Kill(const ChildId& id);
  void Reap();
  void OnDeath(const ChildId& id, const Death& death);
  void TellOfDeath(const ChildId& id, bool from_outside);
  void RestartLater(const ChildId& id, const Death& death, int64_t lived_ms);
  void KillInspectors();

  // Shutting down, kind after kind.
  void BeginShutdown();
  void AdvanceShutdown();
  bool AnyRunning(const std::vector<Kind>& kinds) const;

  SupervisorOptions options_;
  process::EventLoop loop_;
  Fd data_directory_;
  Fd lock_;
  Fd signals_;
  std::optional<ListeningSocket> http_;
  std::optional<ListeningSocket> control_;
  std::optional<ListeningSocket> for_workers_;  // on other machines
  std::optional<TlsFiles> tls_;
  std::vector<Fd> outlets_;  // of the custodian that runs, in the order of options_.servers
  std::optional<process::DelegatedCgroup> cgroup_;
  std::string no_cgroup_;  // why there is none
  Children children_;
  bool reported_ready_ = false;
  Status outcome_;

  bool shutting_down_ = false;
  size_t shutdown_stage_ = 0;
  process::EventLoop::TimerId shutdown_timer_ = 0;
};

}  // namespace glasscase::supervision
