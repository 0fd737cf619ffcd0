// What edges and hosts tell without being asked: decisions they made, models they need, models that cost them
// their life. All of it is checked: the process that says it may be taken over.
#pragma once

#include <functional>
#include <set>
#include <string_view>
#include <utility>

#include "desk.h"

namespace glasscase::operations {

// Edges and hosts: the records go to the audit log, the uses of tokens to the catalog.
void TakeAuditRecords(Desk& desk, const PeerId& from, std::string_view records,
                      const std::function<std::string_view(uint16_t)>& route_name);

// Host: sends the files of a version, when it is one of the host's owner's.
void ServeModel(Desk& desk, const LinkId& host, const rpc::NeedModel& wanted);

// Counts what a version costs. One life of a host counts once per version.
class FaultCounter {
 public:
  static constexpr uint32_t kFaultsMax = 3;  // then the version is disabled

  explicit FaultCounter(Desk& desk) : desk_(desk) {}
  // Gives what to tell every process when the version was disabled by this.
  Result<TableChange> Note(const LinkId& host, const rpc::ModelFault& fault);
  void Forget(const LinkId& host);

 private:
  Desk& desk_;
  std::set<std::pair<uint64_t, Uuid>> counted_;  // link serial, version
};

}  // namespace glasscase::operations
