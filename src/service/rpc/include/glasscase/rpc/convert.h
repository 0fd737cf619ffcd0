// Between the pushed messages and the types of custody/access. What comes from a peer is checked: identifiers
// of 16 bytes, digests of 32, datatypes and ranks in range; InvalidArgument otherwise.
#pragma once

#include <span>
#include <vector>

#include <glasscase/access/audit.h>
#include <glasscase/access/table.h>
#include <glasscase/core/error.h>
#include <glasscase/rpc/link.pb.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::rpc {

TableUpdate ToMessage(const access::TableUpdate& update);  // sequence and more are the caller's
Result<access::TableUpdate> FromMessage(const TableUpdate& message);

AuditBatch ToMessage(std::span<const access::AuditRecord> records);
Result<std::vector<access::AuditRecord>> FromMessage(const AuditBatch& message);

TensorRow ToMessage(const TensorSpec& spec);
Result<TensorSpec> FromMessage(const TensorRow& row);

}  // namespace glasscase::rpc
