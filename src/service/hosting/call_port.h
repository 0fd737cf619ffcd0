// The host's side of one call channel. One thread at a time receives (the leader); any may answer.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include <glasscase/core/bytes.h>
#include <glasscase/process/call_channel.h>
#include <glasscase/rpc/call_message.h>

namespace glasscase::hosting {

class CallPort {
 public:
  explicit CallPort(process::CallChannel channel) : channel_(std::move(channel)) {}

  // ---- the leader ----
  // False when nothing waits or the edge broke the channel, which is logged once.
  bool Receive(Bytes& out);
  bool broken() const { return broken_; }
  int wake_fd() const { return channel_.wake_fd(); }
  bool PrepareToSleep() { return channel_.PrepareToSleep(); }
  void Awake() { channel_.Awake(); }

  // ---- any thread ----
  // Writes the answer; the edge is woken by the next Wake. An answer that is too large becomes a refusal; one
  // for which an edge that does not read left no room is dropped: its caller's deadline passes.
  void Answer(const rpc::AnswerView& answer);
  void Wake();

 private:
  process::CallChannel channel_;  // its two directions share nothing that both sides change
  bool broken_ = false;
  bool logged_full_ = false;
  std::mutex answers_;  // guards the direction to the edge, and logged_full_
};

}  // namespace glasscase::hosting
