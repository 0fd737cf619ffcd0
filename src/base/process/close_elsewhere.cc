#include <glasscase/process/close_elsewhere.h>

#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace glasscase::process {
namespace {

constexpr size_t kThreadsMax = 64;

// Never destroyed: a thread that hangs may outlive everything else.
class Closer {
 public:
  void Add(std::vector<Fd> fds) {
    const std::lock_guard hold(mutex_);
    for (Fd& fd : fds) waiting_.push_back(std::move(fd));
    came_.notify_all();
    // A thread for each, so that none waits behind one that hangs while a thread may be had.
    while (threads_ < kThreadsMax && free_ < waiting_.size() && StartThread()) {
    }
  }

 private:
  // False: none is to be had just now, and what waits is closed with the next.
  bool StartThread() {
    try {
      std::thread([this] { Run(); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    ++threads_;
    ++free_;
    return true;
  }

  [[noreturn]] void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      came_.wait(hold, [this] { return !waiting_.empty(); });
      Fd one = std::move(waiting_.front());
      waiting_.pop_front();
      --free_;
      hold.unlock();
      CloseAtOnce(std::move(one));
      hold.lock();
      ++free_;
    }
  }

  // What a socket has not sent by now nobody wants.
  static void CloseAtOnce(Fd fd) {
    const linger none{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);  // of what is no socket: fails
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Fd> waiting_;
  size_t threads_ = 0;
  size_t free_ = 0;  // threads that close nothing at the moment
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
