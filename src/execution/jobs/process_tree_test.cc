#include <glasscase/jobs/process_tree.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include <glasscase/process/fd.h>

namespace glasscase::jobs {
namespace {

TEST(ProcessTree, HasChildrenOfEveryThread) {
  pid_t child = 0;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  bool ended = false;
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
  EXPECT_GT(SharedOnce(tree, 0), 0u);
  ::kill(tree.back().pid, SIGKILL);
  ::kill(child, SIGKILL);
  ended = true;
  thread.join();
  ::waitpid(child, nullptr, 0);
  for (const int end : ready) ::close(end);
}

// A file in memory is nobody's resident memory until it is mapped, and then it is not counted twice.
TEST(ProcessTree, FilesInMemoryAreCountedOnce) {
  constexpr size_t kBytes = size_t{32} << 20;
  const std::vector<TreeMember> self = {{.pid = ::getpid()}};
  const uint64_t files = UnlinkedBytes(self, 0).in_memory;
  const uint64_t all = SharedOnce(self, files);
  const Fd file(::memfd_create("eaten", MFD_CLOEXEC));
  const Fd again(::dup(file.get()));
  ASSERT_EQ(::posix_fallocate(file.get(), 0, kBytes), 0);
  EXPECT_EQ(UnlinkedBytes(self, 0).in_memory, files + kBytes);
  EXPECT_EQ(UnlinkedBytes(self, 0).on_disk, 0u);
  EXPECT_NEAR(static_cast<double>(SharedOnce(self, files + kBytes)), static_cast<double>(all + kBytes), 4e6);
  void* const mapped =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_NEAR(static_cast<double>(SharedOnce(self, files + kBytes)), static_cast<double>(all + kBytes), 4e6);
  // Other shared memory is no part of them.
  void* const other =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(other, MAP_FAILED);
  EXPECT_NEAR(static_cast<double>(SharedOnce(self, files + kBytes)), static_cast<double>(all + 2 * kBytes),
              4e6);
  ::munmap(other, kBytes);
  ::munmap(mapped, kBytes);
}

TEST(ProcessTree, OfNobodyIsEmpty) { EXPECT_TRUE(ProcessTree(0x3fffff).empty()); }

}  // namespace
}  // namespace glasscase::jobs
