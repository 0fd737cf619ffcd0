// What every executor promises. Instantiate with the executor and the user that jobs of it run as:
//
//   INSTANTIATE_TEST_SUITE_P(Bubblewrap, ExecutorContract, ::testing::Values(ExecutorCase{...}));
//
// The environment has /bin/sh and /usr/bin/python3.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <glasscase/core/ids.h>
#include <glasscase/jobs/executor.h>
#include <glasscase/process/fd.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs::testing {

// Where the jobs of these tests lease their processors: the suites beside them do not take theirs.
inline const std::string& OwnLeases() {
  static const struct Folder {
    const std::string path =
        std::filesystem::temp_directory_path() / ("gc-processors-" + Uuid::Random().ToString());
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } folder;
  return folder.path;
}

// A terminal of ours, which jobs of that user may open as a device: in the folder /dev/pts of this machine.
class Terminal {
 public:
  explicit Terminal(std::optional<uid_t> user) : ours_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    char name[64] = {};
    EXPECT_TRUE(::grantpt(ours_.get()) == 0 && ::unlockpt(ours_.get()) == 0 &&
                ::ptsname_r(ours_.get(), name, sizeof name) == 0);
    if (user) {
      EXPECT_EQ(::chown(name, *user, *user), 0);
    }
    path_ = name;
  }
  const std::string& path() const { return path_; }
  // What was written to it.
  std::string Read() const {
    char text[64] = {};
    ::fcntl(ours_.get(), F_SETFL, O_NONBLOCK);
    const ssize_t got = ::read(ours_.get(), text, sizeof text);
    return {text, got > 0 ? static_cast<size_t>(got) : 0};
  }

 private:
  Fd ours_;
  std::string path_;
};

struct ExecutorCase {
  std::function<std::unique_ptr<Executor>()> make;
  std::optional<uid_t> user;  // to whom out/ of a job has to belong
  // The environment, for those that take one; made when it is asked for.
  std::function<std::string()> image = [] { return std::string(); };
  int start_ms = 0;       // that it may take until a job begins, where somebody else decides
  int times_as_long = 1;  // that a job may take, where the processor is emulated
};

class Recorder final : public JobWatcher {
 public:
  std::string log;
  int cancel = -1;
  std::function<void()> on_log = [] {};

  void OnLog(std::string_view bytes) override {
    log += bytes;
    on_log();
  }
  int cancel_fd() const override { return cancel; }
};

class ExecutorContract : public ::testing::TestWithParam<ExecutorCase> {
 public:
  ~ExecutorContract() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  ExecutorContract() : executor_(GetParam().make()) {
    limits_.wall_ms *= GetParam().times_as_long;
    std::filesystem::create_directories(folder_ / "in" / "data");
    std::filesystem::create_directories(folder_ / "out");
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    const auto user = GetParam().user;
    if (user && ::chown((folder_ / "out").c_str(), *user, *user) != 0)
      ADD_FAILURE() << "cannot give out/ away";
    std::ofstream(folder_ / "in" / "data" / "numbers") << "1 2 3\n";
  }

