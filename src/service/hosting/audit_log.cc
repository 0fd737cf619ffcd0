#include "audit_log.h"

#include <string>
#include <utility>

namespace glasscase::hosting {

size_t AuditLog::KeyHash::operator()(const Key& key) const noexcept {
  size_t hash = static_cast<size_t>(key.reason);
  for (const Uuid& id : key.ids) hash = hash * 0x9E3779B97F4A7C15ULL + UuidHash()(id);
  return hash;
}

access::AuditRecord AuditLog::MakeRecord(const Decision& decision) {
  access::AuditRecord record;
  record.time_micros = decision.time_micros;
  record.subject = decision.subject;
  record.token = decision.token;
  record.stage = access::Stage::kHost;
  record.reason = decision.reason;
  record.allowed = decision.allowed ? 1 : 0;
  if (decision.model_name.empty()) {
    record.SetObject(decision.model.ToString());
  } else {
    record.SetObject(std::string(decision.owner_name) + "/" + std::string(decision.model_name));
  }
  return record;
}

void AuditLog::Add(const Decision& decision) {
  if (!decision.allowed && refusals_.size() < kSingleRefusalsMax) {
    refusals_.push_back(MakeRecord(decision));
    return;
  }
  const Key key{.ids = {decision.subject, decision.token, decision.model}, .reason = decision.reason};
  const auto [place, is_new] = places_.try_emplace(key, counted_.size());
  if (is_new) {
    counted_.push_back(MakeRecord(decision));
  } else {
    ++counted_[place->second].count;
  }
}

std::vector<access::AuditRecord> AuditLog::Take() {
  std::vector<access::AuditRecord> records = std::exchange(refusals_, {});
  records.insert(records.end(), counted_.begin(), counted_.end());
  counted_.clear();
  places_.clear();
  return records;
}

}  // namespace glasscase::hosting
