#include <glasscase/process/close_elsewhere.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace glasscase::process {
namespace {

constexpr size_t kThreadsMax = 16;

// Never destroyed: a thread that hangs may outlive everything else.
class Closer {
 public:
  void Add(std::vector<Fd> fds) {
    const std::lock_guard hold(mutex_);
    for (Fd& fd : fds) waiting_.push_back(std::move(fd));
    if (idle_ > 0) return came_.notify_one();
    if (threads_ == kThreadsMax) return;
    try {
      std::thread([this] { Run(); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      // None is to be had just now: they are closed with the next.
    }
  }

 private:
  [[noreturn]] void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      while (waiting_.empty()) {
        ++idle_;
        came_.wait(hold);
        --idle_;
      }
      Fd one = std::move(waiting_.front());
      waiting_.pop_front();
      hold.unlock();
      one = Fd();
      hold.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Fd> waiting_;
  size_t threads_ = 0;
  size_t idle_ = 0;
};

}  // namespace

void CloseElsewhere(std::vector<Fd> fds) {
  static auto& closer = *new Closer;
  if (!fds.empty()) closer.Add(std::move(fds));
}

std::shared_ptr<Fd> ShareForeign(Fd fd) {
  const auto close = [](Fd* owned) {
    std::vector<Fd> one;
    one.push_back(std::move(*owned));
    delete owned;
    CloseElsewhere(std::move(one));
  };
  return {new Fd(std::move(fd)), close};
}

}  // namespace glasscase::process
