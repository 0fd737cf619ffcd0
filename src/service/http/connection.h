// One connection and the request that is being read, served or answered on it: HTTP/1.1 with keep-alive and
// pipelining, one request at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/intrusive/list.hpp>

#include <glasscase/access/decide.h>
#include <glasscase/http/routes.h>
#include <glasscase/process/fd.h>

#include "gateway.h"
#include "problem.h"
#include "request_reader.h"

namespace glasscase::http {

// An answer that is sent from a descriptor.
struct FileReply {
  unsigned status = 200;
  std::string fields = {};
  Fd file = {};
  uint64_t begin = 0;
  uint64_t end = 0;
  // Asked once a second while it is sent: calls back with whether it may go on.
  std::function<void(std::function<void(bool)>)> may_go_on = {};
};

class Connection : public boost::intrusive::list_base_hook<> {
 public:
  explicit Connection(Gateway& gateway);
  virtual ~Connection();

  void Start();
  // Closes when a time limit has passed. Called about twice a second.
  void CheckTime();
  // Lets the request under way finish, then closes.
  void CloseWhenIdle();
  void Close();
  // True when it can be deleted: closed, and no operation of the transport is under way.
  bool finished() const { return phase_ == Phase::kClosed && operations_ == 0; }

  // ---- for the handlers ----
  Gateway& gateway() { return gateway_; }
  const RequestHead& head() const { return head_; }
  const RouteMatch& match() const { return match_; }
  std::string_view query() const;
  std::string_view body() const { return body_view_; }
  // Who asks: rows of the access table, valid until it changes.
  const access::Caller& caller() const { return caller_; }

  void Reply(unsigned status, std::string_view content_type, std::string_view body,
             std::string_view fields = {});
  void Refuse(const Problem& problem);
  void Refuse(const Error& error) { Refuse(ToProblem(error)); }
  // Whether a body comes with the request that is served before it is read (uploads).
  uint64_t body_length() const { return body_length_; }
  // Lets the body go into a pipe as it comes. `then` is called once, with how many bytes went there: all, or
  // fewer when nobody reads the pipe any more. A reply has to follow.
  void PipeBody(Fd pipe, std::function<void(uint64_t)> then);
  // Answers with a part of a file, as fast as the peer takes it.
  void ReplyWithFile(FileReply reply);
  void Audit(bool allowed, access::Reason reason, std::string_view object);

  // The host call whose answer this connection waits for; abandoned when the connection goes away.
  void set_pending_call(uint64_t id) { pending_call_ = id; }
  void clear_pending_call() { pending_call_.reset(); }
  // Expires with the connection: for answers that come later.
  std::weak_ptr<const int> life() const { return life_; }

 protected:
  // The transport; completions call OnRead and OnWritten.
  virtual void ReadSome(char* to, size_t bytes) = 0;
  virtual void WriteAll(const char* from, size_t bytes) = 0;
  // Writes what it takes at once; 0 when it must be waited for.
  virtual size_t TryWrite(const char* from, size_t bytes) = 0;
  // Transports that can hand bytes on without looking at them. As splice(2) and sendfile(2), non-blocking;
  // the completion of a wait calls OnReady.
  virtual bool moves_bytes() const { return false; }
  virtual ssize_t MoveToPipe(int, size_t) { return -1; }
  virtual ssize_t MoveFromFile(int, uint64_t, size_t) { return -1; }
  virtual void WaitReadable() {}
  virtual void WaitWritable() {}
  virtual void ShutDownSending() = 0;
  virtual void CloseTransport() = 0;
  void OnRead(bool failed, size_t bytes);
  void OnWritten(bool failed);
  void OnReady(bool failed);
  int operations_ = 0;  // of the transport, under way

 private:
  enum class Phase : uint8_t { kHead, kBody, kStreaming, kServing, kWriting, kDraining, kClosed };

  static constexpr size_t kInlineBytes = 4096;
  static constexpr size_t kPadding = kBodyPadding;

  void Advance();      // as far as the bytes at hand go
  bool AdvanceHead();  // true when something was consumed or decided
  bool AdvanceBody();
  bool AdvanceChunkedBody();
  void OnHead();
  void BeginBody();
  void SendContinue();
  void Serve();
  void StartReading();
  void GrowBuffer(size_t capacity);
  void Compact();  // moves unread bytes to the front of the buffer
  void FinishRequest();
  void BuryIfFinished();
  void BadRequest(unsigned status, std::string detail);
  bool CheckFraming();  // these two: false when refused
  bool Authorise();
  bool Authenticate();
  uint64_t BodyLimit() const;
  std::string_view UnreadBytes() const { return {buffer_ + parsed_, used_ - parsed_}; }

  void AppendHead(unsigned status, std::string_view content_type, uint64_t length, std::string_view fields);
  void SendOut();  // what out_ holds, then whatever follows

  // Bodies that go into a pipe, answers that come from a file (connection_streams.cc).
  enum class Step : uint8_t { kMoved, kWaiting, kEnded };
  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  void PumpBody();
  Step MoveBody();
  Step AfterMove(ssize_t moved);
  void WaitForPipe();
  void EndBody();
  void PumpFile();
  Step MoveFile();
  Step SendPieceOfFile();
  void AskWhetherToGoOn();
  void PumpLater();

  Gateway& gateway_;
  Phase phase_ = Phase::kHead;
  bool advancing_ = false;
  bool keep_alive_ = true;
  bool close_when_idle_ = false;
  bool reading_ = false;
  bool body_taken_ = false;  // nothing of the request is left unread
  bool buried_ = false;
  int64_t time_limit_ns_;

  char inline_[kInlineBytes + kPadding];
  std::unique_ptr<char[]> large_;  // when a head does not fit the inline buffer
  char* buffer_ = inline_;
  size_t capacity_ = kInlineBytes;
  size_t used_ = 0;    // bytes read
  size_t parsed_ = 0;  // of them, consumed

  RequestHead head_;
  std::optional<RequestReader> reader_;
  RouteMatch match_;
  access::Caller caller_;
  uint64_t caller_epoch_ = 0;  // of the table in which caller_ was looked up
  Uuid subject_, token_;       // of the caller, for the audit log

  uint64_t body_length_ = 0;  // announced
  std::string body_;          // when it is not whole in the buffer
  std::string_view body_view_;
  uint64_t streamed_ = 0;  // bytes of the body that went into the pipe
  std::optional<Descriptor> pipe_;
  std::function<void(uint64_t)> on_piped_;

  std::optional<FileReply> file_;
  int64_t file_asked_ns_ = 0;  // when the custodian last said that it may go on

  std::string out_;
  size_t out_sent_ = 0;
  std::optional<uint64_t> pending_call_;
  std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace glasscase::http
