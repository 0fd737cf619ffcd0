#include <glasscase/process/frame_socket.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <glasscase/process/close_elsewhere.h>

namespace glasscase::process {
namespace {

constexpr size_t kHeaderBytes = 4;
constexpr size_t kReadBytes = size_t{128} << 10;
constexpr size_t kReceiveBytesMax = size_t{4} << 20;  // per call of Receive
constexpr size_t kFramesPerSend = 64;

uint32_t ReadLength(const char* header) {
  uint32_t length = 0;
  for (size_t i = kHeaderBytes; i-- > 0;) length = length << 8 | static_cast<uint8_t>(header[i]);
  return length;
}

std::string Encode(std::string_view payload) {
  std::string bytes;
  bytes.reserve(kHeaderBytes + payload.size());
  for (size_t i = 0; i < kHeaderBytes; ++i) bytes += static_cast<char>(payload.size() >> (8 * i) & 0xFF);
  bytes += payload;
  return bytes;
}

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

Error SocketError(int error, const char* what) {
  if (error == EPIPE || error == ECONNRESET) return Error::Unavailable("the peer is gone");
  // Linux counts descriptors in flight against RLIMIT_NOFILE: the peer does not read.
  if (error == ETOOMANYREFS) return Error::ResourceExhausted("too many descriptors wait for the peer");
  return Error::FromErrno(error, what);
}

// Room for one SCM_RIGHTS message of kFdsMax descriptors.
struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFdsMax * sizeof(int))> bytes;
};

void PutFds(const std::vector<Fd>& fds, ControlBuffer* control, msghdr* message) {
  if (fds.empty()) return;
  message->msg_control = control->bytes.data();
  message->msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  for (size_t i = 0; i < fds.size(); ++i) {
    const int fd = fds[i].get();
    std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
  }
}

std::vector<Fd> TakeFdsOf(msghdr* message) {
  std::vector<Fd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

FrameSocket::FrameSocket(Fd socket, Limits limits) : socket_(std::move(socket)), limits_(limits) {
  const int flags = fcntl(socket_.get(), F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

// With the socket go the descriptors that it holds and nobody has read.
FrameSocket::~FrameSocket() {
  if (!limits_.peer_is_foreign || !socket_.valid()) return;
  for (IncomingFds& incoming : incoming_fds_) CloseUnwanted(std::move(incoming.fds));
  shutdown(socket_.get(), SHUT_RDWR);  // the peer hears of it now
  std::vector<Fd> socket;
  socket.push_back(std::move(socket_));
  CloseUnwanted(std::move(socket));
}

void FrameSocket::CloseUnwanted(std::vector<Fd> fds) const {
  if (limits_.peer_is_foreign) CloseElsewhere(std::move(fds));
}

Status FrameSocket::Send(std::string_view payload, std::vector<Fd> fds) {
  if (fds.size() > kFdsMax || payload.size() > UINT32_MAX) {
    return Fail(Error::InvalidArgument("frame too large: bytes=" + std::to_string(payload.size()) +
                                       ", descriptors=" + std::to_string(fds.size())));
  }
  if (queued_bytes_ + kHeaderBytes + payload.size() > limits_.queued_bytes_max) {
    return Fail(Error::ResourceExhausted("the peer does not read: queued=" + std::to_string(queued_bytes_)));
  }
  queue_.push_back({Encode(payload), 0, std::move(fds)});
  queued_bytes_ += queue_.back().bytes.size();
  return Flush();
}

Status FrameSocket::Flush() {
  while (!queue_.empty()) {
    std::array<iovec, kFramesPerSend> parts;
    size_t count = 0;
    msghdr message{};
    ControlBuffer control;
    for (Outgoing& frame : queue_) {
      const bool with_fds = !frame.fds.empty();
      if (count == parts.size() || (with_fds && count > 0)) break;
      parts[count++] = {frame.bytes.data() + frame.sent, frame.bytes.size() - frame.sent};
      if (with_fds) {
        PutFds(frame.fds, &control, &message);
        break;
      }
    }
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && WouldBlock(errno)) return Ok();
    if (sent < 0) return Fail(SocketError(errno, "send a frame"));
    queue_.front().fds.clear();  // the kernel took them with the first byte
    DropSent(static_cast<size_t>(sent));
  }
  return Ok();
}

void FrameSocket::DropSent(size_t bytes) {
  queued_bytes_ -= bytes;
  while (bytes > 0) {
    Outgoing& frame = queue_.front();
    const size_t part = std::min(bytes, frame.bytes.size() - frame.sent);
    frame.sent += part;
    bytes -= part;
    if (frame.sent == frame.bytes.size()) queue_.pop_front();
  }
}

Status FrameSocket::Receive(const std::function<void(Frame)>& on_frame) {
  size_t total = 0;
  while (broken_ && total < kReceiveBytesMax) {
    size_t bytes_read = 0;
    broken_ = ReadOnce(&bytes_read);
    // What came before the end of the stream is still delivered.
    const Status delivered = DeliverFrames(on_frame);
    if (!delivered) broken_ = delivered;
    if (bytes_read == 0) break;
    total += bytes_read;
  }
  return broken_;
}

Status FrameSocket::ReadOnce(size_t* bytes_read) {
  std::array<char, kReadBytes> buffer;
  ControlBuffer control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && WouldBlock(errno)) return Ok();
  if (got < 0) return Fail(SocketError(errno, "receive a frame"));
  std::vector<Fd> fds = TakeFdsOf(&message);  // owned from here on, also on the error paths
  if (got == 0) return Fail(Error::Unavailable("the peer closed the connection"));
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    CloseUnwanted(std::move(fds));
    return Fail(Error::InvalidArgument("more descriptors came than a frame may carry"));
  }
  *bytes_read = static_cast<size_t>(got);
  const uint64_t begin = incoming_offset_ + incoming_.size();
  incoming_.append(buffer.data(), *bytes_read);
  if (!fds.empty()) incoming_fds_.push_back({begin, begin + *bytes_read, std::move(fds)});
  return Ok();
}

