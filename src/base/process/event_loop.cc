#include <glasscase/process/event_loop.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <utility>

#include <glasscase/core/error.h>

namespace glasscase::process {
namespace {

constexpr uint64_t kWakeKey = 0;  // serials start at 1, so no watch has it

int64_t MonotonicNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

uint64_t Key(int fd, uint32_t serial) {
  return static_cast<uint64_t>(serial) << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  GC_CHECK(epoll_.valid() && wake_.valid());
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeKey}};
  GC_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

EventLoop::~EventLoop() = default;

void EventLoop::Add(int fd, uint32_t epoll_events, IoCallback callback) {
  const uint32_t serial = next_serial_++;
  epoll_event event{.events = epoll_events, .data = {.u64 = Key(fd, serial)}};
  GC_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  watches_[fd] = {serial, std::make_shared<IoCallback>(std::move(callback))};
}

void EventLoop::Modify(int fd, uint32_t epoll_events) {
  const auto watch = watches_.find(fd);
  GC_CHECK(watch != watches_.end());
  epoll_event event{.events = epoll_events, .data = {.u64 = Key(fd, watch->second.serial)}};
  GC_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::Remove(int fd) {
  if (watches_.erase(fd) == 0) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);  // fails harmlessly when the descriptor is closed
}

EventLoop::TimerId EventLoop::After(int64_t delay_ms, Callback callback) {
  const TimerId id = next_timer_++;
  timers_.emplace(MonotonicNanos() + delay_ms * 1'000'000, Timer{id, 0, std::move(callback)});
  return id;
}

EventLoop::TimerId EventLoop::Every(int64_t period_ms, Callback callback) {
  GC_CHECK(period_ms > 0);
  const TimerId id = next_timer_++;
  timers_.emplace(MonotonicNanos() + period_ms * 1'000'000, Timer{id, period_ms, std::move(callback)});
  return id;
}

void EventLoop::Cancel(TimerId id) {
  if (running_timer_ == id) running_timer_ = 0;
  std::erase_if(timers_, [id](const auto& entry) { return entry.second.id == id; });
}

void EventLoop::Post(Callback callback) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(callback));
  }
  Wake();
}

void EventLoop::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(wake_.get(), &one, sizeof one);  // full: awake anyway
}

void EventLoop::Stop() {
  stopped_ = true;
  Wake();
}

void EventLoop::Run() {
  std::array<epoll_event, 64> events;
  while (!stopped_) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), WaitMillis());
    GC_CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count && !stopped_; ++i) RunIo(events[i].data.u64, events[i].events);
    if (!stopped_) RunPosted();
    if (!stopped_) RunTimers();
  }
  stopped_ = false;
}

void EventLoop::RunIo(uint64_t key, uint32_t epoll_events) {
  if (key == kWakeKey) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t bytes = ::read(wake_.get(), &count, sizeof count);
    return;
  }
  const auto watch = watches_.find(static_cast<int>(key & 0xFFFF'FFFF));
  // Removed, or removed and added anew, by a callback of this round.
  if (watch == watches_.end() || watch->second.serial != key >> 32) return;
  const std::shared_ptr<IoCallback> callback = watch->second.callback;  // it may remove itself
  (*callback)(epoll_events);
}

void EventLoop::RunPosted() {
  std::vector<Callback> callbacks;
  {
    const std::lock_guard lock(posted_mutex_);
    callbacks.swap(posted_);
  }
  for (Callback& callback : callbacks) callback();
}

void EventLoop::RunTimers() {
  const int64_t now = MonotonicNanos();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first <= now) {
    auto node = timers_.extract(timers_.begin());
    Timer& timer = node.mapped();
    running_timer_ = timer.id;
    timer.callback();
    const bool again = timer.period_ms > 0 && running_timer_ == timer.id;
    running_timer_ = 0;
    if (!again) continue;
    // A loop that was held up does not make up for lost rounds.
    node.key() = std::max(node.key(), now - timer.period_ms * 1'000'000) + timer.period_ms * 1'000'000;
    if (node.key() <= now) node.key() = now + 1;
    timers_.insert(std::move(node));
  }
}

int EventLoop::WaitMillis() const {
  if (timers_.empty()) return -1;
  const int64_t wait_nanos = timers_.begin()->first - MonotonicNanos();
  if (wait_nanos <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((wait_nanos + 999'999) / 1'000'000, INT_MAX));
}

}  // namespace glasscase::process