  Job Shell(const std::string& script) { return Command({"/bin/sh", "-c", script}); }
  Job Python(const std::string& program) { return Command({"/usr/bin/python3", "-c", program}); }
  Job Command(std::vector<std::string> words) {
    return {.folder = folder_, .image = GetParam().image(), .command = std::move(words), .limits = limits_};
  }
  JobEnd Run(const Job& job) { return executor_->Run(job, recorder_); }
  std::string Result(const std::string& name) {
    std::ifstream file(folder_ / "out" / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // What a job prints when all goes well.
  std::string Says(const Job& job) {
    recorder_.log.clear();
    const JobEnd end = Run(job);
    EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason << "\n" << recorder_.log;
    return recorder_.log;
  }
  // Processes of anybody whose command line has these words.
  static int CountProcesses(const std::string& words) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      const std::string line{std::istreambuf_iterator<char>(file), {}};
      count += line.find(words) != std::string::npos ? 1 : 0;
    }
    return count;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("gc-job-" + Uuid::Random().ToString());
  Limits limits_{.processes = 64,
                 .memory_bytes = uint64_t{256} << 20,
                 .disk_bytes = uint64_t{32} << 20,
                 .temporary_bytes = uint64_t{16} << 20,
                 .files = 500,
                 .log_bytes = 100'000,
                 .wall_ms = 30'000,
                 .grace_ms = 300};
  std::unique_ptr<Executor> executor_;
  Recorder recorder_;
};

TEST_P(ExecutorContract, IsThere) {
  const Status there = executor_->Check();
  EXPECT_TRUE(there) << there.error().message();
}

TEST_P(ExecutorContract, AProgramReadsItsInputsAndLeavesResults) {
  const JobEnd end =
      Run(Shell("cat /in/data/numbers; echo to stderr >&2; cp /in/data/numbers model; echo done"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(end.reason, "");
  EXPECT_EQ(recorder_.log, "1 2 3\nto stderr\ndone\n");
  EXPECT_EQ(Result("model"), "1 2 3\n");
  EXPECT_EQ(end.usage.log_bytes, recorder_.log.size());
  EXPECT_GT(end.usage.wall_ms, 0);
}

// Whoever reads the record of a run sees what it was held to, and by whom.
TEST_P(ExecutorContract, WhatHeldItIsSaidWithItsValuesAndWhatDidNot) {
  using ::testing::AllOf;
  using ::testing::Contains;
  using ::testing::HasSubstr;
  using ::testing::StartsWith;
  const JobEnd end = Run(Shell("true"));
  EXPECT_THAT(end.in_force, Contains(AllOf(StartsWith("memory: "), HasSubstr("268435456 bytes"))));
  EXPECT_THAT(end.in_force, Contains(AllOf(StartsWith("disk: "), HasSubstr("33554432 bytes"))));
  EXPECT_THAT(end.in_force,
              Contains(AllOf(StartsWith("time: "), HasSubstr(std::to_string(limits_.wall_ms) + " ms"))));
  EXPECT_THAT(end.in_force, Contains(StartsWith("processors: 1")));
  EXPECT_THAT(end.in_force, Contains(AllOf(StartsWith("/tmp and /dev/shm: "), HasSubstr("16777216 bytes"))));
  const auto processes = Contains(StartsWith("processes and threads: "));
  EXPECT_THAT(end.in_force,
              ::testing::AnyOf(Contains("processes and threads: 64"),
                               Contains("processes and threads: 64, of all together by its cgroup"),
                               ::testing::Not(processes)));
  if (!::testing::Value(end.in_force, processes)) {
    EXPECT_THAT(end.missing, processes);
  }
  const auto is_held = Contains(
      AllOf(StartsWith("memory: "), ::testing::AnyOf(HasSubstr("by its cgroup"), HasSubstr("by the node"))));
  const auto is_missing = Contains(
      "memory, processes, processors of the whole job by the kernel: no cgroup is delegated to Glasscase");
  EXPECT_NE(::testing::Value(end.in_force, is_held), ::testing::Value(end.missing, is_missing))
      << ::testing::PrintToString(end.missing);
}

TEST_P(ExecutorContract, WhatItUsedIsMeasured) {
  const JobEnd end = Run(Python(R"(
import time
open('/out/model', 'wb').write(bytes(5_000_000))
while time.process_time() < 0.3: pass
)"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_GE(end.usage.disk_bytes, 5'000'000u);
  EXPECT_LT(end.usage.disk_bytes, 6'000'000u);
  if (::testing::Value(end.missing,
                       ::testing::Contains("processor time and memory that it used: not measured")))
    return;
  EXPECT_GE(end.usage.cpu_ms, 200);
  EXPECT_LT(end.usage.cpu_ms, 3'000 * GetParam().times_as_long);
  EXPECT_GT(end.usage.memory_peak_bytes, 1'000'000u);
}

TEST_P(ExecutorContract, AFailureSaysHow) {
  JobEnd end = Run(Shell("echo no such column; exit 7"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_THAT(end.reason, ::testing::HasSubstr("exit code 7"));
  EXPECT_THAT(end.reason, ::testing::HasSubstr("no such column"));
  end = Run(Shell("kill -SEGV $$"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_EQ(end.signal, SIGSEGV);
}

TEST_P(ExecutorContract, AProgramThatIsNotThereIsSaid) {
  const JobEnd end = Run(Command({"/usr/bin/no-such-trainer"}));
  EXPECT_NE(end.ending, Ending::kSucceeded);
  EXPECT_THAT(end.reason, ::testing::HasSubstr("no-such-trainer"));
}

TEST_P(ExecutorContract, ASandboxThatCannotBeMadeIsNotTheProgramsFault) {
  Job job = Shell("true");
  job.mounts = {{.from = folder_ / "not-there", .to = "/environment"}};
  const JobEnd end = Run(job);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, ::testing::HasSubstr("not-there"));
}

TEST_P(ExecutorContract, TheEnvironmentIsWhatItWasGiven) {
  ::setenv("GLASSCASE_SECRET_OF_THE_WORKER", "x", 1);
  const int inherited = ::open("/etc/passwd", O_RDONLY);  // without O_CLOEXEC
  Job job = Shell("env | sort; umask; ls /proc/self/fd | tr '\\n' ' '; pwd; hostname");
  job.environment = {{"SEED", "42"}, {"PATH", "/usr/bin"}};
  job.umask = 027;
  EXPECT_EQ(Says(job), "PATH=/usr/bin\nPWD=/out\nSEED=42\n0027\n0 1 2 3 /out\njob\n")
      << "3: what ls itself opens";
  ::close(inherited);
}

TEST_P(ExecutorContract, TheMachineIsNotSeen) {
  std::ofstream(folder_ / "secret") << "x";
  Job job = Python(R"(
import os
print(os.getpid() < 10, os.getuid() != 0, len([p for p in os.listdir('/proc') if p.isdigit()]) < 8)
print(sorted(os.listdir('/')))
for path in [')" + (folder_ / "secret").string() +
                   R"(', '/root', '/home', '/etc/passwd', '/etc/shadow', '/var', '/sys/kernel']:
    print(os.path.exists(path), end=' ')
)");
  EXPECT_EQ(Says(job),
            "True True True\n"
            "['bin', 'dev', 'etc', 'in', 'lib', 'lib64', 'out', 'proc', 'sbin', 'tmp', 'usr']\n"
            "False False False False False False False ");
}

TEST_P(ExecutorContract, OnlyResultsAndTemporaryFilesAreWritten) {
  const std::string said =
      Says(Shell("for f in /in/x /in/data/numbers /usr/x /x /etc/x /dev/x /proc/sys/kernel/hostname; do "
                 "(echo x > $f) 2>/dev/null && echo $f; done;"
                 "for f in /out/x /tmp/x /dev/shm/x /dev/null; do (echo x > $f) && echo $f; done"));
  EXPECT_EQ(said, "/out/x\n/tmp/x\n/dev/shm/x\n/dev/null\n");
}

TEST_P(ExecutorContract, ThereIsNoNetwork) {
  const std::string said = Says(Python(R"(
import socket, errno
def attempt(what):
    try:
        what()
        print('yes')
    except OSError as error:
        print(errno.errorcode[error.errno])
attempt(lambda: socket.create_connection(('127.0.0.1', 22), 1))
attempt(lambda: socket.create_connection(('192.0.2.1', 80), 1))
attempt(lambda: socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket'))
attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt(lambda: socket.socket(40, socket.SOCK_STREAM))
print([line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line])
)"));
  EXPECT_EQ(said, "ECONNREFUSED\nENETUNREACH\nENOENT\nEPERM\nEPERM\n['lo']\n");
}

TEST_P(ExecutorContract, WhatLeadsOutIsRefused) {
  const std::string said = Says(Python(R"(
import ctypes, os, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, result):
    print(name, 'yes' if result >= 0 else errno.errorcode[ctypes.get_errno()])
attempt('unshare', libc.unshare(0x10000000))
attempt('mount', libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))
attempt('ptrace', libc.ptrace(16, 1, 0, 0))
attempt('keyctl', libc.syscall(250, 0, -3, 0))
attempt('bpf', libc.syscall(321, 0, 0, 0))
attempt('chroot', libc.chroot(b'/tmp'))
print('root', libc.setuid(0) == 0)
print(open('/proc/self/status').read().split('CapEff:')[1].split()[0], open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])
)"));
  EXPECT_EQ(said,
            "unshare EPERM\nmount EPERM\nptrace EPERM\nkeyctl EPERM\nbpf EPERM\nchroot EPERM\nroot False\n"
            "0000000000000000 1\n");
}

TEST_P(ExecutorContract, MemoryOfAllTogetherIsLimited) {
  const JobEnd end = Run(Python(R"(
import os, time
for _ in range(6):
    if os.fork() == 0:
        kept = bytearray(60 << 20)
        for i in range(0, len(kept), 4096): kept[i] = 1
        time.sleep(20)
time.sleep(20)
)"));
  EXPECT_EQ(end.ending, Ending::kOverMemory) << end.reason;
  EXPECT_THAT(end.reason, ::testing::HasSubstr("256 MiB"));
  EXPECT_LT(end.usage.wall_ms, 10'000);
}

TEST_P(ExecutorContract, MemoryThatIsSharedCountsOnce) {
  const JobEnd end = Run(Python(R"(
import os, time
kept = bytearray(100 << 20)
for i in range(0, len(kept), 4096): kept[i] = 1
for _ in range(4):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
time.sleep(1)
)"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_GT(end.usage.memory_peak_bytes, uint64_t{100} << 20);
}

TEST_P(ExecutorContract, OneProcessGetsNoMoreMemoryThanTheKernelAllows) {
  const JobEnd end = Run(Python("x = bytearray(2 << 30)"));
  EXPECT_NE(end.ending, Ending::kSucceeded);
  EXPECT_LT(end.usage.memory_peak_bytes, uint64_t{400} << 20);
}

TEST_P(ExecutorContract, ResultsAreLimitedInBytes) {
  for (const char* script :
       {"dd if=/dev/zero of=/out/one bs=1M count=100 2>/dev/null; sleep 20",
        "for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/out/$i bs=1M count=20 2>/dev/null; done; sleep 20",
        "mkdir /out/d; chmod 300 /out/d; for i in 1 2 3 4; do dd if=/dev/zero of=/out/d/$i bs=1M count=20 "
        "2>/dev/null; done; sleep 20",
        "for i in 3 4 5 6; do eval \"exec $i>/out/gone; rm /out/gone; dd if=/dev/zero bs=1M count=20 >&$i "
        "2>/dev/null\"; done; sleep 20"}) {
    const JobEnd end = Run(Shell(script));
    if (end.ending == Ending::kFailed) continue;  // the kernel was faster: the file was too large
    EXPECT_EQ(end.ending, Ending::kOverDisk) << script << "\n" << end.reason << recorder_.log;
    EXPECT_LT(end.usage.wall_ms, 10'000) << script;
  }
}

// No look at the job's descriptors sees these.
TEST_P(ExecutorContract, ResultsThatAreKeptWithoutANameAndWithoutADescriptorEndIt) {
  const JobEnd end = Run(Python(R"(
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
for _ in range(100):
    file = os.open('/out/hidden', os.O_CREAT | os.O_RDWR)
    os.unlink('/out/hidden')
    os.posix_fallocate(file, 0, 1 << 20)
    if libc.mmap(0, 4096, 1, 1, file, 0) == 2**64 - 1: raise OSError(ctypes.get_errno())
    os.close(file)
time.sleep(20)
)"));
  EXPECT_EQ(end.ending, Ending::kOverDisk) << end.reason << recorder_.log;
  EXPECT_THAT(end.reason, ::testing::HasSubstr("it removed /out/hidden and keeps it mapped"));
  EXPECT_LT(end.usage.wall_ms, 5'000 * GetParam().times_as_long);
}

TEST_P(ExecutorContract, FilesThatAreMappedAndHaveANameOrADescriptorOrAreTemporaryEndNothing) {
  const JobEnd end = Run(Python(R"(
import mmap, os, time
kept = []
for folder in ('/out', '/tmp', '/dev/shm'):
    with open(folder + '/one', 'w+b') as file:
        file.truncate(1 << 20)
        kept.append(mmap.mmap(file.fileno(), 0))
    os.link(folder + '/one', folder + '/two')
    os.unlink(folder + '/one')
    with open(folder + '/three', 'w+b') as file:
        file.truncate(1 << 20)
        kept.append(mmap.mmap(file.fileno(), 0))  # which has a descriptor of its own
    os.unlink(folder + '/three')
time.sleep(1)
)"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason << recorder_.log;
}

// What /proc shows of a process is empty when its first thread has ended.
TEST_P(ExecutorContract, AProcessWhoseFirstThreadHasEndedIsHeldToItsLimits) {
  const std::string first_ends = R"(
import ctypes, os, threading, time
def go_on():
    time.sleep(0.3)
    kept = []
    for n in range(6):
        ACT
    time.sleep(20)
    os._exit(0)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall(60, 0)
)";
  const auto with = [&](const std::string& act) {
    return std::string(first_ends).replace(first_ends.find("ACT"), 3, act);
  };
  JobEnd end = Run(Python(with("os.fork() or (kept.append(b'x' * (60 << 20)), time.sleep(20))")));
  EXPECT_EQ(end.ending, Ending::kOverMemory) << end.reason;
  EXPECT_LT(end.usage.wall_ms, 10'000 * GetParam().times_as_long);
  end =
      Run(Python(with("file = os.open('/out/x', os.O_CREAT | os.O_RDWR); os.unlink('/out/x'); "
                      "os.posix_fallocate(file, 0, 8 << 20)")));
  EXPECT_EQ(end.ending, Ending::kOverDisk) << end.reason;
  EXPECT_LT(end.usage.wall_ms, 10'000 * GetParam().times_as_long);
}

// Each of its processes has tens of thousands of mappings; together they have less than the limit, which only
// a look at each of them tells.
TEST_P(ExecutorContract, ItsTimeEndsAJobThatIsLongToLookAt) {
  limits_.wall_ms = 4'000 * GetParam().times_as_long;
  const std::string mappings = std::to_string(60'000 / GetParam().times_as_long);
  const JobEnd end = Run(Python("MAPPINGS = " + mappings + R"(
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
try:
    os.posix_fallocate(os.memfd_create('one'), 0, 4096)
except OSError:
    pass
at = libc.mmap(0, MAPPINGS * 4096, 0, 0x22, -1, 0)
for n in range(0, MAPPINGS, 2): libc.mprotect(at + n * 4096, 4096, 1)
kept = b'x' * (100 << 20)
for _ in range(10):
    if os.fork() == 0: break
print('all', flush=True)
time.sleep(60)
)"));
  EXPECT_THAT(recorder_.log, ::testing::HasSubstr("all\n"));
  EXPECT_EQ(end.ending, Ending::kTimedOut) << end.reason;
  EXPECT_LT(end.usage.wall_ms, limits_.wall_ms + 5'000 * GetParam().times_as_long)
      << "of which the kernel needs some to end it";
}

TEST_P(ExecutorContract, WhatCannotBeCountedIsRefused) {
  const std::string said = Says(Python(R"(
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, *call):
    print(name, 'yes' if libc.syscall(*call) >= 0 else errno.errorcode[ctypes.get_errno()])
attempt('file in memory', 319, b'x', 0)
attempt('secret file in memory', 447, 0)
attempt('shared memory', 29, 0, 1 << 20, 0o1600)
attempt('semaphores', 64, 0, 32000, 0o1600)
attempt('messages', 68, 0, 0o1600)
attempt('descriptors of its own', 436, 3, 3, 2)
attempt('a thread with descriptors of its own', 56, 0x10900, 0, 0, 0, 0)
attempt('hidden descriptors', 157, 4, 0)
)"));
  EXPECT_EQ(said,
            "file in memory ENOSYS\nsecret file in memory ENOSYS\nshared memory EPERM\nsemaphores EPERM\n"
            "messages EPERM\ndescriptors of its own EPERM\na thread with descriptors of its own EPERM\n"
            "hidden descriptors EPERM\n");
}

TEST_P(ExecutorContract, ResultsAreLimitedInNumber) {
  const JobEnd end = Run(Python("import os\nfor i in range(100000): open('/out/%d' % i, 'w').close()"));
  EXPECT_EQ(end.ending, Ending::kOverDisk) << end.reason;
  EXPECT_THAT(end.reason, ::testing::HasSubstr("500 files"));
}

TEST_P(ExecutorContract, TemporaryFilesAreLimited) {
  const std::string said =
      Says(Shell("for d in /tmp /dev/shm; do dd if=/dev/zero of=$d/x bs=1M count=64 2>/dev/null; stat -c %s "
                 "$d/x; done"));
  EXPECT_EQ(said, "16777216\n16777216\n");
}

TEST_P(ExecutorContract, AForkBombRunsIntoItsLimit) {
  const JobEnd end = Run(Python(R"(
import os, time
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print('made fewer than 100:', made < 100)
)"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(recorder_.log, "made fewer than 100: True\n");
}

TEST_P(ExecutorContract, TimeIsLimitedForThoseToWhomSigtermMeansNothing) {
  limits_.wall_ms = 400 * GetParam().times_as_long;  // the program has to set its trap first
  JobEnd end = Run(Shell("trap 'echo told; exit 0' TERM; while true; do sleep 0.05; done"));
  EXPECT_EQ(end.ending, Ending::kTimedOut) << end.reason;
  EXPECT_THAT(recorder_.log, ::testing::HasSubstr("told\n"));
  EXPECT_THAT(end.reason, ::testing::HasSubstr("longer than"));
  const std::string mark = "87654.25";
  end = Run(Shell("trap '' TERM; sleep " + mark + " & while true; do sleep 0.05; done"));
  EXPECT_EQ(end.ending, Ending::kTimedOut);
  EXPECT_LT(end.usage.wall_ms, 5'000 * GetParam().times_as_long);
  EXPECT_EQ(CountProcesses(mark), 0);
}

TEST_P(ExecutorContract, ACancelledJobIsGone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd read(ends[0]);
  Fd write(ends[1]);
  recorder_.cancel = read.get();
  recorder_.on_log = [&] { EXPECT_EQ(::write(write.get(), "x", 1), 1); };
  const JobEnd end = Run(Shell("echo begun; sleep 76543.25"));
  EXPECT_EQ(end.ending, Ending::kCancelled) << end.reason;
  EXPECT_LT(end.usage.wall_ms, 5'000);
  EXPECT_EQ(CountProcesses("76543.25"), 0);
}

TEST_P(ExecutorContract, NothingOutlivesAJob) {
  const JobEnd end = Run(Shell("setsid sleep 65432.25 >/dev/null 2>&1 & echo left"));
  EXPECT_EQ(end.ending, Ending::kSucceeded);
  EXPECT_EQ(CountProcesses("65432.25"), 0);
}

TEST_P(ExecutorContract, AFloodOfOutputIsCountedAndDropped) {
  const JobEnd end = Run(Shell("head -c 300000000 /dev/zero"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(recorder_.log.size(), limits_.log_bytes);
  EXPECT_EQ(end.usage.log_bytes, 300'000'000u);
}

TEST_P(ExecutorContract, JobsRunBesideEachOther) {
  Recorder others[3];
  std::vector<std::thread> threads;
  const auto begun = std::chrono::steady_clock::now();
  for (Recorder& other : others)
    threads.emplace_back([&] { executor_->Run(Shell("sleep 1; echo ended"), other); });
  for (std::thread& thread : threads) thread.join();
  for (const Recorder& other : others) EXPECT_EQ(other.log, "ended\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(2'800 + GetParam().start_ms));
}

TEST_P(ExecutorContract, JobsDoNotShareAProcessorWhileAnotherIsFree) {
  const std::string which =
      "while read name value; do case $name in Cpus_allowed_list:) echo $value;; esac; done"
      " </proc/self/status; sleep 2";
  Recorder jobs[2];
  std::vector<std::thread> threads;
  for (Recorder& one : jobs) threads.emplace_back([&] { executor_->Run(Shell(which), one); });
  for (std::thread& thread : threads) thread.join();
  ASSERT_FALSE(jobs[0].log.empty());
  cpu_set_t ours;
  ASSERT_EQ(::sched_getaffinity(0, sizeof ours, &ours), 0);
  EXPECT_EQ(jobs[0].log == jobs[1].log, CPU_COUNT(&ours) == 1) << jobs[0].log;
}

TEST_P(ExecutorContract, ProcessorsAreCounted) { EXPECT_EQ(Says(Shell("nproc")), "1\n"); }

}  // namespace glasscase::jobs::testing