Status FrameSocket::DeliverFrames(const std::function<void(Frame)>& on_frame) {
  size_t done = 0;
  Status status;
  while (incoming_.size() - done >= kHeaderBytes) {
    const size_t length = ReadLength(incoming_.data() + done);
    if (length > limits_.frame_bytes_max) {
      status = Fail(Error::InvalidArgument("frame too long: " + std::to_string(length)));
      break;
    }
    if (incoming_.size() - done - kHeaderBytes < length) break;
    Frame frame{incoming_.substr(done + kHeaderBytes, length), {}};
    const size_t end = done + kHeaderBytes + length;
    status = TakeFds(incoming_offset_ + done, incoming_offset_ + end, &frame.fds);
    if (!status) {
      CloseUnwanted(std::move(frame.fds));
      break;
    }
    done = end;
    on_frame(std::move(frame));
  }
  incoming_.erase(0, done);
  incoming_offset_ += done;
  // Only the unfinished frame can have some left; no peer makes us hold more.
  if (status && incoming_fds_.size() > 1) {
    return Fail(Error::InvalidArgument("descriptors came with the wrong byte of a frame"));
  }
  return status;
}

Status FrameSocket::TakeFds(uint64_t frame_begin, uint64_t frame_end, std::vector<Fd>* fds) {
  while (!incoming_fds_.empty() && incoming_fds_.front().read_end <= frame_end) {
    IncomingFds& incoming = incoming_fds_.front();
    if (!fds->empty() || incoming.read_begin > frame_begin) {
      return Fail(Error::InvalidArgument("descriptors came with the wrong byte of a frame"));
    }
    *fds = std::move(incoming.fds);
    incoming_fds_.pop_front();
  }
  return Ok();
}

Result<std::pair<Fd, Fd>> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Fail(Error::FromErrno(errno, "socketpair"));
  }
  return std::pair<Fd, Fd>(Fd(ends[0]), Fd(ends[1]));
}

}  // namespace glasscase::process
