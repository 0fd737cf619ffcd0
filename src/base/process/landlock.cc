#include "landlock.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include <glasscase/process/fd.h>

namespace glasscase::process {
namespace {

// <linux/landlock.h> of Debian 12 knows version 2 only; the numbers below are the kernel's.
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;  // version 4
  uint64_t scoped;              // version 6
};

struct __attribute__((packed)) PathBeneathAttributes {
  uint64_t allowed_access;
  int32_t parent_fd;
};

struct NetPortAttributes {
  uint64_t allowed_access;
  uint64_t port;
};

constexpr uint32_t kQueryVersion = 1;
constexpr int kRulePathBeneath = 1;
constexpr int kRuleNetPort = 2;

constexpr uint64_t kWriteFile = 1 << 1;
constexpr uint64_t kReadFile = 1 << 2;
constexpr uint64_t kReadDirectory = 1 << 3;
constexpr uint64_t kRemoveDirectory = 1 << 4;
constexpr uint64_t kRemoveFile = 1 << 5;
constexpr uint64_t kMakeDirectory = 1 << 7;
constexpr uint64_t kMakeRegular = 1 << 8;
constexpr uint64_t kAllOfVersion1 = (1 << 13) - 1;
constexpr uint64_t kRefer = 1 << 13;        // version 2: rename and link between folders
constexpr uint64_t kTruncate = 1 << 14;     // version 3
constexpr uint64_t kIoctlDevice = 1 << 15;  // version 5

constexpr uint64_t kBindTcp = 1 << 0;
constexpr uint64_t kConnectTcp = 1 << 1;

constexpr uint64_t kScopeAbstractSockets = 1 << 0;
constexpr uint64_t kScopeSignals = 1 << 1;

uint64_t HandledFileAccess(int version) {
  uint64_t access = kAllOfVersion1;
  if (version >= 2) access |= kRefer;
  if (version >= 3) access |= kTruncate;
  if (version >= 5) access |= kIoctlDevice;
  return access;
}

size_t AttributeBytes(int version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

Status AllowBelowWorkingDirectory(int ruleset, uint64_t handled) {
  const uint64_t wanted = kWriteFile | kReadFile | kReadDirectory | kRemoveDirectory | kRemoveFile |
                          kMakeDirectory | kMakeRegular | kRefer | kTruncate;
  const Fd root(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Fail(Error::FromErrno(errno, "open the working directory"));
  const PathBeneathAttributes rule{wanted & handled, root.get()};
  if (syscall(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) != 0) {
    return Fail(Error::FromErrno(errno, "landlock_add_rule"));
  }
  return Ok();
}

// Where glibc keeps what it looks names up with: its configuration, its own modules, and what these read.
constexpr const char* kSystemConfiguration[] = {"/etc",     "/lib",       "/lib64",
                                                "/usr/lib", "/usr/lib64", "/run/systemd/resolve"};

Status AllowReadingSystemConfiguration(int ruleset) {
  for (const char* folder : kSystemConfiguration) {
    const Fd opened(open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opened.valid()) continue;  // not every system has all of them
    const PathBeneathAttributes rule{kReadFile | kReadDirectory, opened.get()};
    if (syscall(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) != 0)
      return Fail(Error::FromErrno(errno, "landlock_add_rule"));
  }
  return Ok();
}

Status AllowConnecting(int ruleset, const std::vector<uint16_t>& ports) {
  for (const uint16_t port : ports) {
    const NetPortAttributes rule{kConnectTcp, port};
    if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &rule, 0) != 0)
      return Fail(Error::FromErrno(errno, "landlock_add_rule"));
  }
  return Ok();
}

}  // namespace

int LandlockVersion() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kQueryVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<Fd> MakeLandlockRuleset(const LandlockRules& rules) {
  const int version = LandlockVersion();
  if (version == 0) return Fail(Error::Unimplemented("not offered by this kernel"));
  RulesetAttributes attributes{HandledFileAccess(version), 0, 0};
  if (version >= 4) attributes.handled_access_net = rules.network ? kBindTcp : kBindTcp | kConnectTcp;
  if (version >= 6) attributes.scoped = kScopeAbstractSockets | kScopeSignals;
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, AttributeBytes(version), 0)));
  if (!ruleset.valid()) return Fail(Error::FromErrno(errno, "landlock_create_ruleset"));
  if (rules.files_below_working_directory)
    GC_TRY_VOID(AllowBelowWorkingDirectory(ruleset.get(), attributes.handled_access_fs));
  if (rules.system_configuration) GC_TRY_VOID(AllowReadingSystemConfiguration(ruleset.get()));
  if (version >= 4 && !rules.network) GC_TRY_VOID(AllowConnecting(ruleset.get(), rules.connect_ports));
  return ruleset;
}

}  // namespace glasscase::process
