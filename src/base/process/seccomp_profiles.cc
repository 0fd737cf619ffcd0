// The lists say what the processes do, measured with strace and with the tests beside; each entry is a way
// in for somebody who has taken the process over, so an addition needs its reason here.
#include "seccomp_profiles.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace glasscase::process {
namespace {

// Conditions on a system call's argument. (libseccomp's own macros are C compound literals.)
scmp_arg_cmp Equals(unsigned argument, scmp_datum_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp Masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

constexpr uint64_t kThreadFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
constexpr uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release) {}

  bool valid() const { return context_ != nullptr; }

  void Allow(std::initializer_list<int> calls) {
    for (const int call : calls) Note(seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, 0), call);
  }
  // Allowed when all conditions hold; a second rule for the same call is an alternative.
  void AllowIf(int call, std::initializer_list<scmp_arg_cmp> conditions) {
    const std::vector<scmp_arg_cmp> list(conditions);
    Note(seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call, static_cast<unsigned>(list.size()),
                                list.data()),
         call);
  }
  void FailWith(int call, int error) {
    Note(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(static_cast<uint32_t>(error)), call, 0), call);
  }

  Status Load() {
    // Calls of another architecture (32-bit, x32) have other numbers: no process of ours makes them.
    Note(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), -1);
    Note(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1), -1);
    Note(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_NNP, 1), -1);
    Note(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), -1);  // binary tree, not a list
    if (error_ != 0) return Fail(Error::FromErrno(error_, "rule for system call " + std::to_string(call_)));
    const int error = seccomp_load(context_.get());
    if (error != 0) return Fail(Error::FromErrno(-error, "seccomp_load"));
    return Ok();
  }

 private:
  void Note(int result, int call) {
    if (result == 0 || error_ != 0) return;
    error_ = -result;
    call_ = call;
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
  int call_ = 0;
};

// What every process needs: memory, time, threads of its own, descriptors it already has.
void AllowBasics(Filter& filter) {
  filter.Allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
                SCMP_SYS(mlock2), SCMP_SYS(munlock)});
  // No new executable memory: an attacker keeps to the code that is there.
  filter.AllowIf(SCMP_SYS(mmap), {Masked(2, PROT_EXEC, 0)});
  filter.AllowIf(SCMP_SYS(mprotect), {Masked(2, PROT_EXEC, 0)});
  filter.Allow({SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
                SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom)});
  filter.Allow({SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
                SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
                SCMP_SYS(getegid), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrusage),
                SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
                SCMP_SYS(exit_group)});
  filter.Allow(
      {SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack)});
  filter.Allow({SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
                SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(dup)});
  // glibc's fstat(); with a path it reaches no further than the (empty) root directory.
  filter.AllowIf(SCMP_SYS(newfstatat), {Masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  filter.AllowIf(SCMP_SYS(prlimit64), {Equals(0, 0), Equals(2, 0)});  // reading its own
  filter.Allow({SCMP_SYS(getrlimit)});
  filter.AllowIf(SCMP_SYS(prctl), {Equals(0, PR_SET_NAME)});
  filter.AllowIf(SCMP_SYS(prctl), {Equals(0, PR_SET_VMA)});  // names of malloc's arenas
}

// abort() and raise() reach this process and no other.
void AllowSignalsToItself(Filter& filter) {
  const auto self = static_cast<uint64_t>(getpid());
  filter.AllowIf(SCMP_SYS(kill), {Equals(0, self)});
  filter.AllowIf(SCMP_SYS(tgkill), {Equals(0, self)});
}

void AllowThreads(Filter& filter) {
  // In clone3 the flags lie behind a pointer, where no filter sees them.
  filter.FailWith(SCMP_SYS(clone3), ENOSYS);
  filter.AllowIf(SCMP_SYS(clone), {Masked(0, kThreadFlags | kNamespaceFlags, kThreadFlags)});
}

void AllowDescriptorFlags(Filter& filter) {
  for (const uint64_t command : {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GET_SEALS, F_ADD_SEALS}) {
    filter.AllowIf(SCMP_SYS(fcntl), {Equals(1, command)});
  }
  // Never back to blocking: the flag belongs to both sides of a shared eventfd, and a taken-over process
  // must not be able to block its peer. No O_ASYNC: it sends signals.
  filter.AllowIf(SCMP_SYS(fcntl), {Equals(1, F_SETFL), Masked(2, O_NONBLOCK | O_ASYNC, O_NONBLOCK)});
}

void AllowEventLoop(Filter& filter) {
  filter.Allow({SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
                SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2),
                SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime)});
}

// On sockets that exist already.
void AllowConnectedSockets(Filter& filter) {
  // TCP fast open connects in sendto and sendmsg: a listening socket, shut down, would become a way out that
  // Landlock does not see.
  filter.AllowIf(SCMP_SYS(sendto), {Masked(3, MSG_FASTOPEN, 0)});
  filter.AllowIf(SCMP_SYS(sendmsg), {Masked(2, MSG_FASTOPEN, 0)});
  filter.Allow({SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(shutdown)});
}

