// One decision, as edges and hosts report it. Fixed size, so that a call costs a copy of some hundred bytes;
// the custodian writes it as a line of JSON (api/formats/audit.md).
#pragma once

#include <cstdint>
#include <cstring>

#include <glasscase/access/decide.h>
#include <glasscase/core/ids.h>

namespace glasscase::access {

enum class Stage : uint8_t { kPublicEdge = 1, kControlEdge = 2, kHost = 3, kCustodian = 4 };

// No inputs, no tokens. `object` holds the name as asked for, cut to fit.
struct AuditRecord {
  int64_t time_micros = 0;
  Uuid subject;        // nil when unknown
  Uuid token;          // nil when unknown
  uint32_t count = 1;  // equal decisions that this record stands for (hosts report permits once a second)
  uint16_t route = 0;  // index into the route table; its name is in the line
  Stage stage = Stage::kPublicEdge;
  Reason reason = Reason::kNoToken;
  uint8_t allowed = 0;
  uint8_t object_bytes = 0;
  char object[70] = {};

  void SetObject(std::string_view name) {
    object_bytes = static_cast<uint8_t>(name.size() < sizeof object ? name.size() : sizeof object);
    std::memcpy(object, name.data(), object_bytes);
  }
};
static_assert(sizeof(AuditRecord) == 120);

}  // namespace glasscase::access
