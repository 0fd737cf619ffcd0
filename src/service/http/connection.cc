#include "connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <boost/beast/http/error.hpp>

#include "compression.h"
#include "handlers.h"

namespace glasscase::http {
namespace {

namespace bhttp = boost::beast::http;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kIdleLimit = 75 * kSecond;
constexpr int64_t kHeadLimit = 10 * kSecond;
constexpr int64_t kBodyLimit = 30 * kSecond;
constexpr int64_t kWriteLimit = 60 * kSecond;
constexpr int64_t kDrainLimit = 2 * kSecond;
constexpr int64_t kSlowestBytesPerSecond = 32 * 1024;

constexpr size_t kBodyReadBytes = 64 * 1024;
constexpr uint64_t kControlBodyBytesMax = 1024 * 1024;
constexpr size_t kCompressFrom = 128;  // bytes; below, compressing costs more than it saves

}  // namespace

// A TLS handshake has as long as a request's head.
Connection::Connection(Gateway& gateway) : gateway_(gateway), time_limit_ns_(gateway.now_ns + kHeadLimit) {}

Connection::~Connection() = default;

void Connection::Start() {
  time_limit_ns_ = gateway_.now_ns + kIdleLimit;
  StartReading();
}

void Connection::CheckTime() {
  if (phase_ == Phase::kServing || gateway_.now_ns < time_limit_ns_) return;
  const bool idle = phase_ == Phase::kHead && used_ == parsed_;
  if (idle || phase_ == Phase::kWriting || phase_ == Phase::kDraining) {
    Close();
  } else if (phase_ != Phase::kClosed) {
    BadRequest(408, "the request did not arrive in time");
  }
}

void Connection::CloseWhenIdle() {
  close_when_idle_ = true;
  keep_alive_ = false;
  if (phase_ == Phase::kHead && used_ == parsed_) Close();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  if (pending_call_) gateway_.hosts.Abandon(*pending_call_);
  pipe_.reset();  // what came so far is kept at the other end
  file_.reset();
  life_.reset();
  CloseTransport();
  BuryIfFinished();
}

void Connection::BuryIfFinished() {
  if (!finished() || buried_) return;
  buried_ = true;
  gateway_.dead.push_back(this);
}

std::string_view Connection::query() const {
  const size_t mark = head_.target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(head_.target).substr(mark + 1);
}

// ---- reading ----

void Connection::StartReading() {
  if (reading_ || phase_ == Phase::kServing || phase_ == Phase::kWriting || phase_ == Phase::kClosed) return;
  // Bytes of a body that goes into a pipe are moved there without us, or wait until those at hand are there.
  if (phase_ == Phase::kStreaming && (moves_bytes() || used_ > parsed_ || streamed_ == body_length_)) return;
  if (used_ == capacity_) Compact();
  if (used_ == capacity_) return;  // the parser has what it needs to say why
  reading_ = true;
  ++operations_;
  ReadSome(buffer_ + used_, capacity_ - used_);
}

void Connection::OnRead(bool failed, size_t bytes) {
  reading_ = false;
  --operations_;
  gateway_.WakeClock();
  if (phase_ == Phase::kClosed) {
    BuryIfFinished();
    return;
  }
  if (failed) {
    Close();
    return;
  }
  if (phase_ == Phase::kDraining) {
    StartReading();  // over the same bytes: they are not kept
    return;
  }
  used_ += bytes;
  Advance();
}

void Connection::Compact() {
  GC_CHECK(!reading_);
  if (parsed_ == 0) return;
  std::memmove(buffer_, buffer_ + parsed_, used_ - parsed_);
  used_ -= parsed_;
  parsed_ = 0;
}

void Connection::GrowBuffer(size_t capacity) {
  GC_CHECK(!reading_);
  if (capacity <= capacity_) return;
  auto larger = std::make_unique<char[]>(capacity + kPadding);
  std::memcpy(larger.get(), buffer_ + parsed_, used_ - parsed_);
  used_ -= parsed_;
  parsed_ = 0;
  large_ = std::move(larger);
  buffer_ = large_.get();
  capacity_ = capacity;
}

void Connection::Advance() {
  if (advancing_) return;
  advancing_ = true;
  bool progress = true;
  while (progress) {
    switch (phase_) {
      case Phase::kHead: progress = AdvanceHead(); break;
      case Phase::kBody: progress = AdvanceBody(); break;
      case Phase::kStreaming:
        PumpBody();
        progress = phase_ == Phase::kHead;
        break;
      default: progress = false;
    }
  }
  advancing_ = false;
  StartReading();
}

bool Connection::AdvanceHead() {
  if (used_ == parsed_) return false;
  if (!reader_) {
    head_.Clear();
    body_.clear();
    body_view_ = {};
    body_taken_ = false;
    caller_ = {};
    subject_ = token_ = Uuid{};
    match_.route = nullptr;
    reader_.emplace(head_, body_);
    time_limit_ns_ = gateway_.now_ns + kHeadLimit;
  }
  boost::beast::error_code error;
  const std::string_view unread = UnreadBytes();
  parsed_ += reader_->put(boost::asio::const_buffer(unread.data(), unread.size()), error);
  if (error == bhttp::error::need_more) {
    Compact();
    if (used_ == capacity_) GrowBuffer(RequestReader::kHeaderBytesMax + kInlineBytes);
    return false;
  }
  if (error == bhttp::error::header_limit) {
    BadRequest(431, "the request line and header fields have more than " +
                        std::to_string(RequestReader::kHeaderBytesMax) + " bytes");
  } else if (error) {
    BadRequest(400, "the request head is not valid HTTP/1.1: " + error.message());
  } else {
    OnHead();
  }
  return phase_ == Phase::kHead || phase_ == Phase::kBody || phase_ == Phase::kStreaming;
}

bool Connection::CheckFraming() {
  if (head_.version == 11 && head_.host_fields != 1) {
    BadRequest(400, head_.host_fields == 0 ? "the Host field is missing" : "the Host field appears twice");
  } else if (head_.version != 10 && head_.version != 11) {
    BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  } else if (head_.unknown_transfer_coding) {
    BadRequest(501, "the only transfer coding understood is chunked");
  } else if (head_.authorization_fields > 1) {
    BadRequest(400, "the Authorization field appears twice");
  } else {
    return true;
  }
  return false;
}

void Connection::BadRequest(unsigned status, std::string detail) {
  Refuse({.status = status, .detail = std::move(detail), .fields = {}, .close = true});
}

void Connection::OnHead() {
  // Clients behind proxies that know no PATCH: only where the protocol of uploads asks for it.
  if (!head_.method_override.empty() && head_.target.starts_with("/glasscase/v1/uploads"))
    head_.method = bhttp::string_to_verb(head_.method_override);
  keep_alive_ = reader_->keep_alive() && !close_when_idle_ && !gateway_.stopping;
  body_length_ = reader_->body_length();
  if (!CheckFraming() || !Authorise()) return;
  if (head_.content_encoding == Coding::kUnknown) {
    Refuse({.status = 415,
            .detail = "Content-Encoding \"" + Printable(head_.content_encoding_text) +
                      "\" is not understood; send gzip, deflate or none",
            .fields = "Accept-Encoding: gzip, deflate\r\n",
            .close = false});
    return;
  }
  BeginBody();
}

uint64_t Connection::BodyLimit() const {
  return match_.route->handler == Handler::kInfer ? gateway_.options.body_bytes_max : kControlBodyBytesMax;
}

void Connection::BeginBody() {
  const Handler handler = match_.route->handler;
  streamed_ = 0;
  if (handler == Handler::kCreateUpload || handler == Handler::kWriteUpload) {
    if (reader_->chunked() || head_.content_encoding != Coding::kIdentity) {
      BadRequest(411, "an upload is sent with Content-Length and without Content-Encoding");
      return;
    }
    body_taken_ = body_length_ == 0;
    Serve();  // which decides where the body goes
    return;
  }
  const uint64_t limit = BodyLimit();
  if (body_length_ > limit) {
    Refuse({.status = 413,
            .detail = "the body has " + std::to_string(body_length_) + " bytes; at most " +
                      std::to_string(limit) + " are taken here",
            .fields = {},
            .close = true});
    return;
  }
  const bool whole = !reader_->chunked() && used_ - parsed_ >= body_length_;
  if (handler == Handler::kInfer && !whole && !DecidePath(*this)) return;  // before 32 MB arrive
  if (head_.expects_continue && !whole) SendContinue();
  reader_->set_body_bytes_max(limit);
  phase_ = Phase::kBody;
  time_limit_ns_ =
      gateway_.now_ns + kBodyLimit + static_cast<int64_t>(body_length_ / kSlowestBytesPerSecond) * kSecond;
  const bool large = body_length_ > capacity_ || reader_->chunked();
  if (!whole && large) GrowBuffer(kBodyReadBytes);
}

void Connection::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  TryWrite(kContinue.data(), kContinue.size());
}

