#include "inspections.h"

#include <algorithm>
#include <array>

#include <glasscase/rpc/convert.h>

namespace glasscase::operations {
namespace {

constexpr size_t kTensorsMax = 256;

Error InspectorDied() {
  return Error::InvalidArgument("inspecting the file used more than the allowed memory or time");
}

}  // namespace

std::string InspectorsWords(const std::string& text, size_t max) {
  const bool clean = text.size() <= max && IsUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
                       return static_cast<uint8_t>(c) < 32 || c == 127;
                     });
  return clean ? text : Printable(text, max);
}

Status TakeOver(const rpc::InspectReport& report, catalog::Version& version) {
  for (const auto& [rows, specs] :
       {std::pair(&report.inputs(), &version.inputs), std::pair(&report.outputs(), &version.outputs)}) {
    if (static_cast<size_t>(rows->size()) > kTensorsMax)
      return Fail(Error::InvalidArgument("the model has more than 256 inputs or outputs"));
    for (const rpc::TensorRow& row : *rows) {
      GC_TRY(TensorSpec spec, rpc::FromMessage(row));
      specs->push_back(std::move(spec));
    }
  }
  version.rows_independent = report.rows_independent();
  version.rows_reason = InspectorsWords(report.rows_reason(), 500);
  version.producer = InspectorsWords(report.producer(), 120);
  version.runtime_version = InspectorsWords(report.runtime_version(), 60);
  version.parameters = std::max<int64_t>(report.parameters(), 0);
  return Ok();
}

// Numbers begin anywhere: the death of an inspector that the last custodian asked for must not be taken for
// that of one of ours.
Inspections::Inspections(Desk& desk) : desk_(desk) {
  std::array<uint8_t, 3> bytes{};
  desk.random.Fill(bytes);
  next_number_ = 1U + (uint32_t{bytes[0]} << 16U | uint32_t{bytes[1]} << 8U | bytes[2]);
}

Inspections::~Inspections() {
  for (const auto& [number, order] : running_) desk_.loop.Cancel(order->timer);
}

uint64_t Inspections::Begin(Order order) {
  const uint64_t id = ++last_order_;
  waiting_.push_back(std::make_unique<Numbered>(Numbered{.id = id, .order = std::move(order)}));
  StartNext();
  return id;
}

void Inspections::StartNext() {
  while (!waiting_.empty() && running_.size() < kAtOnce) {
    const uint32_t number = next_number_++;
    std::unique_ptr<Numbered> next = std::move(waiting_.front());
    waiting_.pop_front();
    next->timer = desk_.loop.After(kTimeMs, [this, number] {
      desk_.supervisor.Kill({process::ProcessKind::kInspector, number});
      OnGone(number);
    });
    running_[number] = std::move(next);
    desk_.supervisor.Inspect(number);
  }
}

void Inspections::Drop(uint64_t order) {
  std::erase_if(waiting_, [&](const auto& one) { return one->id == order; });
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const auto& one) { return one.second->id == order; });
  if (found != running_.end()) {
    const uint32_t number = found->first;
    TakeRunning(number);
    desk_.supervisor.Kill({process::ProcessKind::kInspector, number});
  }
  StartNext();
}

void Inspections::OnLinked(uint32_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return desk_.links.Remove({process::ProcessKind::kInspector, number});
  auto fds = found->second->order.open();
  if (!fds) return Finish(number, Fail(fds.error()));
  rpc::FromCustodian message;
  *message.mutable_inspect() = found->second->order.job;
  desk_.links.Send({process::ProcessKind::kInspector, number}, message, std::move(*fds));
}

void Inspections::OnReport(uint32_t number, const rpc::InspectReport& report) {
  if (report.code() != 0)
    return Finish(number, Fail(Error::InvalidArgument(InspectorsWords(report.message(), 2000))));
  Finish(number, report);
}

void Inspections::OnGone(uint32_t number) { Finish(number, Fail(InspectorDied())); }

std::unique_ptr<Inspections::Numbered> Inspections::TakeRunning(uint32_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return nullptr;
  std::unique_ptr<Numbered> taken = std::move(found->second);
  running_.erase(found);
  desk_.loop.Cancel(taken->timer);
  desk_.links.Remove({process::ProcessKind::kInspector, number});
  return taken;
}

void Inspections::Finish(uint32_t number, const Result<rpc::InspectReport>& report) {
  const std::unique_ptr<Numbered> ended = TakeRunning(number);
  if (!ended) return;  // its second word, or it was dropped
  ended->order.then(report);
  StartNext();
}

}  // namespace glasscase::operations
