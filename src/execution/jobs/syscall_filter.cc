#include <glasscase/jobs/syscall_filter.h>

#include <linux/close_range.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include <boost/json.hpp>

namespace glasscase::jobs {
namespace {

constexpr int kRefused[] = {
    // the kernel itself
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(syslog),
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl),
    SCMP_SYS(lookup_dcookie), SCMP_SYS(vhangup), SCMP_SYS(nfsservctl), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    // keys of the user, which namespaces share
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    // namespaces and mounts
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    // memory that is there when no process has it
    SCMP_SYS(shmget), SCMP_SYS(msgget), SCMP_SYS(semget),
    // other processes, the machine's clock and name
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(settimeofday), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(personality)};

// Everything but these: virtual machines' sockets, the kernel's cryptography and packets pass by namespaces.
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6};

constexpr unsigned long kNamespaces[] = {CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
                                         CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};

struct Refusal {
  int call = 0;
  std::optional<scmp_arg_cmp> when{};  // always
  int error = EPERM;
};

// What a job holds is counted where no cgroup does it (process_tree.h), by what /proc shows of its processes.
void RefuseWhatIsNotCounted(std::vector<Refusal>& refusals) {
  // A file in memory is nobody's, however large, when it is mapped in part and closed. Whoever wants one
  // takes what kernels without them have: a file in /dev/shm or /tmp.
  for (const int call : {SCMP_SYS(memfd_create), SCMP_SYS(memfd_secret)})
    refusals.push_back({.call = call, .error = ENOSYS});
  // A thread with descriptors that the others of its process do not have.
  constexpr unsigned long kThread = CLONE_THREAD | CLONE_FILES;
  refusals.push_back(
      {.call = SCMP_SYS(clone), .when = scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kThread, CLONE_THREAD}});
  refusals.push_back({.call = SCMP_SYS(close_range),
                      .when = scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, CLOSE_RANGE_UNSHARE, CLOSE_RANGE_UNSHARE}});
  // A process whose descriptors are shown to root alone.
  refusals.push_back(
      {.call = SCMP_SYS(prctl), .when = scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_DUMPABLE}});
}

std::vector<Refusal> Refusals() {
  std::vector<Refusal> refusals;
  for (const int call : kRefused) refusals.push_back({.call = call});
  // A new namespace by clone: one flag is enough to be refused. clone3 hides its flags behind a pointer, so
  // it is as on a kernel that does not have it: the C library takes the older call.
  for (const unsigned long flag : kNamespaces)
    refusals.push_back({.call = SCMP_SYS(clone), .when = scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, flag, flag}});
  refusals.push_back({.call = SCMP_SYS(clone3), .error = ENOSYS});
  RefuseWhatIsNotCounted(refusals);
  // What is pushed into a terminal is read by whoever has it afterwards.
  refusals.push_back(
      {.call = SCMP_SYS(ioctl), .when = scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI}});
  for (int family = 0; family < AF_MAX; ++family) {
    bool is_allowed = false;
    for (const int allowed : kFamilies) is_allowed |= family == allowed;
    if (is_allowed) continue;
    refusals.push_back({.call = SCMP_SYS(socket),
                        .when = scmp_arg_cmp{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0}});
  }
  return refusals;
}

// Empty for a call that this processor's kernel does not have.
std::string NameOf(int call) {
  const std::unique_ptr<char, void (*)(void*)> name(
      seccomp_syscall_resolve_num_arch(seccomp_arch_native(), call), std::free);
  return name && call >= 0 ? name.get() : "";
}

boost::json::object AsRule(const Refusal& refusal) {
  boost::json::object rule = {{"names", boost::json::array{NameOf(refusal.call)}},
                              {"action", "SCMP_ACT_ERRNO"},
                              {"errnoRet", refusal.error}};
  if (refusal.when)
    rule["args"] = boost::json::array{
        boost::json::object{{"index", refusal.when->arg},
                            {"value", refusal.when->datum_a},
                            {"valueTwo", refusal.when->datum_b},
                            {"op", refusal.when->op == SCMP_CMP_EQ   ? "SCMP_CMP_EQ"
                                   : refusal.when->op == SCMP_CMP_NE ? "SCMP_CMP_NE"
                                                                     : "SCMP_CMP_MASKED_EQ"}}};
  return rule;
}

}  // namespace

Result<Fd> MakeSyscallFilter() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                seccomp_release);
  int error = 0;
  const auto note = [&](int result) {
    if (result != 0 && error == 0) error = -result;
  };
  for (const Refusal& refusal : Refusals())
    note(seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(static_cast<uint32_t>(refusal.error)),
                                refusal.call, refusal.when ? 1 : 0, refusal.when ? &*refusal.when : nullptr));
  Fd file(::memfd_create("syscalls", MFD_CLOEXEC));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot make a file in memory"));
  note(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  note(seccomp_export_bpf(filter.get(), file.get()));
  if (error != 0) return Fail(Error::FromErrno(error, "cannot make the list of system calls"));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string SyscallFilterForRuntime() {
  boost::json::array rules;
  for (Refusal refusal : Refusals()) {
    if (refusal.call == SCMP_SYS(unshare)) refusal.when = scmp_arg_cmp{0, SCMP_CMP_NE, CLONE_NEWUSER, 0};
    if (!NameOf(refusal.call).empty()) rules.push_back(AsRule(refusal));
  }
  return boost::json::serialize(
      boost::json::object{{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", std::move(rules)}});
}

}  // namespace glasscase::jobs
