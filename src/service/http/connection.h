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
#include <boost/intrusive/list.hpp>

#include <glasscase/access/decide.h>
#include <glasscase/http/routes.h>

#include "gateway.h"
#include "problem.h"
#include "request_reader.h"

namespace glasscase::http {

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
  virtual void ShutDownSending() = 0;
  virtual void CloseTransport() = 0;
  void OnRead(bool failed, size_t bytes);
  void OnWritten(bool failed);
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

  // Streamed uploads.
  void ContinueStreaming();
  void SendPiece(size_t bytes);
  void OnPieceAnswer(const Result<rpc::Response>& answer);

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
  uint64_t streamed_ = 0;  // bytes of a streamed body handed on
  uint32_t pieces_under_way_ = 0;

  std::string out_;
  size_t out_sent_ = 0;
  std::optional<uint64_t> pending_call_;
  std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace glasscase::http
