#include <glasscase/process/event_loop.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  void Put(char c) const { EXPECT_EQ(write(in.get(), &c, 1), 1); }
  char Take() const {
    char c = 0;
    return read(out.get(), &c, 1) == 1 ? c : '\0';
  }
  Fd out;
  Fd in;
};

TEST(EventLoopTest, ReadableDescriptorRunsItsCallbackUntilRemoved) {
  EventLoop loop;
  const Pipe pipe;
  std::string seen;
  loop.Add(pipe.out.get(), EPOLLIN, [&](uint32_t events) {
    EXPECT_TRUE((events & EPOLLIN) != 0);
    seen += pipe.Take();
    if (seen.size() == 3) {
      loop.Remove(pipe.out.get());
      loop.After(5, [&] { loop.Stop(); });
    }
  });
  for (const char c : {'a', 'b', 'c', 'd'}) pipe.Put(c);
  loop.Run();
  EXPECT_EQ(seen, "abc");
}

TEST(EventLoopTest, EventForARemovedDescriptorDoesNotReachItsSuccessor) {
  EventLoop loop;
  const Pipe first;
  const Pipe second;
  const Pipe quiet;
  int calls_of_successor = 0;
  int rounds = 0;
  const auto replace_other = [&](int own, int other) {
    return [&loop, &calls_of_successor, &rounds, &quiet, own, other](uint32_t) {
      ++rounds;
      loop.Remove(own);
      loop.Remove(other);
      dup2(quiet.out.get(), other);  // the same number, another pipe
      loop.Add(other, EPOLLIN, [&calls_of_successor](uint32_t) { ++calls_of_successor; });
      loop.After(5, [&loop] { loop.Stop(); });
    };
  };
  loop.Add(first.out.get(), EPOLLIN, replace_other(first.out.get(), second.out.get()));
  loop.Add(second.out.get(), EPOLLIN, replace_other(second.out.get(), first.out.get()));
  first.Put('x');
  second.Put('x');
  loop.Run();
  EXPECT_EQ(rounds, 1);
  EXPECT_EQ(calls_of_successor, 0);
}

TEST(EventLoopTest, TimersRunInOrderAndOnce) {
  EventLoop loop;
  std::string order;
  loop.After(30, [&] { loop.Stop(); });
  loop.After(10, [&] { order += 'b'; });
  loop.After(1, [&] { order += 'a'; });
  const EventLoop::TimerId cancelled = loop.After(5, [&] { order += 'x'; });
  loop.Cancel(cancelled);
  loop.Run();
  EXPECT_EQ(order, "ab");
}

TEST(EventLoopTest, PeriodicTimerRunsUntilCancelledAlsoByItself) {
  EventLoop loop;
  int runs = 0;
  EventLoop::TimerId id = 0;
  id = loop.Every(2, [&] {
    if (++runs == 3) {
      loop.Cancel(id);
      loop.After(20, [&] { loop.Stop(); });
    }
  });
  loop.Run();
  EXPECT_EQ(runs, 3);
}

TEST(EventLoopTest, PostFromAnotherThreadRunsOnTheLoopsThread) {
  EventLoop loop;
  std::thread::id ran_on;
  std::thread other([&] {
    loop.Post([&] {
      ran_on = std::this_thread::get_id();
      loop.Stop();
    });
  });
  loop.Run();
  other.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(EventLoopTest, StopBeforeRunEndsItAtOnce) {
  EventLoop loop;
  loop.Stop();
  loop.Run();
}

}  // namespace
}  // namespace glasscase::process