bool Connection::AdvanceBody() {
  if (reader_->chunked()) return AdvanceChunkedBody();
  const std::string_view unread = UnreadBytes();
  if (body_.empty() && unread.size() >= body_length_) {
    body_view_ = unread.substr(0, body_length_);  // in place: the buffer is followed by padding
    parsed_ += body_length_;
  } else {
    if (body_.empty()) body_.reserve(std::min<uint64_t>(body_length_, kControlBodyBytesMax) + kPadding);
    const size_t taken = std::min<uint64_t>(unread.size(), body_length_ - body_.size());
    body_.append(unread.substr(0, taken));
    parsed_ += taken;
    Compact();
    if (body_.size() < body_length_) return false;
    body_.reserve(body_.size() + kPadding);
    body_view_ = body_;
  }
  body_taken_ = true;
  Serve();
  return phase_ == Phase::kHead;
}

bool Connection::AdvanceChunkedBody() {
  boost::beast::error_code error;
  while (!reader_->is_done()) {
    const std::string_view unread = UnreadBytes();
    parsed_ += reader_->put(boost::asio::const_buffer(unread.data(), unread.size()), error);
    if (error) break;
  }
  if (error == bhttp::error::need_more) {
    Compact();
    if (used_ < capacity_) return false;
    if (capacity_ < kBodyReadBytes) {
      GrowBuffer(kBodyReadBytes);
      return false;
    }
    BadRequest(400, "a chunk's head is too long");
  } else if (error == bhttp::error::body_limit) {
    BadRequest(413, "the body has more than " + std::to_string(BodyLimit()) + " bytes");
  } else if (reader_->too_many_chunks()) {
    BadRequest(400, "the body has more than " + std::to_string(RequestReader::kChunksMax) + " chunks");
  } else if (error) {
    BadRequest(400, "the chunked body is not valid: " + error.message());
  } else {
    body_.reserve(body_.size() + kPadding);
    body_view_ = body_;
    body_taken_ = true;
    Serve();
  }
  return phase_ == Phase::kHead;
}

