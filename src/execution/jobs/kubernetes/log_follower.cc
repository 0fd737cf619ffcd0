#include "log_follower.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace glasscase::jobs {
namespace {

using std::chrono::milliseconds;

constexpr size_t kKeptMax = size_t{1} << 20;  // then the server waits for us
constexpr milliseconds kPauseFirst{100};
constexpr milliseconds kPauseMost{5'000};

}  // namespace

Result<std::unique_ptr<LogFollower>> LogFollower::Begin(const ClusterAccess& access, std::string path) {
  GC_TRY(auto server, ApiServer::Connect(access));
  return std::unique_ptr<LogFollower>(new LogFollower(std::move(server), std::move(path)));
}

LogFollower::LogFollower(std::unique_ptr<ApiServer> server, std::string path)
    : server_(std::move(server)), path_(std::move(path)), ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

LogFollower::~LogFollower() {
  thread_.request_stop();
  changed_.notify_all();
  thread_.join();
}

void LogFollower::Run(const std::stop_token& stop) {
  milliseconds pause = kPauseFirst;
  while (!stop.stop_requested()) {
    if (ReadOnce(stop)) break;
    std::unique_lock lock(mutex_);
    pause = trouble_.empty() ? kPauseFirst : std::min(2 * pause, kPauseMost);
    const milliseconds asked(server_->retry_after_ms());
    changed_.wait_for(lock, stop, std::max(pause, asked),
                      [&] { return container_has_ended_ && trouble_.empty(); });
  }
  const std::lock_guard lock(mutex_);
  is_done_ = true;
  Signal();
}

bool LogFollower::ReadOnce(const std::stop_token& stop) {
  bool is_last = false;
  {
    const std::lock_guard lock(mutex_);
    is_last = container_has_ended_;
  }
  std::string path = path_ + "&timestamps=true";
  if (!is_last) path += "&follow=true";
  if (const std::string since = lines_.since(); !since.empty()) path += "&sinceTime=" + InQuery(since);
  const auto keep = [&](std::string_view text) { Keep(text, stop); };
  lines_.Begin();
  const Status read = server_->Stream(
      path, [&](std::string_view text) { lines_.Take(text, keep); }, stop);
  lines_.End(keep);
  const std::lock_guard lock(mutex_);
  trouble_ = read ? "" : read.error().message();
  Signal();
  return read ? is_last : read.error().code() == Code::kNotFound;
}

void LogFollower::Keep(std::string_view text, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return kept_.size() < kKeptMax; });
  if (stop.stop_requested()) return;
  kept_ += text;
  Signal();
}

std::string LogFollower::Take() {
  uint64_t count = 0;
  (void)!::read(ready_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
  return std::exchange(kept_, "");
}

void LogFollower::ContainerHasEnded() {
  const std::lock_guard lock(mutex_);
  container_has_ended_ = true;
  changed_.notify_all();
}

bool LogFollower::IsDone() const {
  const std::lock_guard lock(mutex_);
  return is_done_ && kept_.empty();
}

std::string LogFollower::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void LogFollower::Signal() const {
  const uint64_t one = 1;
  (void)!::write(ready_.get(), &one, sizeof one);
}

}  // namespace glasscase::jobs
