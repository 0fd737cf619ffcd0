#include "call_port.h"

#include <string>

#include <glasscase/core/log.h>

namespace glasscase::hosting {

bool CallPort::Receive(Bytes& out) {
  if (broken_) return false;
  const Result<bool> received = channel_.Receive(out);
  if (received) return *received;
  broken_ = true;
  LogError("call channel dropped: " + received.error().message());
  return false;
}

void CallPort::Answer(const rpc::AnswerView& answer) {
  const std::lock_guard lock(answers_);
  size_t bytes = rpc::AnswerBytes(answer);
  rpc::AnswerView refusal;
  const rpc::AnswerView* sent = &answer;
  if (bytes > process::kRecordBytesMax) {
    refusal.id = answer.id;
    refusal.code = static_cast<uint32_t>(Code::kResourceExhausted);
    refusal.message = "the answer is larger than 32 MiB; ask for fewer outputs or send fewer rows";
    refusal.version = answer.version;
    refusal.has_quota = answer.has_quota;
    refusal.quota = answer.quota;
    refusal.quota_state = answer.quota_state;
    sent = &refusal;
    bytes = rpc::AnswerBytes(refusal);
  }
  Result<std::span<uint8_t>> room = channel_.Reserve(bytes);
  if (!room) {
    if (!logged_full_) LogWarning("answer dropped: " + room.error().message());
    logged_full_ = true;
    return;
  }
  channel_.Commit(rpc::WriteAnswer(*sent, *room));
}

void CallPort::Wake() {
  const std::lock_guard lock(answers_);
  channel_.WakePeer();
}

}  // namespace glasscase::hosting