void Connection::Serve() {
  phase_ = Phase::kServing;
  // The body came later than the head: who asks is looked up again, since the table may have changed.
  const bool stale = caller_.known() && caller_epoch_ != gateway_.custodian.table_epoch();
  if (stale && !Authenticate()) return;
  if (head_.content_encoding != Coding::kIdentity && !body_view_.empty()) {
    Result<std::string> plain = Decompress(head_.content_encoding, body_view_, BodyLimit());
    if (!plain) {
      const bool too_large = plain.error().code() == Code::kResourceExhausted;
      Refuse({.status = too_large ? 413u : 400u,
              .detail = plain.error().message(),
              .fields = {},
              .close = false});
      return;
    }
    body_ = std::move(*plain);
    body_.reserve(body_.size() + kPadding);
    body_view_ = body_;
  }
  ServeRequest(*this);
}

// ---- answering ----

void Connection::Refuse(const Problem& problem) {
  if (problem.close) keep_alive_ = false;
  Reply(problem.status, "application/problem+json", ProblemBody(problem.status, problem.detail),
        problem.fields);
}

void Connection::Reply(unsigned status, std::string_view content_type, std::string_view body,
                       std::string_view fields) {
  if (phase_ == Phase::kWriting || phase_ == Phase::kDraining || phase_ == Phase::kClosed) return;
  pipe_.reset();  // of an upload that is refused in the middle
  if (!body_taken_) {
    // What is left of the request is skipped when it is at hand; otherwise it cannot be told from the next.
    const bool at_hand = reader_ && reader_->is_header_done() && !reader_->chunked() &&
                         used_ - parsed_ >= body_length_ && phase_ != Phase::kStreaming && body_.empty();
    if (at_hand) {
      parsed_ += body_length_;
      body_taken_ = true;
    } else {
      keep_alive_ = false;
    }
  }
  std::string compressed;
  const bool worth_it =
      status < 300 && body.size() >= kCompressFrom;  // refusals keep their size whatever they quote
  const bool compress = worth_it && (head_.accepts_gzip || head_.accepts_deflate);
  if (compress) {
    compressed = Compress(head_.accepts_gzip ? Coding::kGzip : Coding::kDeflate, body);
    body = compressed;
  }
  std::string coding;
  if (compress)
    coding = std::string("Content-Encoding: ") + (head_.accepts_gzip ? "gzip" : "deflate") +
             "\r\nVary: Accept-Encoding\r\n";
  AppendHead(status, content_type, body.size(), coding + "Cache-Control: no-store\r\n" + std::string(fields));
  if (head_.method != bhttp::verb::head) out_ += body;
  phase_ = Phase::kWriting;
  SendOut();
}

