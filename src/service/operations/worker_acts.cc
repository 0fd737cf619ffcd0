// Workers: which there are, and letting those of other machines in.
#include <algorithm>

#include "remote_workers.h"
#include "routes.h"
#include "run_desk.h"

namespace glasscase::operations {
namespace {

// What a worker that is there says of itself.
void DescribeHello(const Workplace& place, const PeerId& id, const RunWorker& worker, rpc::Worker& row) {
  const rpc::WorkerHello& hello = worker.hello;
  row.set_connected(true);
  row.set_executor(Printable(hello.executor(), 64));
  row.set_slots(std::min(hello.slots(), RunDesk::kSlotsMax));
  row.set_running(static_cast<uint32_t>(worker.running));
  row.set_trouble(place.runs.TroubleOf(id));
  for (const rpc::Runner& runner : hello.runners()) row.add_runners(Printable(runner.name(), 64));
  for (const std::string& registry : hello.registries()) row.add_registries(Printable(registry, 200));
}

rpc::Worker DescribeEnrolled(Workplace& place, const EnrolledWorker& worker) {
  rpc::Worker row;
  row.set_name(worker.name);
  row.set_key(PinText(worker.pin));
  row.set_enrolled_at(TimeText(worker.enrolled_micros));
  if (const auto* connection = place.remote_workers.ConnectionOf(worker.name)) {
    row.set_address(connection->address);
    row.set_connected_at(TimeText(connection->since_micros));
  }
  const PeerId peer = place.remote_workers.PeerOf(worker.name);
  const auto there = place.runs.workers().find(peer);
  if (there != place.runs.workers().end()) DescribeHello(place, peer, there->second, row);
  return row;
}

}  // namespace

Result<Outcome> AddWorker(Workplace& place, Act& act) {
  const rpc::AddWorkerRequest& request = act.request.add_worker();
  act.object = request.name();
  EnrolledWorker worker{.name = request.name(), .enrolled_micros = place.desk.now()};
  auto pin = ParsePin(request.key());
  if (!pin)
    return Fail(Error::InvalidArgument("key: " + pin.error().message() +
                                       "; `glasscase-worker --new-key FILE` on the other machine prints it"));
  worker.pin = *pin;
  GC_TRY_VOID(place.remote_workers.Check(worker));
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY_VOID(place.remote_workers.Add(worker));
  Outcome outcome;
  *outcome.answer.mutable_workers()->add_workers() = DescribeEnrolled(place, worker);
  outcome.answer.mutable_workers()->set_gate(PinText(place.remote_workers.gate_pin()));
  outcome.answer.mutable_workers()->set_listens(place.desk.links.Has(RemoteWorkers::kGate));
  return outcome;
}

Result<Outcome> ListWorkers(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  rpc::ListWorkersAnswer& answer = *outcome.answer.mutable_workers();
  for (const auto& [id, worker] : place.runs.workers()) {
    if (RemoteWorkers::IsRemote(id)) continue;
    rpc::Worker& row = *answer.add_workers();
    row.set_name(Printable(worker.hello.name(), 64));
    DescribeHello(place, id, worker, row);
  }
  for (const EnrolledWorker& worker : place.remote_workers.enrolled())
    *answer.add_workers() = DescribeEnrolled(place, worker);
  answer.set_gate(PinText(place.remote_workers.gate_pin()));
  answer.set_listens(place.desk.links.Has(RemoteWorkers::kGate));
  return outcome;
}

// From the answer on nothing that it says is heard: its link is cut here, whatever the gate does.
Result<Outcome> RemoveWorker(Workplace& place, Act& act) {
  act.object = act.request.remove_worker().name();
  const EnrolledWorker* const worker = place.remote_workers.Find(act.object);
  if (worker == nullptr)
    return Fail(Error::NotFound("no worker of another machine is called " + Printable(act.object) +
                                "; glasscase workers list shows them"));
  GC_TRY_VOID(place.desk.Permit(act));
  GC_TRY_VOID(place.remote_workers.Remove(act.object));
  place.end_link(place.remote_workers.PeerOf(act.object));
  Outcome outcome;
  outcome.answer.mutable_done();
  return outcome;
}

}  // namespace glasscase::operations
