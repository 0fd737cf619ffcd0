// Hostile envelopes on the custodian's link: refused, or rows that a table takes.
#include <climits>

#include <glasscase/access/table.h>
#include <glasscase/rpc/convert.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  if (size > INT_MAX) return 0;
  rpc::FromCustodian from;
  if (from.ParseFromArray(data, static_cast<int>(size)) && from.has_table()) {
    if (const auto update = rpc::FromMessage(from.table())) {
      access::AccessTable table;
      table.Apply(*update);
      table.Apply(*update);
    }
  }
  rpc::ToCustodian to;
  if (to.ParseFromArray(data, static_cast<int>(size))) {
    if (to.has_audit()) static_cast<void>(rpc::FromMessage(to.audit()));
    for (const rpc::TensorRow& row : to.inspect_report().inputs()) static_cast<void>(rpc::FromMessage(row));
  }
  return 0;
}
