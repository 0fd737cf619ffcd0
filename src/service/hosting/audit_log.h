// What the host reports about its decisions: refusals one by one, permits counted per subject, token and
// model.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <glasscase/access/audit.h>
#include <glasscase/access/decide.h>
#include <glasscase/core/ids.h>

namespace glasscase::hosting {

// Not thread-safe.
class AuditLog {
 public:
  static constexpr size_t kSingleRefusalsMax =
      4096;  // between two Take; further ones are counted like permits

  struct Decision {
    int64_t time_micros = 0;
    Uuid subject = {};  // nil when unknown
    Uuid token = {};
    Uuid model = {};  // as asked for
    access::Reason reason = access::Reason::kAllowedByGrant;
    bool allowed = false;
    std::string_view owner_name = {};  // "owner/name" when the caller may know it; the model's UUID otherwise
    std::string_view model_name = {};
  };
  void Add(const Decision& decision);

  // All since the last Take.
  std::vector<access::AuditRecord> Take();

 private:
  struct Key {
    std::array<Uuid, 3> ids;
    access::Reason reason{};
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };
  static access::AuditRecord MakeRecord(const Decision& decision);

  std::vector<access::AuditRecord> refusals_;
  std::vector<access::AuditRecord> counted_;
  boost::unordered_flat_map<Key, size_t, KeyHash> places_;  // in counted_
};

}  // namespace glasscase::hosting