void AllowAcceptedConnections(Filter& filter) {
  filter.Allow({SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
                SCMP_SYS(getsockopt)});
  for (const uint64_t option :
       {TCP_NODELAY, TCP_QUICKACK, TCP_CORK, TCP_USER_TIMEOUT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT}) {
    filter.AllowIf(SCMP_SYS(setsockopt), {Equals(1, IPPROTO_TCP), Equals(2, option)});
  }
  for (const uint64_t option : {SO_KEEPALIVE, SO_SNDBUF, SO_RCVBUF, SO_REUSEADDR}) {
    filter.AllowIf(SCMP_SYS(setsockopt), {Equals(1, SOL_SOCKET), Equals(2, option)});
  }
  filter.AllowIf(SCMP_SYS(ioctl), {Equals(1, FIONBIO)});   // Asio's non-blocking mode
  filter.AllowIf(SCMP_SYS(ioctl), {Equals(1, FIONREAD)});  // Asio's available()
}

// Those that others gave, at once: close_elsewhere.h.
void AllowClosingSockets(Filter& filter) {
  filter.AllowIf(SCMP_SYS(setsockopt), {Equals(1, SOL_SOCKET), Equals(2, SO_LINGER)});
}

// Sealed memory that other processes cannot change.
void AllowOwnMemoryFiles(Filter& filter) {
  filter.Allow({SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate)});
}

// SQLite and the blob store below the root directory.
void AllowFiles(Filter& filter) {
  filter.Allow({SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
                SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
                SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
                SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(umask)});
  filter.Allow({SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
                SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
                SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(utimensat)});
  filter.Allow({SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(syncfs), SCMP_SYS(sync_file_range),
                SCMP_SYS(fadvise64), SCMP_SYS(copy_file_range), SCMP_SYS(sendfile), SCMP_SYS(flock),
                SCMP_SYS(preadv), SCMP_SYS(pwritev)});
  for (const uint64_t command : {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW}) {
    filter.AllowIf(SCMP_SYS(fcntl), {Equals(1, command)});
  }
}

// The files by which names are looked up: read only, as far as a filter sees.
void AllowReadingFiles(Filter& filter) {
  for (const int call : {SCMP_SYS(openat), SCMP_SYS(open)})
    filter.AllowIf(call, {Masked(call == SCMP_SYS(openat) ? 2 : 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)});
  filter.Allow({SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
                SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                SCMP_SYS(getdents64)});
}

// Questions to name servers. Only where connect(2) is free too: sendmmsg can connect by TCP fast open.
void AllowLookingNamesUp(Filter& filter) {
  for (const uint64_t family : {AF_INET, AF_INET6})
    filter.AllowIf(SCMP_SYS(socket), {Equals(0, family), Masked(1, 15, SOCK_DGRAM)});
  filter.Allow({SCMP_SYS(sendmmsg)});
}

// The custodian makes a pipe for each upload, through which an edge hands it the bytes; the edge moves them
// from socket to pipe, and from a file that it was given to a socket, without looking at them.
void AllowMakingPipes(Filter& filter) {
  filter.Allow({SCMP_SYS(pipe2)});
  filter.AllowIf(SCMP_SYS(fcntl), {Equals(1, F_SETPIPE_SZ)});
}
void AllowMovingBytes(Filter& filter) { filter.Allow({SCMP_SYS(splice), SCMP_SYS(sendfile)}); }

// Between itself and whoever it gives the other end to: no address, no way out.
void AllowSocketPairs(Filter& filter) { filter.AllowIf(SCMP_SYS(socketpair), {Equals(0, AF_UNIX)}); }

// Connections to the servers that the operator configured.
void AllowOutgoingConnections(Filter& filter) {
  for (const uint64_t family : {AF_INET, AF_INET6})
    filter.AllowIf(SCMP_SYS(socket), {Equals(0, family), Masked(1, 15, SOCK_STREAM)});
  filter.Allow({SCMP_SYS(connect), SCMP_SYS(socketpair), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
                SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(select), SCMP_SYS(pselect6)});
  filter.AllowIf(SCMP_SYS(ioctl), {Equals(1, FIONBIO)});
  filter.AllowIf(SCMP_SYS(ioctl), {Equals(1, FIONREAD)});
}

}  // namespace

Status ApplySyscallProfile(SyscallProfile profile, bool connects) {
  Filter filter;
  if (!filter.valid()) return Fail(Error::Internal("libseccomp has no memory"));
  AllowBasics(filter);
  AllowSignalsToItself(filter);
  AllowThreads(filter);
  AllowDescriptorFlags(filter);
  AllowEventLoop(filter);
  AllowConnectedSockets(filter);
  const bool is_gate = profile == SyscallProfile::kGate;
  const bool is_witness = profile == SyscallProfile::kWitness || is_gate;
  const bool is_tunnel = profile == SyscallProfile::kTunnel;
  const bool is_relay = profile == SyscallProfile::kRelay || is_tunnel;
  if (profile == SyscallProfile::kEdge || is_witness) AllowAcceptedConnections(filter);
  if (profile != SyscallProfile::kEdge && !is_witness && !is_relay) AllowOwnMemoryFiles(filter);
  if (profile == SyscallProfile::kCustodian || is_witness || is_tunnel) AllowFiles(filter);
  if (is_gate) AllowSocketPairs(filter);
  if (is_relay) AllowReadingFiles(filter);
  if (is_relay) AllowLookingNamesUp(filter);
  if (is_relay) AllowAcceptedConnections(filter);
  if (is_relay || (connects && profile == SyscallProfile::kCustodian)) AllowOutgoingConnections(filter);
  if (profile == SyscallProfile::kCustodian) AllowMakingPipes(filter);
  if (profile == SyscallProfile::kCustodian) AllowClosingSockets(filter);
  if (profile == SyscallProfile::kEdge) AllowMovingBytes(filter);
  return filter.Load();
}

}  // namespace glasscase::process
