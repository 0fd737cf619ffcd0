#include "remote.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include <glasscase/core/log.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/pin.h>
#include <glasscase/crypto/random.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/tunnel/spool.h>

#include "connection.h"

namespace glasscase::worker {
namespace {

using Type = process::LifelineMessage::Type;

constexpr int64_t kFirstPauseMs = 1'000;
constexpr int64_t kPauseMsMax = 30'000;
constexpr uint32_t kFinishMs = 1'500;

int64_t NowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// In a child: nothing of ours but what is given, ends with us.
void BecomeChild(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  ::setpgid(0, 0);  // a terminal's ^C reaches the keeper alone
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

class Keeper {
 public:
  Keeper(const RemoteArguments& arguments, tunnel::Spool spool)
      : arguments_(arguments), spool_(std::move(spool)), pid_(::getpid()) {}

  // Returns in children that are to be the worker.
  Result<SeatArguments> Run();

 private:
  struct Child {
    pid_t pid = 0;
    Fd fd{};  // of the worker its lifeline, of the connection the pipe that says it is up
  };
  Status WatchSignals();
  // Something in the child.
  Result<std::optional<SeatArguments>> StartWorker();
  Status StartConnection();
  void OnUp();
  void OnWorkerSays();
  void OnSignals();
  void Reap();
  void OnConnectionEnd(int status);
  [[noreturn]] void ShutDown(int code);
  int PauseMs() const;

  const RemoteArguments arguments_;
  tunnel::Spool spool_;
  OwnSeat seat_;
  const pid_t pid_;
  Fd signals_;
  Child worker_;
  Child connection_;
  Fd link_;  // the worker's end, until the connection is up
  bool worker_ready_ = false;
  bool was_up_ = false;
  int64_t pause_ms_ = kFirstPauseMs;
  int64_t connect_at_ms_ = 0;
  int64_t work_at_ms_ = 0;
};

Status Keeper::WatchSignals() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int one : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&watched, one);
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  signals_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return Fail(Error::FromErrno(errno, "signalfd"));
  return Ok();
}

Result<std::optional<SeatArguments>> Keeper::StartWorker() {
  GC_TRY(auto ends, process::MakeLifeline());
  const pid_t child = ::fork();
  if (child < 0) return Fail(Error::FromErrno(errno, "cannot start the worker"));
  if (child == 0) {
    BecomeChild(pid_);
    SeatArguments seat = seat_.Enter();
    const int end = ends.second.release();
    ends.first.release();  // closed below, with all that is not the worker's
    if (end != process::kLifelineFd && ::dup2(end, process::kLifelineFd) < 0) ::_exit(1);
    ::syscall(SYS_close_range, process::kLifelineFd + 1, ~0U, 0);
    return seat;
  }
  ::fcntl(ends.first.get(), F_SETFL, O_NONBLOCK);
  worker_ = {.pid = child, .fd = std::move(ends.first)};
  worker_ready_ = false;
  return std::nullopt;
}

Status Keeper::StartConnection() {
  GC_TRY(auto ends, process::MakeSocketPair());
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "pipe"));
  Fd up_read(pipe[0]);
  Fd up_write(pipe[1]);
  const pid_t child = ::fork();
  if (child < 0) return Fail(Error::FromErrno(errno, "cannot start the connection"));
  if (child == 0) {
    BecomeChild(pid_);
    for (Fd* one : {&signals_, &worker_.fd, &connection_.fd, &link_, &ends.first, &up_read}) *one = Fd();
    ::_exit(static_cast<int>(RunConnection(arguments_, spool_, std::move(ends.second), std::move(up_write))));
  }
  link_ = std::move(ends.first);
  connection_ = {.pid = child, .fd = std::move(up_read)};
  was_up_ = false;
  return Ok();
}

// The worker gets its link when the gate is there, so that it does not work for nobody.
void Keeper::OnUp() {
  char byte = 0;
  if (::read(connection_.fd.get(), &byte, 1) != 1) {
    connection_.fd = Fd();  // it ends
    return;
  }
  was_up_ = true;
  pause_ms_ = kFirstPauseMs;
  const Status sent = process::SendLifeline(
      worker_.fd.get(), {.type = Type::kRpcLink, .peer = process::ProcessKind::kCustodian}, {link_.get()});
  if (!sent) LogWarning("the worker does not listen: " + sent.error().message());
  link_ = Fd();
}

void Keeper::OnWorkerSays() {
  auto received = process::ReceiveLifeline(worker_.fd.get());
  if (!received) {
    worker_.fd = Fd();  // it ends
    return;
  }
  if (*received && (*received)->message.type == Type::kReady) worker_ready_ = true;
}

