// glasscase-inspector: opens the files of one model that is not published yet, says what they are, and ends.
// Whatever they do to this process, it holds nothing and reaches nobody. Started by glasscased.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

#include <glasscase/core/log.h>
#include <glasscase/inference_onnxruntime/engine.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/rpc/link.pb.h>

#include "inspection.h"
#include "signature.h"

namespace {

namespace inference = glasscase::inference;
namespace inspector = glasscase::inspector;
namespace process = glasscase::process;
namespace rpc = glasscase::rpc;
using glasscase::Error;
using glasscase::Fd;
using glasscase::InitLog;
using glasscase::LogError;
using glasscase::Status;

constexpr uint64_t kMemoryBytes = uint64_t{4} << 30;
constexpr uint64_t kCpuSeconds = 60;
constexpr uint64_t kOpenFilesMax = 512;
constexpr uint32_t kInspectorUser = 4;  // user_offset; hosts begin at 10

[[noreturn]] void Die(const std::string& what, const Error& error) {
  LogError(what + ": " + error.message());
  std::exit(1);
}

void WaitFor(int fd, short events) {
  pollfd polled{.fd = fd, .events = events, .revents = 0};
  ::poll(&polled, 1, -1);
}

// The link to the custodian; ends the process when the supervisor is gone.
Fd ReceiveLink() {
  while (true) {
    WaitFor(process::kLifelineFd, POLLIN);
    auto received = process::ReceiveLifeline(process::kLifelineFd);
    if (!received) Die("the supervisor is gone", received.error());
    if (!*received) continue;
    const process::LifelineMessage& message = (*received)->message;
    if (message.type == process::LifelineMessage::Type::kShutDown) std::exit(0);
    if (message.type != process::LifelineMessage::Type::kRpcLink || (*received)->fds.size() != 1) continue;
    return std::move((*received)->fds[0]);
  }
}

// The first job that comes; its report is the process's last act.
void Serve(process::FrameSocket& custodian, inference::Engine& engine) {
  std::optional<std::string> report;
  while (!report) {
    WaitFor(custodian.fd(), POLLIN);
    const Status received = custodian.Receive([&](process::Frame frame) {
      rpc::FromCustodian message;
      if (report || !message.ParseFromString(frame.payload) || !message.has_inspect()) return;
      rpc::ToCustodian answer;
      *answer.mutable_inspect_report() =
          inspector::InspectFiles(message.inspect(), frame.fds, engine, kMemoryBytes);
      report = answer.SerializeAsString();
    });
    if (!report && !received) Die("the custodian is gone", received.error());
  }
  if (const Status sent = custodian.Send(*report); !sent) Die("the report was not sent", sent.error());
  while (custodian.wants_write()) {
    WaitFor(custodian.fd(), POLLOUT);
    if (const Status flushed = custodian.Flush(); !flushed) Die("the report was not sent", flushed.error());
  }
}

}  // namespace

int main() {
  InitLog("glasscase-inspector");
  std::signal(SIGINT, SIG_IGN);
  if (const Status warm = inference::WarmUpOnnxRuntime(); !warm)
    Die("ONNX Runtime does not start", warm.error());
  if (const Status warm = inspector::WarmUpSignatures(); !warm) Die("OpenSSL does not start", warm.error());
  auto engine = inference::MakeOnnxRuntimeEngine({.threads = 1});
  if (!engine) Die("ONNX Runtime does not start", engine.error());
  const auto confinement = process::Confine({.syscalls = process::SyscallProfile::kInspector,
                                             .user_offset = kInspectorUser,
                                             .memory_bytes_max = kMemoryBytes,
                                             .open_files_max = kOpenFilesMax,
                                             .cpu_seconds_max = kCpuSeconds});
  if (!confinement) Die("cannot give up rights", confinement.error());
  if (const Status ready =
          process::SendLifeline(process::kLifelineFd, {.type = process::LifelineMessage::Type::kReady});
      !ready) {
    Die("the supervisor is gone", ready.error());
  }
  process::FrameSocket custodian(ReceiveLink(), {});
  Serve(custodian, **engine);
  ::_exit(0);
}
