// A small epoll loop with timers for the processes that have few descriptors: supervisor, custodian and the
// host's control thread. (The edges use Asio.) One thread; Stop and Post may come from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <glasscase/process/fd.h>

namespace glasscase::process {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using IoCallback = std::function<void(uint32_t epoll_events)>;

  EventLoop();
  ~EventLoop();

  // Level-triggered. The callback stays until Remove; removing inside a callback is allowed.
  void Add(int fd, uint32_t epoll_events, IoCallback callback);
  void Modify(int fd, uint32_t epoll_events);
  void Remove(int fd);

  using TimerId = uint64_t;
  TimerId After(int64_t delay_ms, Callback callback);   // once
  TimerId Every(int64_t period_ms, Callback callback);  // until cancelled
  void Cancel(TimerId id);

  void Post(Callback callback);  // any thread; runs on the loop's thread
  void Run();                    // until Stop; a Stop that came before ends it at once
  void Stop();                   // any thread, and signal handlers

 private:
  struct Timer {
    TimerId id;
    int64_t period_ms;
    Callback callback;
  };
  struct Watch {
    uint32_t serial;  // tells an event for this descriptor from one for an earlier descriptor of that number
    std::shared_ptr<IoCallback> callback;
  };
  void RunTimers();
  void RunPosted();
  void RunIo(uint64_t key, uint32_t epoll_events);
  int WaitMillis() const;
  void Wake();

  Fd epoll_;
  Fd wake_;  // eventfd
  std::unordered_map<int, Watch> watches_;
  uint32_t next_serial_ = 1;
  std::multimap<int64_t, Timer> timers_;  // by due time in monotonic nanoseconds
  TimerId next_timer_ = 1;
  TimerId running_timer_ = 0;  // the periodic timer whose callback runs; 0 when it was cancelled by it
  std::atomic<bool> stopped_ = false;
  std::mutex posted_mutex_;  // guards posted_
  std::vector<Callback> posted_;
};

}  // namespace glasscase::process
