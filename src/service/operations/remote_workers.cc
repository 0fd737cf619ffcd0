#include "remote_workers.h"

#include <algorithm>
#include <sstream>

#include "names.h"

namespace glasscase::operations {
namespace {

constexpr std::string_view kSetting = "remote_workers";  // a line for each: name, pin, when it was enrolled
constexpr std::string_view kOfThisMachine = "local";     // what names of other machines do not begin with
constexpr int kSaidMax = 64;                             // runners, registries

Result<EnrolledWorker> ParseLine(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  std::string pin;
  EnrolledWorker worker;
  if (!(words >> name >> pin >> worker.enrolled_micros))
    return Fail(
        Error::DataLoss("the catalog's list of remote workers has a line that is none: " + Printable(line)));
  worker.name = std::move(name);
  GC_TRY(worker.pin, ParsePin(pin));
  return worker;
}

}  // namespace

Status RemoteWorkers::Load() {
  GC_TRY(const auto text, desk_.catalog.Setting(kSetting));
  std::istringstream lines(text.value_or(""));
  enrolled_.clear();
  for (std::string line; std::getline(lines, line);) {
    GC_TRY(EnrolledWorker worker, ParseLine(line));
    enrolled_.push_back(std::move(worker));
  }
  return Ok();
}

const EnrolledWorker* RemoteWorkers::Find(std::string_view name) const {
  const auto found = std::ranges::find(enrolled_, name, &EnrolledWorker::name);
  return found == enrolled_.end() ? nullptr : &*found;
}

Status RemoteWorkers::Check(const EnrolledWorker& worker) const {
  GC_TRY_VOID(CheckSubjectName(worker.name));
  if (worker.name.starts_with(kOfThisMachine))
    return Fail(Error::InvalidArgument("names that begin with local are those of this machine's workers"));
  for (const EnrolledWorker& other : enrolled_) {
    if (other.name == worker.name)
      return Fail(Error::AlreadyExists("there is a worker " + other.name +
                                       " already; to give it another key, remove it first"));
    if (other.pin == worker.pin)
      return Fail(Error::AlreadyExists("this key is enrolled already, as " + other.name));
  }
  if (worker.pin == gate_pin())
    return Fail(Error::InvalidArgument("that is the pin of the gate, not of the worker's key"));
  if (enrolled_.size() < kWorkersMax) return Ok();
  return Fail(Error::ResourceExhausted("there are " + std::to_string(kWorkersMax) +
                                       " workers already; remove one first"));
}

Status RemoteWorkers::Add(EnrolledWorker worker) {
  std::vector<EnrolledWorker> workers = enrolled_;
  workers.push_back(std::move(worker));
  return Save(workers);
}

Status RemoteWorkers::Remove(const std::string& name) {
  std::vector<EnrolledWorker> workers = enrolled_;
  std::erase_if(workers, [&](const EnrolledWorker& worker) { return worker.name == name; });
  return Save(workers);
}

Status RemoteWorkers::Save(const std::vector<EnrolledWorker>& workers) {
  std::string text;
  for (const EnrolledWorker& worker : workers)
    text += worker.name + " " + PinText(worker.pin) + " " + std::to_string(worker.enrolled_micros) + "\n";
  GC_TRY_VOID(desk_.Change(
      [&](catalog::Transaction& transaction) { return transaction.SetSetting(kSetting, text); }));
  enrolled_ = workers;
  TellGate();
  return Ok();
}

void RemoteWorkers::TellGate() {
  if (!desk_.links.Has(kGate)) return;
  rpc::FromCustodian message;
  rpc::GateOrders& orders = *message.mutable_gate_orders();
  orders.set_key(std::string(gate_key_.Pem().Reveal(RevealToken())));
  for (const EnrolledWorker& worker : enrolled_) {
    rpc::EnrolledWorker& row = *orders.add_workers();
    row.set_name(worker.name);
    row.set_pin(std::string(AsText(worker.pin)));
  }
  desk_.links.Send(kGate, message);
  WipeMemory(orders.mutable_key()->data(), orders.key().size());
}

Result<PeerId> RemoteWorkers::Admit(const rpc::WorkerCame& came) {
  const auto found = std::ranges::find_if(
      enrolled_, [&](const EnrolledWorker& worker) { return AsText(worker.pin) == came.pin(); });
  if (found == enrolled_.end())
    return Fail(Error::PermissionDenied("a worker came whose key is not enrolled"));
  return PeerOf(found->name);
}

void RemoteWorkers::NoteConnected(const PeerId& peer, const std::string& address) {
  connected_[NameOf(peer)] = {.address = Printable(address, 64), .since_micros = desk_.now()};
}

void RemoteWorkers::NoteGone(const PeerId& peer) { connected_.erase(NameOf(peer)); }

const RemoteWorkers::Connection* RemoteWorkers::ConnectionOf(const std::string& name) const {
  const auto found = connected_.find(name);
  return found == connected_.end() ? nullptr : &found->second;
}

// A name keeps its slot, so that one that failed what it was given rests also when it comes again.
PeerId RemoteWorkers::PeerOf(const std::string& name) {
  const auto [slot, is_new] = slots_.try_emplace(name, kFirstSlot + static_cast<uint32_t>(slots_.size()));
  return {process::ProcessKind::kWorker, slot->second};
}

std::string RemoteWorkers::NameOf(const PeerId& peer) const {
  const auto found = std::ranges::find_if(slots_, [&](const auto& one) { return one.second == peer.slot; });
  return IsRemote(peer) && found != slots_.end() ? found->first : "";
}

void RemoteWorkers::Restrain(const PeerId& peer, rpc::WorkerHello& hello) const {
  if (!IsRemote(peer)) return;
  hello.set_name(NameOf(peer));
  if (hello.runners_size() > kSaidMax)
    hello.mutable_runners()->DeleteSubrange(kSaidMax, hello.runners_size() - kSaidMax);
  if (hello.registries_size() > kSaidMax)
    hello.mutable_registries()->DeleteSubrange(kSaidMax, hello.registries_size() - kSaidMax);
}

}  // namespace glasscase::operations
