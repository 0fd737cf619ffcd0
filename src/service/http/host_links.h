// The edge's ends of its channels to the hosts, and the calls that wait for them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <glasscase/core/clock.h>
#include <glasscase/process/call_channel.h>
#include <glasscase/rpc/call_message.h>

#include "infer_answer.h"
#include "infer_request.h"

namespace glasscase::http {

// What is remembered of a call while the host works.
struct PendingCall {
  // Called at most once, with the answer or with why there is none; null once the connection is gone. A plain
  // function and its context: a call must not cost an allocation.
  void (*done)(void* context, PendingCall& call, Result<const rpc::AnswerView*> answer) = nullptr;
  void* context = nullptr;
  AnswerWishes wishes;
  Uuid grant;  // nil for owners
  Uuid model;
  int64_t deadline_ns = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  bool in_use = false;
};

class HostLinks {
 public:
  HostLinks(boost::asio::io_context& io, const Clock& clock);

  // A host's channel, or a new one after it restarted; calls waiting on the old one are answered Unavailable.
  void Connect(uint32_t slot, process::ChannelFds fds);
  void Disconnect(uint32_t slot);
  bool Connected(uint32_t slot) const;

  // A slot to fill before Submit.
  PendingCall& NewCall(uint64_t* id);
  void Abandon(uint64_t id);  // its connection is gone; the answer will be dropped
  // Writes the call into the host's channel. On error the pending call is released and `done` is not called.
  Status Submit(uint64_t id, const InferRequest& request, const Digest& credential, std::string_view version);

  // Once per round of the event loop.
  void WakeHosts();
  bool DrainAnswers();    // true when there were any
  bool PrepareToSleep();  // false when answers came meanwhile
  void Awake();
  // Answers DeadlineExceeded to calls whose host is long past their deadline. Some times a second.
  void ExpireCalls();

  size_t waiting_calls() const { return waiting_; }

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  struct Host {
    process::CallChannel channel;
    Descriptor wake;
    Host(process::CallChannel&& c, Descriptor&& d) : channel(std::move(c)), wake(std::move(d)) {}
  };
  PendingCall* Find(uint64_t id);
  void Release(PendingCall& call);
  void Finish(PendingCall& call, Result<const rpc::AnswerView*> answer);
  bool Drain(uint32_t slot, Host& host);
  void FailCallsOf(uint32_t slot, const Error& error);
  void WaitForWake(const std::shared_ptr<Host>& host);

  boost::asio::io_context& io_;
  const Clock& clock_;
  std::map<uint32_t, std::shared_ptr<Host>> hosts_;  // shared with the waits on their eventfds
  std::vector<std::unique_ptr<PendingCall>> calls_;
  std::vector<uint32_t> free_;
  size_t waiting_ = 0;
  Bytes record_;
  rpc::AnswerView answer_;
};

}  // namespace glasscase::http
