// Each test takes the rights away in a child process and tries there what must not work any more.
#include <glasscase/process/confine.h>

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/process/call_channel.h>
#include <glasscase/process/fd.h>

#include "landlock.h"
#include "sanitizers.h"

namespace glasscase::process {
namespace {

constexpr uid_t kNobody = 65534;

enum class StartedAs { kRoot, kOrdinaryUser };

std::string NameOfStart(const ::testing::TestParamInfo<StartedAs>& start) {
  return start.param == StartedAs::kRoot ? "AsRoot" : "AsOrdinaryUser";
}

// Runs in the child; a failed expectation is printed and ends it.
#define MUST(condition)                                                                         \
  do {                                                                                          \
    errno = 0;                                                                                  \
    if (!(condition)) {                                                                         \
      dprintf(2, "confine_test.cc:%d: %s: %s\n", __LINE__, #condition, strerrorname_np(errno)); \
      _exit(1);                                                                                 \
    }                                                                                           \
  } while (false)

// ESRCH: the root directory belongs to a process that has ended.
bool Refused(int error) {
  return error == EPERM || error == EACCES || error == ENOENT || error == ESRCH || error == ENOSYS;
}
// The call fails, and for want of rights.
#define MUST_BE_REFUSED(call)                                                                        \
  do {                                                                                               \
    errno = 0;                                                                                       \
    const auto result = (intptr_t)(call);                                                            \
    if (result != -1 || !Refused(errno)) {                                                           \
      dprintf(2, "confine_test.cc:%d: %s gave %ld %s\n", __LINE__, #call, static_cast<long>(result), \
              strerrorname_np(errno));                                                               \
      _exit(1);                                                                                      \
    }                                                                                                \
  } while (false)

class ConfineTest : public ::testing::TestWithParam<StartedAs> {
 protected:
  void SetUp() override {
    if (kThreadSanitized)
      GTEST_SKIP() << "runs in the plain build only: the sanitizer has threads of its own";
    if (GetParam() == StartedAs::kRoot && geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/confine_test_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    if (geteuid() == 0) {
      ASSERT_EQ(chown(name, kNobody, kNobody), 0);
    }
  }
  void TearDown() override {
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }

  static void BecomeOrdinaryUser() {
    if (geteuid() != 0) return;
    MUST(setgroups(0, nullptr) == 0);
    MUST(setresgid(kNobody, kNobody, kNobody) == 0);
    MUST(setresuid(kNobody, kNobody, kNobody) == 0);
    MUST(prctl(PR_SET_DUMPABLE, 1) == 0);  // as after an execve
  }

  // The status of a child that started as the parameter says and ran `act`.
  static int InChild(const std::function<void()>& act) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      if (GetParam() == StartedAs::kOrdinaryUser) BecomeOrdinaryUser();
      act();
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
  }
  static int InConfinedChild(const Policy& policy, const std::function<void()>& act) {
    return InChild([&] {
      const Result<Confinement> confinement = Confine(policy);
      if (!confinement) dprintf(2, "%s\n", confinement.error().message().c_str());
      MUST(confinement.has_value());
      act();
    });
  }

  std::string directory_;
};

INSTANTIATE_TEST_SUITE_P(, ConfineTest, ::testing::Values(StartedAs::kRoot, StartedAs::kOrdinaryUser),
                         NameOfStart);

#define SKIP_IN_SANITIZER_BUILDS() \
  if (kSanitized) GTEST_SKIP() << "system calls are not filtered in a sanitizer build"

TEST_P(ConfineTest, NothingIsMissingOnThisKernel) {
  if (LandlockVersion() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(0, InChild([] {
              const Result<Confinement> confinement = Confine({.open_files_max = 64, .cpu_seconds_max = 5});
              MUST(confinement.has_value());
              for (const std::string& missing : confinement->missing) {
                const bool expected = kSanitized && missing.starts_with("seccomp");
                if (!expected) dprintf(2, "missing: %s\n", missing.c_str());
                MUST(expected);
              }
            }));
}

TEST_P(ConfineTest, NoFileCanBeOpenedEvenWithoutSeccomp) {
  // The root directory and Landlock alone, as in a sanitizer build.
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kCustodian}, [] {
              MUST_BE_REFUSED(open("/etc/passwd", O_RDONLY));
              MUST_BE_REFUSED(open("etc/passwd", O_RDONLY));
              MUST_BE_REFUSED(open("../../../../etc/passwd", O_RDONLY));
              MUST_BE_REFUSED(open("/", O_RDONLY | O_DIRECTORY));
              MUST_BE_REFUSED(open("/new", O_WRONLY | O_CREAT, 0600));
              MUST_BE_REFUSED(mkdir("/new", 0700));
              MUST_BE_REFUSED(access("/proc/self", F_OK));
            }));
}

TEST_P(ConfineTest, RightsOfTheUserAreGone) {
  EXPECT_EQ(0, InConfinedChild({.user_offset = 7}, [] {
              const uid_t expected = GetParam() == StartedAs::kRoot ? kUserBase + 7 : geteuid();
              MUST(geteuid() == expected && getuid() == expected && geteuid() != 0);
              MUST(setresuid(0, 0, 0) == -1);
              MUST_BE_REFUSED(chroot("/"));
              MUST_BE_REFUSED(sethostname("x", 1));
              MUST_BE_REFUSED(mount("none", "/", "tmpfs", 0, nullptr));
            }));
}

TEST_P(ConfineTest, CannotBeTracedAndLeavesNoCore) {
  EXPECT_EQ(0, InChild([] {
              MUST(Confine({.syscalls = SyscallProfile::kCustodian}).has_value());
              rlimit core{1, 1};
              MUST(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
              if (kSanitized)
                MUST(prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
            }));
}

TEST_P(ConfineTest, HasNoNetworkEvenWithoutSeccomp) {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  EXPECT_EQ(0, InConfinedChild({}, [&] {
              const int fd = socket(AF_INET, SOCK_STREAM, 0);
              if (!kSanitized) MUST(fd < 0);
              if (fd < 0) return;
              MUST(connect(fd, reinterpret_cast<sockaddr*>(&address), length) != 0);
            }));
}

// A listening socket, shut down, connects out by TCP fast open, past connect(2) and past Landlock.
TEST_P(ConfineTest, ListeningSocketIsNoWayOut) {
  SKIP_IN_SANITIZER_BUILDS();
  const auto listen_on_loopback = [](sockaddr_in* address) {
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    socklen_t length = sizeof *address;
    *address = {};
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(address), length), 0);
    EXPECT_EQ(listen(fd.get(), 4), 0);
    EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(address), &length), 0);
    return fd;
  };
  sockaddr_in own{};
  sockaddr_in target{};
  const Fd own_fd = listen_on_loopback(&own);
  const Fd target_fd = listen_on_loopback(&target);
  const auto attack = [&] {
    const auto* const to = reinterpret_cast<const sockaddr*>(&target);
    MUST(shutdown(own_fd.get(), SHUT_RDWR) == 0);
    MUST_BE_REFUSED(connect(own_fd.get(), to, sizeof target));
    MUST_BE_REFUSED(sendto(own_fd.get(), "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, to, sizeof target));
    iovec part{const_cast<char*>("x"), 1};
    msghdr message{};
    message.msg_name = &target;
    message.msg_namelen = sizeof target;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    MUST_BE_REFUSED(sendmsg(own_fd.get(), &message, MSG_FASTOPEN | MSG_NOSIGNAL));
  };
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kEdge}, attack));
}

