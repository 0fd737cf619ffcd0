#include <glasscase/jobs/process_tree.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

TEST(ProcessTree, HasChildrenOfEveryThread) {
  std::atomic<pid_t> child = 0;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  std::atomic<bool> ended = false;
  std::thread thread([&] {
    child = ::fork();
    if (child == 0) {
      if (::fork() == 0) (void)!::write(ready[1], "x", 1);
      ::pause();
    }
    while (!ended) ::usleep(1'000);  // children of a thread that has ended are the main thread's
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto tree = ProcessTree(::getpid());
  ASSERT_GE(tree.size(), 3u);
  EXPECT_EQ(tree[0].pid, ::getpid());
  EXPECT_GT(tree[0].memory_bytes, 0u);
  EXPECT_EQ(tree.back().depth, 2u);
  EXPECT_GT(TreeWatch().LookAtMemory(tree).bytes, 0u);
  ::kill(tree.back().pid, SIGKILL);
  ::kill(child, SIGKILL);
  ended = true;
  thread.join();
  ::waitpid(child, nullptr, 0);
  for (const int end : ready) ::close(end);
}

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

// A process that does something, says so and waits.
class Child {
 public:
  template <typename Act>
  explicit Child(const Act& act) {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("no pipe");
    const auto say = [&ready] { (void)!::write(ready[1], "x", 1); };
    pid_ = ::fork();
    if (pid_ == 0) {
      act(say);
      say();
      while (true) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    for (const int end : ready) ::close(end);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  std::vector<TreeMember> Tree() const { return ProcessTree(pid_); }

 private:
  pid_t pid_ = 0;
};

void FillMemory(size_t bytes) {
  void* const filled = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(filled, 'x', bytes);
}

void HoldFileWithoutAName(off_t bytes) {
  const int file = ::open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (::posix_fallocate(file, 0, bytes) != 0) ::_exit(1);
}

uint64_t DeviceOfTemporaryFiles() {
  struct stat facts {};
  EXPECT_EQ(::stat("/tmp", &facts), 0);
  return facts.st_dev;
}

TEST(ProcessTree, OfAProcessWhoseFirstThreadHasEndedIsSeenByAnother) {
  const Child child([](const auto& say) {
    std::thread([&say] {
      FillMemory(64 * kMebibyte);
      HoldFileWithoutAName(8 * kMebibyte);
      ::usleep(100'000);
      say();
      while (true) ::pause();
    }).detach();
    ::syscall(SYS_exit, 0);  // this thread alone
  });
  const auto tree = child.Tree();
  ASSERT_EQ(tree.size(), 1u);
  EXPECT_NE(tree[0].thread, child.pid()) << "it has not ended, so nothing was shown";
  EXPECT_GE(tree[0].memory_bytes, 64 * kMebibyte);
  TreeWatch watch;
  EXPECT_GE(watch.LookAtMemory(tree).bytes, 60 * kMebibyte);
  EXPECT_GE(watch.LookAtFiles(tree, DeviceOfTemporaryFiles()).bytes, 8 * kMebibyte);
}

TEST(ProcessTree, FilesWithoutANameCountOnceAndOnTheirDeviceOnly) {
  const Child child([](const auto&) {
    HoldFileWithoutAName(8 * kMebibyte);
    (void)::dup(3);
    if (::fork() == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  });
  const uint64_t device = DeviceOfTemporaryFiles();
  EXPECT_EQ(TreeWatch().LookAtFiles(child.Tree(), device).bytes >> 20, 8u);
  EXPECT_EQ(TreeWatch().LookAtFiles(child.Tree(), device + 1).bytes, 0u);
}

TEST(ProcessTree, AProgramThatRunsWithoutANameCounts) {
  std::string path = "/tmp/gc-program-XXXXXX";
  ::close(::mkstemp(path.data()));
  std::filesystem::copy_file("/bin/sleep", path, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::permissions(path, std::filesystem::perms(0700));
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(::execl(path.c_str(), path.c_str(), "60", nullptr));
  for (int i = 0; i < 500 && std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe") != path;
       ++i)
    ::usleep(10'000);
  ::unlink(path.c_str());
  EXPECT_GT(TreeWatch().LookAtFiles(ProcessTree(pid), DeviceOfTemporaryFiles()).bytes, 10'000u);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

// With no time at all each look is at one process.
TEST(ProcessTree, ThoseForWhichThereWasNoTimeAreFirstInTheNextLook) {
  const auto hold = [](const auto&) { HoldFileWithoutAName(8 * kMebibyte); };
  const Child one(hold), two(hold), three(hold);
  std::vector<TreeMember> members;
  for (const Child* child : {&one, &two, &three}) members.push_back(child->Tree().at(0));
  TreeWatch watch(std::chrono::milliseconds(0));
  for (const uint64_t count : {1, 2, 3, 3})
    EXPECT_EQ(watch.LookAtFiles(members, DeviceOfTemporaryFiles()).bytes, count * 8 * kMebibyte);
  members.pop_back();
  EXPECT_EQ(watch.LookAtFiles(members, DeviceOfTemporaryFiles()).bytes, 16 * kMebibyte);
}

TEST(ProcessTree, AProcessNeverLookedAtCountsWithAllThatItHas) {
  FillMemory(64 * kMebibyte);  // which the children share
  const auto nothing = [](const auto&) {};
  const Child one(nothing), two(nothing);
  std::vector<TreeMember> members;
  for (const Child* child : {&one, &two}) members.push_back(child->Tree().at(0));
  TreeWatch watch(std::chrono::milliseconds(0));
  const SharedMemory first = watch.LookAtMemory(members);
  EXPECT_FALSE(first.is_certain);
  const SharedMemory second = watch.LookAtMemory(members);
  EXPECT_LT(second.bytes, first.bytes);
  EXPECT_FALSE(second.is_certain);
  const SharedMemory all = TreeWatch().LookAtMemory(members);
  EXPECT_TRUE(all.is_certain);
  EXPECT_NEAR(static_cast<double>(all.bytes), static_cast<double>(second.bytes), 4e6);
}

TEST(ProcessTree, OfNobodyIsEmpty) { EXPECT_TRUE(ProcessTree(0x3fffff).empty()); }

}  // namespace
}  // namespace glasscase::jobs
