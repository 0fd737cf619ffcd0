#include <glasscase/process/lifeline.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

namespace glasscase::process {
namespace {

constexpr size_t kLifelineFdsMax = 4;
static_assert(sizeof(LifelineMessage) == 16 && std::is_trivially_copyable_v<LifelineMessage>,
              "the message is its own wire format");

struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kLifelineFdsMax * sizeof(int))> bytes;
};

constexpr std::string_view kUnknownKind = "unknown process";

bool IsKnown(const LifelineMessage& message) {
  const auto type = static_cast<uint32_t>(message.type);
  return ((type >= 1 && type <= 8) || (type >= 20 && type <= 25)) &&
         ProcessKindName(message.peer) != kUnknownKind;
}

std::vector<Fd> TakeFds(msghdr* header) {
  std::vector<Fd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

std::string_view ProcessKindName(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::kCustodian: return "custodian";
    case ProcessKind::kPublicEdge: return "public edge";
    case ProcessKind::kControlEdge: return "control edge";
    case ProcessKind::kHost: return "host";
    case ProcessKind::kInspector: return "inspector";
    case ProcessKind::kRelay: return "relay";
    case ProcessKind::kWorker: return "worker";
    case ProcessKind::kGate: return "gate";
  }
  return kUnknownKind;
}

Result<std::pair<Fd, Fd>> MakeLifeline() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Fail(Error::FromErrno(errno, "socketpair"));
  }
  return std::pair<Fd, Fd>(Fd(ends[0]), Fd(ends[1]));
}

Status SendLifeline(int socket, const LifelineMessage& message, const std::vector<int>& fds) {
  GC_CHECK(fds.size() <= kLifelineFdsMax);
  LifelineMessage copy = message;
  iovec part{&copy, sizeof copy};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ControlBuffer control;
  if (!fds.empty()) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(sizeof copy)) return Ok();
  if (errno == EPIPE || errno == ECONNRESET) return Fail(Error::Unavailable("the lifeline is closed"));
  if (errno == EAGAIN) return Fail(Error::ResourceExhausted("the peer does not read its lifeline"));
  return Fail(Error::FromErrno(errno, "send on the lifeline"));
}

Result<std::optional<ReceivedLifelineMessage>> ReceiveLifeline(int socket) {
  ReceivedLifelineMessage received;
  iovec part{&received.message, sizeof received.message};
  ControlBuffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  if (got < 0 && errno == ECONNRESET) return Fail(Error::Unavailable("the lifeline is closed"));
  if (got < 0) return Fail(Error::FromErrno(errno, "receive on the lifeline"));
  received.fds = TakeFds(&header);
  if (got == 0) return Fail(Error::Unavailable("the lifeline is closed"));
  const bool cut = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  if (cut || got != static_cast<ssize_t>(sizeof received.message) || !IsKnown(received.message)) {
    return Fail(Error::InvalidArgument("not a lifeline message"));
  }
  return std::optional<ReceivedLifelineMessage>(std::move(received));
}

}  // namespace glasscase::process
