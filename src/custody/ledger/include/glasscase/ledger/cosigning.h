// The other side of witness.h: a log that asks the witnesses of its policy to sign its new checkpoint.
// Requests and answers only; whoever uses this sends them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/note.h>
#include <glasscase/ledger/policy.h>

namespace glasscase::ledger {

struct WitnessRequest {
  std::string witness;  // its name in the policy
  std::string url;      // of the POST, with add-checkpoint
  std::string body;
};

// What came back, as far as it matters.
struct WitnessReply {
  int status = 0;  // of HTTP
  std::string content_type{};
  std::string body{};
};

// One checkpoint on its way round the witnesses. One thread.
class Cosigning {
 public:
  // A consistency proof from that size to the checkpoint's.
  using Prove = std::function<Result<Proof>(uint64_t old_size)>;
  static constexpr int kTriesMax =
      4;  // a witness may say once that it knows another size; it may not go on so

  // `signed_checkpoint` is signed by the log. `known_sizes`: what each witness signed last, by its name, as
  // `known_sizes()` gave it the last time; a witness that is not in it is asked. InvalidArgument when it is
  // no checkpoint.
  static Result<Cosigning> Begin(const Policy& policy, std::string_view signed_checkpoint,
                                 std::map<std::string, uint64_t> known_sizes, Prove prove);

  // For each witness with an address that has not signed and may be asked (again).
  Result<std::vector<WitnessRequest>> Requests();
  // Ok also when the witness knows another size and the next Requests() asks it again. Otherwise it is asked
  // no more: FailedPrecondition when it has seen what this log does not know (an old state was put back, or
  // somebody else signs with its key), PermissionDenied for a wrong signature, Unavailable for anything else.
  Status Take(const std::string& witness, const WitnessReply& reply);

  // Whether the policy's quorum is reached, or none is needed.
  bool IsEnough() const { return policy_->IsQuorum(cosigned_); }
  const std::set<std::string>& cosigned() const { return cosigned_; }
  const std::map<std::string, uint64_t>& known_sizes() const { return known_sizes_; }
  // The checkpoint with all signatures so far.
  std::string ToString() const { return note_.ToString(); }

 private:
  Status TakeSize(const Policy::Witness& witness, std::string_view body);
  Status TakeSignatures(const Policy::Witness& witness, std::string_view body);

  const Policy* policy_ = nullptr;
  Note note_;
  Checkpoint checkpoint_;
  Prove prove_;
  std::map<std::string, uint64_t> known_sizes_;
  std::set<std::string> cosigned_;
  std::map<std::string, int> tries_;  // kTriesMax: asked no more
};

}  // namespace glasscase::ledger