class EveryProfile : public ConfineTest {
 protected:
  static constexpr std::array kProfiles = {SyscallProfile::kEdge, SyscallProfile::kHost,
                                           SyscallProfile::kCustodian, SyscallProfile::kInspector};
};
INSTANTIATE_TEST_SUITE_P(, EveryProfile, ::testing::Values(StartedAs::kRoot, StartedAs::kOrdinaryUser),
                         NameOfStart);

void TryWhatNobodyMay() {
  const pid_t parent = getppid();
  char byte = 0;
  iovec own{&byte, 1};
  iovec foreign{&byte, 1};
  char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
  MUST_BE_REFUSED(open("/etc/passwd", O_RDONLY));
  MUST_BE_REFUSED(socket(AF_INET, SOCK_STREAM, 0));
  MUST_BE_REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST_BE_REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
  MUST_BE_REFUSED(connect(0, nullptr, 0));
  MUST_BE_REFUSED(bind(0, nullptr, 0));
  MUST_BE_REFUSED(listen(0, 1));
  MUST_BE_REFUSED(execve("/bin/true", arguments, nullptr));
  MUST_BE_REFUSED(syscall(SYS_execveat, 0, "", arguments, nullptr, AT_EMPTY_PATH));
  MUST_BE_REFUSED(fork());
  MUST_BE_REFUSED(vfork());
  MUST_BE_REFUSED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  MUST_BE_REFUSED(syscall(SYS_clone3, nullptr, 0));
  MUST_BE_REFUSED(ptrace(PTRACE_ATTACH, parent, nullptr, nullptr));
  MUST_BE_REFUSED(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  MUST_BE_REFUSED(process_vm_readv(parent, &own, 1, &foreign, 1, 0));
  MUST_BE_REFUSED(process_vm_writev(parent, &own, 1, &foreign, 1, 0));
  MUST_BE_REFUSED(kill(parent, 0));
  MUST_BE_REFUSED(kill(-1, 0));
  MUST_BE_REFUSED(syscall(SYS_tgkill, parent, parent, 0));
  MUST_BE_REFUSED(syscall(SYS_tkill, parent, 0));
  MUST_BE_REFUSED(syscall(SYS_pidfd_open, parent, 0));
  MUST_BE_REFUSED(syscall(SYS_pidfd_getfd, 0, 0, 0));
  MUST_BE_REFUSED(syscall(SYS_prlimit64, parent, RLIMIT_NOFILE, nullptr, nullptr));
  MUST_BE_REFUSED(unshare(CLONE_NEWUSER));
  MUST_BE_REFUSED(setns(0, 0));
  MUST_BE_REFUSED(mount("none", "/", "tmpfs", 0, nullptr));
  MUST_BE_REFUSED(syscall(SYS_bpf, 0, nullptr, 0));
  MUST_BE_REFUSED(syscall(SYS_io_uring_setup, 1, nullptr));
  MUST_BE_REFUSED(syscall(SYS_userfaultfd, 0));
  MUST_BE_REFUSED(syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0));
  MUST_BE_REFUSED(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  MUST_BE_REFUSED(syscall(SYS_add_key, "user", "x", "y", 1, -2));
  MUST_BE_REFUSED(syscall(SYS_open_by_handle_at, 0, nullptr, 0));
  MUST_BE_REFUSED(syscall(447 /* memfd_secret */, 0));
  MUST_BE_REFUSED(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  MUST_BE_REFUSED(prctl(PR_SET_DUMPABLE, 1));
  MUST_BE_REFUSED(fcntl(0, F_SETOWN, parent));
  MUST_BE_REFUSED(ioctl(0, 0x5412 /* TIOCSTI */, "x"));
}

TEST_P(EveryProfile, RefusesWhatNobodyMay) {
  SKIP_IN_SANITIZER_BUILDS();
  for (const SyscallProfile profile : kProfiles) {
    EXPECT_EQ(0, InConfinedChild({.syscalls = profile}, TryWhatNobodyMay)) << static_cast<int>(profile);
  }
}

TEST_P(EveryProfile, AbortAndRaiseWork) {
  for (const SyscallProfile profile : kProfiles) {
    const int aborted = InConfinedChild({.syscalls = profile}, [] { std::abort(); });
    EXPECT_TRUE(WIFSIGNALED(aborted) && WTERMSIG(aborted) == SIGABRT);
    const int raised = InConfinedChild({.syscalls = profile}, [] { raise(SIGKILL); });
    EXPECT_TRUE(WIFSIGNALED(raised) && WTERMSIG(raised) == SIGKILL);
  }
}

TEST_P(EveryProfile, ThreadsMemoryChannelsAndClocksWork) {
  const ChannelFds channel = std::move(*MakeChannel());
  for (const SyscallProfile profile : kProfiles) {
    const auto work = [&] {
      std::thread thread([] {
        std::vector<char> memory(size_t{32} << 20, 'x');
        MUST(memory[12345] == 'x');
        timespec time{0, 1000};
        MUST(nanosleep(&time, nullptr) == 0 && clock_gettime(CLOCK_REALTIME, &time) == 0);
      });
      thread.join();
      const auto dup = [](const Fd& fd) { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); };
      const Result<CallChannel> opened = CallChannel::Open(
          {dup(channel.memory), dup(channel.wake_host), dup(channel.wake_edge)}, Side::kEdge);
      MUST(opened.has_value());
      const int epoll = epoll_create1(EPOLL_CLOEXEC);
      epoll_event event{};
      event.events = EPOLLIN;
      MUST(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, channel.wake_edge.get(), &event) == 0);
      MUST(epoll_wait(epoll, &event, 1, 1) == 0);
    };
    EXPECT_EQ(0, InConfinedChild({.syscalls = profile}, work)) << static_cast<int>(profile);
  }
}

