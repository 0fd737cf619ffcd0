// What the supervisor and the processes it starts say to each other: fixed-size messages with descriptors
// over a SOCK_SEQPACKET socket, which every child finds as descriptor kLifelineFd. End of stream means the
// other side is gone: children exit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

inline constexpr int kLifelineFd = 3;

enum class ProcessKind : uint32_t {
  kCustodian = 1,
  kPublicEdge = 2,
  kControlEdge = 3,
  kHost = 4,
  kInspector = 5,
  kRelay = 6,
  kWorker = 7,
  kGate = 8
};
std::string_view ProcessKindName(ProcessKind kind);  // "custodian", "public edge", ...

struct LifelineMessage {
  enum class Type : uint32_t {
    // supervisor -> child
    kListen = 1,    // fds: listening socket (edges, gate)
    kRpcLink = 2,   // fds: FrameSocket to `peer` `slot` (custodian: one per peer; others: to the custodian).
                    //      Replaces an earlier one of that peer and slot.
    kCallLink = 3,  // fds: channel memory, wake_host, wake_edge (public edge and host `slot`)
    kQuotaMemory = 4,    // fds: memfd that outlives the host (host)
    kTlsFiles = 5,       // fds: certificate chain, key (edges); sent again when the files change
    kDataDirectory = 6,  // fds: directory (custodian)
    kPeerGone = 7,       // `peer` `slot` died (custodian, public edge); `value`: 1 when killed from outside
    kShutDown = 8,       // finish what is under way (at most `value` ms) and exit 0
    // child -> supervisor
    kReady = 20,     // start-up is complete
    kNeedHost = 21,  // custodian: run a host for `slot`
    kKill = 22,      // custodian: `peer` `slot` did not acknowledge; kill it
    kInspect = 23,   // custodian: start an inspector, send me its kRpcLink with `slot` = my number for it
    kStop = 24,      // custodian: an operator asked for the end
    // Both ways: the custodian's new outlet to server `slot`, kept by the supervisor and given to the relay.
    kOutlet = 25,  // fds: listening socket (custodian -> supervisor -> relay)
  };
  Type type = Type::kReady;
  ProcessKind peer = ProcessKind::kCustodian;
  uint32_t slot = 0;
  uint32_t value = 0;
};

struct ReceivedLifelineMessage {
  LifelineMessage message;
  std::vector<Fd> fds;
};

// A connected pair of lifeline sockets, close-on-exec, blocking.
Result<std::pair<Fd, Fd>> MakeLifeline();

// Blocking when the socket is; both return Unavailable at end of stream. Send gives ResourceExhausted when a
// non-blocking socket is full and takes at most four descriptors; Receive gives nullopt when a non-blocking
// socket has nothing, and InvalidArgument for what is no message of this protocol.
Status SendLifeline(int socket, const LifelineMessage& message, const std::vector<int>& fds = {});
Result<std::optional<ReceivedLifelineMessage>> ReceiveLifeline(int socket);

}  // namespace glasscase::process
