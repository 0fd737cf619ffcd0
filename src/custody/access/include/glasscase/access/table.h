// The access table: what an edge or a host knows of subjects, tokens, models and grants. The custodian pushes
// it whole at the start and as changes afterwards; nobody else writes it.
// Rows stay where they are until the next Apply, no longer.
//
// Not thread-safe: the host guards its table with a mutex, the edges have one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <glasscase/access/quota.h>
#include <glasscase/core/bytes.h>
#include <glasscase/core/ids.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::access {

// Roles add up: the subject made by `glasscase init` is operator and owner.
enum RoleBit : uint8_t { kLearner = 1, kOwner = 2, kOperator = 4 };
using Roles = uint8_t;
std::string RolesText(Roles roles);  // "operator, owner"

struct SubjectRow {
  Uuid id;
  std::string name;
  Roles roles = kLearner;
};

struct TokenRow {
  Uuid id;
  Uuid subject;
  Digest digest{};             // of the receiving process's kind, see token.h
  int64_t expires_micros = 0;  // wall clock; 0: never
};

struct VersionRow {
  Uuid id;
  std::string label;         // "1", "2024-spring"
  Digest manifest_digest{};  // names the bytes: SHA-256 of the manifest (see custody/blobs)
  Digest sha256{};           // as registered: of the file, or of the manifest when there are several
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool rows_independent = false;
  bool retired = false;
  std::string disabled_reason;  // set when the model was disabled after killing its host; empty otherwise
  uint64_t weights_bytes = 0;
};

struct ModelRow {
  Uuid id;
  Uuid owner;  // subject
  std::string owner_name;
  std::string name;  // without the owner
  uint32_t host_slot = 0;
  Uuid default_version;  // nil: none is published or all are retired
  std::vector<VersionRow> versions;

  const VersionRow* FindVersion(const Uuid& id) const;
  const VersionRow* FindVersion(std::string_view label_or_uuid) const;
};

struct GrantRow {
  Uuid id;
  Uuid subject;
  Uuid model;
  Uuid version;                // nil: the default version, now and later
  int64_t expires_micros = 0;  // 0: never
  std::optional<Quota> quota;
};

// A change, or, with `reset`, a whole table to replace the old one. Applied in the order: removals, then
// insertions (which replace rows of the same id).
struct TableUpdate {
  bool reset = false;
  std::vector<Uuid> removed_subjects, removed_tokens, removed_models, removed_grants;
  std::vector<SubjectRow> subjects;
  std::vector<TokenRow> tokens;
  std::vector<ModelRow> models;
  std::vector<GrantRow> grants;
};

class AccessTable {
 public:
  void Apply(const TableUpdate& update);

  const TokenRow* FindToken(const Digest& digest) const;
  const SubjectRow* FindSubject(const Uuid& id) const;
  const ModelRow* FindModel(const Uuid& id) const;
  // "owner/name", or a model's or version's UUID as text.
  const ModelRow* FindModel(std::string_view full_name_or_uuid) const;
  // All models with that short name, in no order.
  const std::vector<Uuid>& ModelsCalled(std::string_view short_name) const;
  bool HasGrant(const Uuid& grant) const { return grant_places_.contains(grant); }
  // All grants of `subject` on `model` (usually none or one).
  const std::vector<GrantRow>& Grants(const Uuid& subject, const Uuid& model) const;
  // Models on which the subject has a grant, or which it owns.
  std::vector<const ModelRow*> ModelsOf(const Uuid& subject) const;

  size_t token_count() const { return tokens_.size(); }
  size_t grant_count() const { return grant_places_.size(); }

 private:
  struct DigestHash {
    size_t operator()(const Digest& d) const noexcept;
  };
  struct PairHash {
    size_t operator()(const std::pair<Uuid, Uuid>& p) const noexcept;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept;
  };
  void RemoveToken(const Uuid& id);
  void RemoveModel(const Uuid& id);
  void RemoveGrant(const Uuid& id);
  void InsertToken(const TokenRow& row);
  void InsertModel(const ModelRow& row);
  void InsertGrant(const GrantRow& row);

  boost::unordered_flat_map<Digest, TokenRow, DigestHash> tokens_;
  boost::unordered_flat_map<Uuid, Digest, UuidHash> token_digests_;
  boost::unordered_flat_map<Uuid, SubjectRow, UuidHash> subjects_;
  boost::unordered_flat_map<Uuid, ModelRow, UuidHash> models_;
  boost::unordered_flat_map<std::string, Uuid, TextHash, std::equal_to<>>
      model_names_;  // full names and UUIDs
  boost::unordered_flat_map<std::string, std::vector<Uuid>, TextHash, std::equal_to<>> short_names_;
  boost::unordered_flat_map<std::pair<Uuid, Uuid>, std::vector<GrantRow>, PairHash> grants_;
  boost::unordered_flat_map<Uuid, std::pair<Uuid, Uuid>, UuidHash> grant_places_;
  // Per subject, the models owned or granted, each once per reason: what ModelsOf lists.
  boost::unordered_flat_map<Uuid, std::vector<Uuid>, UuidHash> seen_models_;
};

}  // namespace glasscase::access
