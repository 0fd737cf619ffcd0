// The input is what a hostile peer sends: pieces of a length (first byte, low six bits, plus one) and with a
// number of descriptors (its high two bits: 0, 1, 2 or one more than allowed).
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <glasscase/process/frame_socket.h>

namespace {

using glasscase::Fd;
using glasscase::process::Frame;
using glasscase::process::FrameSocket;
using glasscase::process::kFdsMax;

bool SendPiece(int socket, std::span<const uint8_t> piece, size_t fd_count) {
  // Not the socket itself: in flight it would keep the stream from ending.
  static const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  iovec part{const_cast<uint8_t*>(piece.data()), piece.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE((kFdsMax + 1) * sizeof(int))] = {};
  if (fd_count > 0) {
    const std::vector<int> fds(fd_count, null);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(piece.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::span<const uint8_t> input(bytes, size);
  auto pair = std::move(*glasscase::process::MakeSocketPair());
  FrameSocket socket(std::move(pair.second), {.frame_bytes_max = 4096, .queued_bytes_max = 65536});
  const auto echo = [&](const Frame& frame) {
    GC_CHECK(frame.payload.size() <= 4096 && frame.fds.size() <= kFdsMax);
    for (const Fd& fd : frame.fds) GC_CHECK(fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
    // Echoed frames would fill the queue: the peer never reads.
    (void)socket.Send(frame.payload);
  };
  while (input.size() >= 2) {
    constexpr size_t kFdCounts[] = {0, 1, 2, kFdsMax + 1};
    const size_t fd_count = kFdCounts[input[0] >> 6];
    const size_t length = std::min<size_t>((input[0] & 63) + 1u, input.size() - 1);
    if (!SendPiece(pair.first.get(), input.subspan(1, length), fd_count)) break;
    input = input.subspan(1 + length);
    if (!socket.Receive(echo)) break;
  }
  pair.first = Fd();
  GC_CHECK(!socket.Receive(echo));
  return 0;
}