TEST_P(ConfineTest, SharedEventfdCannotBeMadeBlocking) {
  SKIP_IN_SANITIZER_BUILDS();
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kHost}, [] {
              const int fd = eventfd(0, EFD_NONBLOCK);
              MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
              MUST_BE_REFUSED(fcntl(fd, F_SETFL, 0));
              int off = 0;
              MUST_BE_REFUSED(ioctl(fd, 0x5421 /* FIONBIO */, &off));
            }));
}

TEST_P(ConfineTest, EdgeAcceptsConnections) {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kEdge}, [&] {
              const int connection = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
              const int one = 1;
              MUST(connection >= 0);
              MUST(setsockopt(connection, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one) == 0);
              MUST(send(connection, "hi", 2, MSG_NOSIGNAL) == 2);
            }));
  char text[2];
  ASSERT_EQ(recv(client.get(), text, 2, 0), 2);
}

TEST_P(ConfineTest, HostSealsMemory) {
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kHost}, [] {
              const int fd = memfd_create("weights", MFD_ALLOW_SEALING | MFD_CLOEXEC);
              MUST(fd >= 0 && ftruncate(fd, 4096) == 0 && pwrite(fd, "w", 1, 0) == 1);
              MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
              MUST(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
              MUST(pwrite(fd, "x", 1, 0) == -1);
            }));
}

