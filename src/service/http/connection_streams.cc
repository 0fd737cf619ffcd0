// Bodies that go into a pipe and answers that come from a file: bytes that the edge moves and does not look
// at.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <boost/asio/post.hpp>

#include "connection.h"

namespace glasscase::http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStallLimit = 30 * kSecond;  // without a byte
constexpr int64_t kAskAgainAfter = kSecond;
constexpr size_t kMoveBytes = size_t{1} << 20;
constexpr size_t kReadBytes = size_t{256} << 10;
constexpr int kMovesPerTurn = 8;  // then others have theirs

bool IsWritable(int fd) {
  pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

void Connection::PumpLater() {
  boost::asio::post(gateway_.io, [this, life = life()] {
    if (life.expired()) return;
    if (file_) {
      PumpFile();
    } else {
      Advance();
    }
  });
}

void Connection::OnReady(bool failed) {
  --operations_;
  gateway_.WakeClock();
  if (phase_ == Phase::kClosed) {
    BuryIfFinished();
  } else if (failed) {
    Close();
  } else if (file_) {
    PumpFile();
  } else {
    Advance();
  }
}

// ---- into a pipe ----

void Connection::PipeBody(Fd pipe, std::function<void(uint64_t)> then) {
  GC_CHECK(phase_ == Phase::kServing && !reading_);
  on_piped_ = std::move(then);
  pipe_.emplace(gateway_.io, pipe.release());
  if (head_.expects_continue && used_ - parsed_ < body_length_) SendContinue();
  if (!moves_bytes()) GrowBuffer(kReadBytes);
  phase_ = Phase::kStreaming;
  time_limit_ns_ = gateway_.now_ns + kStallLimit;
  if (!advancing_) Advance();
}

void Connection::PumpBody() {
  for (int moves = 0; phase_ == Phase::kStreaming; ++moves) {
    if (streamed_ == body_length_) return EndBody();
    if (used_ == parsed_ && !moves_bytes()) return;  // the next read brings more
    if (moves == kMovesPerTurn) return PumpLater();
    if (MoveBody() != Step::kMoved) return;
    time_limit_ns_ = gateway_.now_ns + kStallLimit;
  }
}

// What is at hand first, then straight from the socket.
Connection::Step Connection::MoveBody() {
  const uint64_t left = body_length_ - streamed_;
  if (used_ == parsed_)
    return AfterMove(MoveToPipe(pipe_->native_handle(), std::min<uint64_t>(left, kMoveBytes)));
  const size_t at_hand = std::min<uint64_t>(used_ - parsed_, left);
  const ssize_t written = ::write(pipe_->native_handle(), buffer_ + parsed_, at_hand);
  if (written > 0) parsed_ += static_cast<size_t>(written);
  if (!reading_) Compact();
  return AfterMove(written);
}

Connection::Step Connection::AfterMove(ssize_t moved) {
  if (moved > 0) {
    streamed_ += static_cast<uint64_t>(moved);
    return Step::kMoved;
  }
  if (moved < 0 && errno == EINTR) return Step::kMoved;
  if (moved < 0 && errno == EAGAIN) {
    if (!IsWritable(pipe_->native_handle())) {
      WaitForPipe();
    } else {
      ++operations_;
      WaitReadable();
    }
    return Step::kWaiting;
  }
  if (moved < 0 && errno == EPIPE) {
    EndBody();  // its reader has its reasons
  } else {
    Close();  // the peer is gone
  }
  return Step::kEnded;
}

void Connection::WaitForPipe() {
  pipe_->async_wait(Descriptor::wait_write, [this, life = life()](const boost::system::error_code& error) {
    if (life.expired() || error) return;
    gateway_.WakeClock();
    Advance();
  });
}

void Connection::EndBody() {
  pipe_.reset();
  body_taken_ = streamed_ == body_length_;
  phase_ = Phase::kServing;
  const auto then = std::exchange(on_piped_, nullptr);
  then(streamed_);
}

// ---- from a file ----

void Connection::ReplyWithFile(FileReply reply) {
  if (phase_ == Phase::kWriting || phase_ == Phase::kDraining || phase_ == Phase::kClosed) return;
  GC_CHECK(body_taken_);
  AppendHead(reply.status, "application/octet-stream", reply.end - reply.begin, reply.fields);
  phase_ = Phase::kWriting;
  if (head_.method != boost::beast::http::verb::head) {
    file_ = std::move(reply);
    file_asked_ns_ = gateway_.now_ns;
  }
  SendOut();
}

void Connection::PumpFile() {
  for (int moves = 0; phase_ == Phase::kWriting && file_; ++moves) {
    if (file_->begin == file_->end) {
      file_.reset();
      return FinishRequest();
    }
    if (gateway_.now_ns - file_asked_ns_ > kAskAgainAfter) return AskWhetherToGoOn();
    if (moves == kMovesPerTurn) return PumpLater();
    if (MoveFile() != Step::kMoved) return;
    time_limit_ns_ = gateway_.now_ns + kStallLimit;
  }
}

Connection::Step Connection::MoveFile() {
  if (!moves_bytes()) return SendPieceOfFile();
  const uint64_t left = file_->end - file_->begin;
  const ssize_t moved = MoveFromFile(file_->file.get(), file_->begin, std::min<uint64_t>(left, kMoveBytes));
  if (moved > 0) {
    file_->begin += static_cast<uint64_t>(moved);
    return Step::kMoved;
  }
  if (moved < 0 && errno == EINTR) return Step::kMoved;
  if (moved < 0 && errno == EAGAIN) {
    ++operations_;
    WaitWritable();
    return Step::kWaiting;
  }
  Close();  // the peer is gone, or the file is shorter than it says: a whole answer it cannot become
  return Step::kEnded;
}

// Through out_, where the bytes have to be encrypted.
Connection::Step Connection::SendPieceOfFile() {
  out_.resize(std::min<uint64_t>(file_->end - file_->begin, kReadBytes));
  const ssize_t got = ::pread(file_->file.get(), out_.data(), out_.size(), static_cast<off_t>(file_->begin));
  if (got <= 0) {
    Close();
    return Step::kEnded;
  }
  out_.resize(static_cast<size_t>(got));
  file_->begin += static_cast<uint64_t>(got);
  ++operations_;
  WriteAll(out_.data(), out_.size());
  return Step::kWaiting;
}

void Connection::AskWhetherToGoOn() {
  file_asked_ns_ = gateway_.now_ns;
  file_->may_go_on([this, life = life()](bool yes) {
    if (life.expired()) return;
    if (yes) {
      PumpFile();
    } else {
      Close();
    }
  });
}

}  // namespace glasscase::http
