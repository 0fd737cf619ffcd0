#include <glasscase/jobs/process_tree.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include <gtest/gtest.h>

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
  EXPECT_GT(SharedOnce(tree), 0u);
  ::kill(tree.back().pid, SIGKILL);
  ::kill(child, SIGKILL);
  ended = true;
  thread.join();
  ::waitpid(child, nullptr, 0);
  for (const int end : ready) ::close(end);
}

TEST(ProcessTree, OfNobodyIsEmpty) { EXPECT_TRUE(ProcessTree(0x3fffff).empty()); }

}  // namespace
}  // namespace glasscase::jobs