TEST_P(ConfineTest, CustodianKeepsFilesBelowItsRootOnly) {
  const Fd directory(open(directory_.c_str(), O_RDONLY | O_DIRECTORY));
  const Policy policy{.syscalls = SyscallProfile::kCustodian,
                      .root_directory_fd = directory.get(),
                      .files_below_root = true,
                      .user = kNobody};
  EXPECT_EQ(0, InConfinedChild(policy, [] {
              for (const char* const path : {"catalog.db", "/other.db"}) {
                const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                MUST(fd >= 0 && write(fd, "data", 4) == 4);
                flock lock{};
                lock.l_type = F_WRLCK;
                MUST(fcntl(fd, F_SETLK, &lock) == 0);
                MUST(ftruncate(fd, 2) == 0 && fsync(fd) == 0 && fdatasync(fd) == 0);
                MUST(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
                close(fd);
              }
              MUST(mkdir("blobs", 0700) == 0 && rename("catalog.db", "blobs/catalog.db") == 0);
              MUST(unlink("blobs/catalog.db") == 0 && rmdir("blobs") == 0);
              struct stat status {};
              MUST(stat("other.db", &status) == 0 && status.st_uid == geteuid());
              MUST_BE_REFUSED(open("/etc/passwd", O_RDONLY));
              MUST_BE_REFUSED(open("../../etc/passwd", O_RDONLY));
              MUST_BE_REFUSED(mknod("device", S_IFCHR | 0600, 259));
              MUST_BE_REFUSED(symlink("/etc/passwd", "link"));
            }));
  EXPECT_EQ(access((directory_ + "/other.db").c_str(), F_OK), 0);
}

sockaddr_in LoopbackPort(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Its namespace has no route at all: what is not refused is unreachable.
TEST_P(ConfineTest, CustodianConnectsToItsPortsOnlyAndDoesNotListen) {
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kCustodian, .connect_ports = {7}}, [] {
              const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
              MUST(fd >= 0);
              const sockaddr_in own = LoopbackPort(7);
              MUST(connect(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) == -1 &&
                   (errno == ENETUNREACH || errno == ECONNREFUSED));
              const sockaddr_in other = LoopbackPort(8);
              MUST(connect(fd, reinterpret_cast<const sockaddr*>(&other), sizeof other) == -1 &&
                   (LandlockVersion() < 4 || errno == EACCES));
              MUST_BE_REFUSED(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own));
              if (!kSanitized) {
                MUST_BE_REFUSED(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
                                       reinterpret_cast<const sockaddr*>(&other), sizeof other));
                MUST_BE_REFUSED(sendmmsg(fd, nullptr, 0, MSG_FASTOPEN));
                MUST_BE_REFUSED(socket(AF_INET, SOCK_DGRAM, 0));
              }
            }));
}

