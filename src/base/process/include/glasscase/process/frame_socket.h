// Length-prefixed frames with file descriptors over a Unix stream socket: what the custodian speaks with
// edges, hosts and workers.
//
// Wire: u32 little-endian payload length, payload. Descriptors travel with the first byte of their frame,
// and a frame that has descriptors is sent by a call of its own: so the kernel, which ends a read behind the
// bytes that descriptors came with, lets the reader tell whose they are.
// The other side is hostile: a length above the limit, descriptors beyond kFdsMax or a broken stream end
// the connection with an error; no length is believed before it is checked.
//
// Not thread-safe. Never blocks: the owner waits for readiness (poll, epoll, Asio) and calls.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

inline constexpr size_t kFdsMax = 128;

struct Frame {
  std::string payload;
  std::vector<Fd> fds;
};

class FrameSocket {
 public:
  struct Limits {
    size_t frame_bytes_max = size_t{1} << 20;    // of one received payload
    size_t queued_bytes_max = size_t{64} << 20;  // outgoing, before Send refuses
    bool peer_is_foreign = false;  // what comes and is not given on is closed elsewhere (close_elsewhere.h)
  };

  // Takes a connected SOCK_STREAM Unix socket and makes it non-blocking.
  FrameSocket(Fd socket, Limits limits);
  ~FrameSocket();
  FrameSocket(FrameSocket&&) = default;
  FrameSocket& operator=(FrameSocket&&) = default;

  int fd() const { return socket_.get(); }

  // Queues a frame and writes what the socket takes. Takes `fds` over and closes them once they are sent.
  // Unavailable when the peer is gone, ResourceExhausted when it does not read, InvalidArgument when there
  // are more than kFdsMax descriptors.
  Status Send(std::string_view payload, std::vector<Fd> fds = {});

  // Writes more of the queue. Call when the socket is writable and wants_write() is true.
  Status Flush();
  bool wants_write() const { return !queue_.empty(); }

  // Reads what is there (at most a few MiB per call, so that no peer holds the loop) and hands over every
  // complete frame in order. Returns Unavailable at end of stream, InvalidArgument when the peer broke the
  // rules, and the same again from then on. `on_frame` may call Send, and must not destroy *this.
  Status Receive(const std::function<void(Frame)>& on_frame);

 private:
  struct Outgoing {
    std::string bytes;  // header and payload
    size_t sent = 0;
    std::vector<Fd> fds;
  };
  // Descriptors that came with one read: the frame that holds the read's last byte owns them.
  struct IncomingFds {
    uint64_t read_begin;  // stream offsets
    uint64_t read_end;
    std::vector<Fd> fds;
  };
  Status ReadOnce(size_t* bytes_read);
  Status DeliverFrames(const std::function<void(Frame)>& on_frame);
  Status TakeFds(uint64_t frame_begin, uint64_t frame_end, std::vector<Fd>* fds);
  void DropSent(size_t bytes);
  void CloseUnwanted(std::vector<Fd> fds) const;

  Fd socket_;
  Limits limits_;
  std::deque<Outgoing> queue_;
  size_t queued_bytes_ = 0;
  std::string incoming_;
  uint64_t incoming_offset_ = 0;  // stream offset of incoming_[0]
  std::deque<IncomingFds> incoming_fds_;
  Status broken_;  // what ended the receiving direction
};

// A connected pair of Unix stream sockets, close-on-exec.
Result<std::pair<Fd, Fd>> MakeSocketPair();

}  // namespace glasscase::process