void Keeper::OnSignals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != static_cast<uint32_t>(SIGCHLD)) ShutDown(0);
    Reap();
  }
}

void Keeper::Reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid == connection_.pid) {
      connection_ = {};
      link_ = Fd();
      OnConnectionEnd(status);
    } else if (pid == worker_.pid) {
      LogWarning("the worker ended; another one is started");
      worker_ = {};
      worker_ready_ = false;
      work_at_ms_ = NowMs() + kFirstPauseMs;
      // What it was given is lost with it: the installation has to know.
      if (connection_.pid > 0) ::kill(connection_.pid, SIGKILL);
    }
  }
}

void Keeper::OnConnectionEnd(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ConnectionEnd::kNever)) ShutDown(1);
  connect_at_ms_ = NowMs() + pause_ms_;
  if (!was_up_) pause_ms_ = std::min(2 * pause_ms_, kPauseMsMax);
}

// Kills it when it takes longer.
void AwaitEnd(pid_t process, int64_t limit_ms) {
  const int64_t deadline_ms = NowMs() + limit_ms;
  while (NowMs() < deadline_ms) {
    if (::waitpid(process, nullptr, WNOHANG) != 0) return;
    ::usleep(5'000);
  }
  ::kill(process, SIGKILL);
}

void Keeper::ShutDown(int code) {
  // The worker first: the connection carries what it says last, and ends when the worker's link has.
  if (worker_.pid > 0) {
    (void)process::SendLifeline(worker_.fd.get(), {.type = Type::kShutDown, .value = kFinishMs});
    AwaitEnd(worker_.pid, 2 * kFinishMs);
  }
  if (connection_.pid > 0) AwaitEnd(connection_.pid, was_up_ ? kFinishMs : 0);
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  spool_.Remove();
  seat_.GiveBack();
  ::_exit(code);
}

// Until something is to be started; -1: nothing is.
int Keeper::PauseMs() const {
  const int64_t now = NowMs();
  if (worker_.pid == 0) return static_cast<int>(std::clamp<int64_t>(work_at_ms_ - now, 0, kPauseMsMax));
  if (!worker_ready_ || connection_.pid != 0) return -1;
  return static_cast<int>(std::clamp<int64_t>(connect_at_ms_ - now, 0, kPauseMsMax));
}

Result<SeatArguments> Keeper::Run() {
  GC_TRY_VOID(WatchSignals());
  while (true) {
    if (PauseMs() == 0 && worker_.pid == 0) {
      GC_TRY(std::optional<SeatArguments> seat, StartWorker());
      if (seat) return *std::move(seat);
    }
    if (PauseMs() == 0) GC_TRY_VOID(StartConnection());
    std::array<pollfd, 3> watched = {{{signals_.get(), POLLIN, 0},
                                      {worker_.fd.get(), POLLIN, 0},  // -1 is passed over
                                      {was_up_ ? -1 : connection_.fd.get(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), PauseMs()) < 0 && errno != EINTR)
      return Fail(Error::FromErrno(errno, "poll"));
    if (watched[2].revents != 0) OnUp();
    if (watched[1].revents != 0) OnWorkerSays();
    if (watched[0].revents != 0) OnSignals();
  }
}

}  // namespace

Status MakeKey(const std::string& path) {
  SystemRandom random;
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.valid()) {
    const Secret pem = EcdsaPrivateKey::Generate(Curve::kP256, random).Pem();
    const std::string_view text = pem.Reveal(RevealToken());
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.get()) != 0)
      return Fail(Error::FromErrno(errno, "cannot write " + path));
  } else if (errno != EEXIST) {
    return Fail(Error::FromErrno(errno, "cannot make " + path));
  }
  GC_TRY(const Secret pem, ReadWorkerKey(path));
  const auto key = EcdsaPrivateKey::FromPem(pem);
  if (!key) return Fail(key.error().WithContext(path));
  std::printf("%s\n", PinText(PinOf(key->public_key())).c_str());
  return Ok();
}

Result<SeatArguments> KeepWorker(const RemoteArguments& arguments, const std::string& spool_parent) {
  const uid_t user = ::geteuid() == 0 ? process::kUserBase + kConnectionUser : ::geteuid();
  GC_TRY(tunnel::Spool spool, tunnel::Spool::Make(spool_parent, user));
  // Never destroyed: its descriptors are closed in the worker, and their numbers are others by then.
  static Keeper* const keeper = std::make_unique<Keeper>(arguments, std::move(spool)).release();
  return keeper->Run();
}

}  // namespace glasscase::worker