TEST_P(ConfineTest, RelayConnectsAnywhereAndReadsOnlyWhatNamesNeed) {
  const std::string secret = directory_ + "/secret";
  {
    const Fd file(open(secret.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_TRUE(file.valid());
  }
  const Policy policy{.syscalls = SyscallProfile::kRelay, .network = true, .looks_names_up = true};
  EXPECT_EQ(0, InConfinedChild(policy, [&] {
              const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
              const sockaddr_in nobody = LoopbackPort(1);
              MUST(fd >= 0);
              MUST(connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == -1 &&
                   errno == ECONNREFUSED);
              MUST_BE_REFUSED(bind(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody));
              const int hosts = open("/etc/nsswitch.conf", O_RDONLY);
              MUST(hosts >= 0 || errno == ENOENT);
              if (LandlockVersion() > 0) MUST_BE_REFUSED(open(secret.c_str(), O_RDONLY));
              if (LandlockVersion() > 0) MUST_BE_REFUSED(open("/proc/self/environ", O_RDONLY));
              MUST_BE_REFUSED(open(secret.c_str(), O_WRONLY));
              if (!kSanitized) MUST_BE_REFUSED(fork());
            }));
}

TEST_P(ConfineTest, AbstractSocketsOfOthersAreOutOfReach) {
  if (LandlockVersion() < 6) GTEST_SKIP() << "needs Landlock 6";
  // Also where connections are allowed.
  const Fd listener(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "confine-test-%d", getpid());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const Fd client(socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_EQ(0, InConfinedChild({.syscalls = SyscallProfile::kCustodian, .connect_ports = {7}}, [&] {
              MUST_BE_REFUSED(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
            }));
}

TEST_P(ConfineTest, MemoryLimitHolds) {
  SKIP_IN_SANITIZER_BUILDS();
  EXPECT_EQ(0, InConfinedChild({.memory_bytes_max = uint64_t{64} << 20}, [] {
              void* const large = mmap(nullptr, size_t{128} << 20, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              MUST(large == MAP_FAILED);
            }));
}

TEST_P(ConfineTest, ParentDeathSignalOutlivesTheChangeOfUser) {
  EXPECT_EQ(0, InChild([] {
              prctl(PR_SET_PDEATHSIG, SIGKILL);
              MUST(Confine({.syscalls = SyscallProfile::kCustodian}).has_value());
              if (!kSanitized) return;  // reading it back is filtered; supervision's tests see the effect
              int signal = 0;
              MUST(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGKILL);
            }));
}

TEST_P(ConfineTest, ThreadsThatCameTooEarlyAreReported) {
  EXPECT_EQ(0, InChild([] {
              std::thread early([] { pause(); });
              const Result<Confinement> confinement = Confine({});
              MUST(confinement.has_value());
              bool reported = false;
              for (const std::string& missing : confinement->missing) {
                reported |= missing.find("threads that were made before") != std::string::npos;
              }
              MUST(reported);
              _exit(0);
            }));
}

void TryInEarlyThread(const Fd& go) {
  char byte = 0;
  MUST(read(go.get(), &byte, 1) == 1);
  MUST_BE_REFUSED(open("/etc/passwd", O_RDONLY));
  MUST_BE_REFUSED(open("/proc/self/status", O_RDONLY));
  MUST_BE_REFUSED(sethostname("x", 1));
  MUST_BE_REFUSED(chroot("."));
  MUST(geteuid() != 0);
}

TEST_P(ConfineTest, ThreadsMadeBetweenTheTwoHalvesAreCovered) {
  // As the host: namespaces, then libraries with threads that read files, then the rest.
  EXPECT_EQ(0, InChild([] {
              int ends[2];
              MUST(pipe2(ends, O_CLOEXEC) == 0);
              const Fd go(ends[0]);
              Confinement entered = EnterNamespaces({});
              MUST(entered.missing.empty());
              std::atomic<bool> opened = false;
              std::thread early([&] {
                MUST(open("/etc/passwd", O_RDONLY) >= 0);
                opened = true;
                TryInEarlyThread(go);
              });
              while (!opened) std::this_thread::yield();
              const auto confinement = Confine({.syscalls = SyscallProfile::kCustodian}, std::move(entered));
              MUST(confinement.has_value());
              for (const std::string& missing : confinement->missing) {
                if (!kSanitized) dprintf(2, "missing: %s\n", missing.c_str());
                MUST(kSanitized);
              }
              MUST(write(ends[1], "x", 1) == 1);
              early.join();
            }));
}

}  // namespace
}  // namespace glasscase::process
