#include "syscall_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

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
    // other processes, the machine's clock and name
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(settimeofday), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(personality)};

// Everything but these: virtual machines' sockets, the kernel's cryptography and packets pass by namespaces.
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6};

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW), seccomp_release) {}

  void Refuse(int call) { Note(seccomp_rule_add(context_.get(), kEperm, call, 0)); }
  void RefuseIf(int call, scmp_arg_cmp condition) {
    Note(seccomp_rule_add_array(context_.get(), kEperm, call, 1, &condition));
  }
  // As a kernel that does not have it, so that the C library takes the older call.
  void Hide(int call) { Note(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(ENOSYS), call, 0)); }

  Result<Fd> Write() {
    Fd file(::memfd_create("syscalls", MFD_CLOEXEC));
    if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot make a file in memory"));
    Note(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    Note(seccomp_export_bpf(context_.get(), file.get()));
    if (error_ != 0) return Fail(Error::FromErrno(error_, "cannot make the list of system calls"));
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
  }

 private:
  static constexpr uint32_t kEperm = SCMP_ACT_ERRNO(EPERM);
  void Note(int result) {
    if (result != 0 && error_ == 0) error_ = -result;
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
};

}  // namespace

Result<Fd> MakeSyscallFilter() {
  Filter filter;
  for (const int call : kRefused) filter.Refuse(call);
  // A new namespace by clone: one flag is enough to be refused. clone3 hides its flags behind a pointer.
  for (const unsigned long flag :
       {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP})
    filter.RefuseIf(SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, flag, flag});
  filter.Hide(SCMP_SYS(clone3));
  // What is pushed into a terminal is read by whoever has it afterwards.
  filter.RefuseIf(SCMP_SYS(ioctl), {1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI});
  for (int family = 0; family < AF_MAX; ++family) {
    bool is_allowed = false;
    for (const int allowed : kFamilies) is_allowed |= family == allowed;
    if (!is_allowed)
      filter.RefuseIf(SCMP_SYS(socket), {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0});
  }
  return filter.Write();
}

}  // namespace glasscase::jobs