void Connection::AppendHead(unsigned status, std::string_view content_type, uint64_t length,
                            std::string_view fields) {
  out_ = "HTTP/1.1 ";
  char number[24];
  const auto append_number = [&](uint64_t value) {
    const auto [end, error] = std::to_chars(number, number + sizeof number, value);
    out_.append(number, end);
  };
  append_number(status);
  out_ += ' ';
  out_ += StatusText(status);
  out_ += "\r\n";
  out_ += gateway_.date;
  const bool has_no_body = status == 204 || status == 304;
  if (!has_no_body) {
    out_ += "Content-Type: ";
    out_ += content_type;
    out_ += "\r\nContent-Length: ";
    append_number(length);
    out_ += "\r\n";
  }
  out_ += "X-Content-Type-Options: nosniff\r\n";
  out_ += fields;
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (head_.version == 10) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

void Connection::SendOut() {
  out_sent_ = TryWrite(out_.data(), out_.size());
  if (out_sent_ == out_.size()) {
    if (file_) {
      PumpFile();
    } else {
      FinishRequest();
    }
    return;
  }
  time_limit_ns_ = gateway_.now_ns + kWriteLimit;
  ++operations_;
  WriteAll(out_.data() + out_sent_, out_.size() - out_sent_);
}

void Connection::OnWritten(bool failed) {
  --operations_;
  if (phase_ == Phase::kClosed) {
    BuryIfFinished();
  } else if (failed) {
    Close();
  } else if (file_) {
    PumpFile();
  } else {
    FinishRequest();
  }
}

void Connection::FinishRequest() {
  reader_.reset();
  if (out_.capacity() > kBodyReadBytes) std::string().swap(out_);
  if (body_.capacity() > kBodyReadBytes) std::string().swap(body_);
  body_view_ = {};
  if (!keep_alive_ && body_taken_) {
    Close();
    return;
  }
  if (!keep_alive_) {
    // The peer may still be sending: closing now would reset the connection before it read the answer.
    ShutDownSending();
    phase_ = Phase::kDraining;
    used_ = parsed_ = 0;
    time_limit_ns_ = gateway_.now_ns + kDrainLimit;
    StartReading();
    return;
  }
  Compact();  // no read is under way: none is started while a request is served
  if (large_ && used_ <= kInlineBytes) {
    std::memcpy(inline_, buffer_, used_);
    large_.reset();
    buffer_ = inline_;
    capacity_ = kInlineBytes;
  }
  phase_ = Phase::kHead;
  time_limit_ns_ = gateway_.now_ns + kIdleLimit;
  if (!advancing_) Advance();
}

}  // namespace glasscase::http
