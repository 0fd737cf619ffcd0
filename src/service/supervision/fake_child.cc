// Plays every kind of process in the supervisor's tests, by the name it is started under: says what happens
// to it in a log, answers questions over its links, and does what the test tells the custodian.
//
//   --log=PATH       lines "NAME PID EVENT", appended; the relay, which takes no arguments of tests, finds it
//                    beside its folder
//   --orders=PATH    custodian: a datagram socket that takes "need 3", "ask host 3 TEXT", "kill host 3", ...
//   --stubborn       does not end when asked
//   --broken         ends at once with exit code 3
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include <glasscase/process/call_channel.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>

namespace glasscase::process {
namespace {

using Type = LifelineMessage::Type;

std::string name;
std::string log_path;
std::string orders_path;
bool stubborn = false;

void Log(const std::string& event) {
  if (log_path.empty()) return;
  const Fd log(open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  const std::string line = name + " " + std::to_string(getpid()) + " " + event + "\n";
  if (write(log.get(), line.data(), line.size()) < 0) std::abort();
}

std::string ReadAll(int fd) {
  std::array<char, 4096> text{};
  const ssize_t bytes = read(fd, text.data(), text.size());
  return {text.data(), bytes > 0 ? static_cast<size_t>(bytes) : 0};
}

std::string OpenDescriptors() {
  std::string numbers;
  for (int fd = 0; fd < 256; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) numbers += " " + std::to_string(fd);
  }
  return numbers;
}

std::optional<ProcessKind> KindOf(const std::string& word) {
  if (word == "public") return ProcessKind::kPublicEdge;
  if (word == "control") return ProcessKind::kControlEdge;
  if (word == "host") return ProcessKind::kHost;
  if (word == "inspector") return ProcessKind::kInspector;
  return std::nullopt;
}

class FakeChild {
 public:
  void Run() {
    fcntl(kLifelineFd, F_SETFL, O_NONBLOCK);
    loop_.Add(kLifelineFd, EPOLLIN, [this](uint32_t) { OnLifeline(); });
    if (!orders_path.empty()) TakeOrders();
    Tell({.type = Type::kReady});
    loop_.Run();
    Log("end");
  }

 private:
  using PeerId = std::pair<ProcessKind, uint32_t>;

  static void Tell(const LifelineMessage& message, const std::vector<int>& fds = {}) {
    if (!SendLifeline(kLifelineFd, message, fds)) std::exit(9);
  }

  void OnLifeline() {
    while (true) {
      auto received = ReceiveLifeline(kLifelineFd);
      if (!received) std::exit(8);
      if (!*received) return;
      OnMessage((*received)->message, (*received)->fds);
    }
  }

  void OnMessage(const LifelineMessage& message, std::vector<Fd>& fds) {
    const std::string peer = std::string(ProcessKindName(message.peer)) + " " + std::to_string(message.slot);
    switch (message.type) {
      case Type::kListen: Log("listen"); return;
      case Type::kDataDirectory:
        Log("data " + std::to_string(faccessat(fds[0].get(), "serve.lock", F_OK, 0)));
        return;
      case Type::kTlsFiles: Log("tls " + ReadAll(fds[0].get()) + " " + ReadAll(fds[1].get())); return;
      case Type::kPeerGone: Log("gone " + peer + " " + std::to_string(message.value)); return;
      case Type::kQuotaMemory: quota_ = std::move(fds[0]); return;
      case Type::kRpcLink: return UseLink({message.peer, message.slot}, std::move(fds[0]));
      case Type::kCallLink: return UseChannel(message.slot, fds);
      case Type::kOutlet:
        Log("outlet " + std::to_string(message.slot) + " " + std::to_string(fds.size()));
        return;
      case Type::kShutDown:
        Log("shutdown");
        if (!stubborn) loop_.Stop();
        return;
      default: std::abort();
    }
  }

  void UseLink(const PeerId& peer, Fd socket) {
    if (links_.contains(peer)) loop_.Remove(links_[peer]->fd());
    links_[peer] = std::make_unique<FrameSocket>(std::move(socket), FrameSocket::Limits{});
    FrameSocket* const link = links_[peer].get();
    loop_.Add(link->fd(), EPOLLIN, [this, link](uint32_t) {
      const Status status = link->Receive([&](const Frame& frame) { OnFrame(*link, frame.payload); });
      if (!status) loop_.Remove(link->fd());
    });
  }

  // The custodian logs answers; the others answer questions.
  void OnFrame(FrameSocket& link, const std::string& text) {
    if (!orders_path.empty()) return Log("answer " + text);
    std::istringstream words(text);
    std::string question;
    words >> question;
    std::string answer = name + " " + std::to_string(getpid()) + " " + text;
    if (question == "count") answer += " " + std::to_string(CountInQuotaMemory());
    uint32_t slot = 0;
    if (question == "call" && words >> slot) answer += " " + Call(slot);
    (void)link.Send(answer);
    if (name == "glasscase-inspector" && question == "finish") loop_.Stop();
  }

  uint32_t CountInQuotaMemory() const {
    if (ftruncate(quota_.get(), 4096) != 0) return 0;
    void* const memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, quota_.get(), 0);
    return memory == MAP_FAILED ? 0 : ++*static_cast<uint32_t*>(memory);
  }

  void UseChannel(uint32_t slot, std::vector<Fd>& fds) {
    const bool host = name == "glasscase-host";
    if (host && channels_.contains(slot)) loop_.Remove(channels_.at(slot).wake_fd());
    channels_.erase(slot);
    auto opened = CallChannel::Open({std::move(fds[0]), std::move(fds[1]), std::move(fds[2])},
                                    host ? Side::kHost : Side::kEdge);
    if (!opened) std::abort();
    CallChannel& channel = channels_.emplace(slot, std::move(*opened)).first->second;
    if (!host) return;
    loop_.Add(channel.wake_fd(), EPOLLIN, [&channel](uint32_t) { AnswerCalls(channel); });
    AnswerCalls(channel);
  }

  static void AnswerCalls(CallChannel& channel) {
    channel.Awake();
    Bytes record;
    do {
      while (*channel.Receive(record)) {
        const std::string answer = std::to_string(getpid());
        const auto room = channel.Reserve(answer.size());
        std::copy(answer.begin(), answer.end(), room->begin());
        channel.Commit(answer.size());
      }
      channel.WakePeer();
    } while (!channel.PrepareToSleep());
  }

  std::string Call(uint32_t slot) {
    const auto found = channels_.find(slot);
    if (found == channels_.end()) return "no channel";
    CallChannel& channel = found->second;
    if (!channel.Reserve(1)) return "no room";
    channel.Commit(1);
    channel.WakePeer();
    Bytes record;
    for (int tries = 0; tries < 2000; ++tries) {
      if (*channel.Receive(record)) return "answered by " + std::string(AsText(record));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return "no answer";
  }

  void TakeOrders() {
    orders_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", orders_path.c_str());
    unlink(orders_path.c_str());
    if (bind(orders_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    loop_.Add(orders_.get(), EPOLLIN, [this](uint32_t) { Obey(ReadAll(orders_.get())); });
  }

  void Obey(const std::string& order) {
    std::istringstream words(order);
    std::string verb;
    words >> verb;
    uint32_t number = 0;
    if (verb == "outlet" && words >> number) {
      const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      return Tell({.type = Type::kOutlet, .slot = number}, {socket.get()});
    }
    if (verb == "stop") return Tell({.type = Type::kStop});
    if (verb == "need" && words >> number) return Tell({.type = Type::kNeedHost, .slot = number});
    if (verb == "inspect" && words >> number) return Tell({.type = Type::kInspect, .slot = number});
    std::string kind;
    words >> kind >> number;
    const auto peer = KindOf(kind);
    if (!peer) std::abort();
    if (verb == "kill") return Tell({.type = Type::kKill, .peer = *peer, .slot = number});
    std::string question;
    std::getline(words >> std::ws, question);
    const auto link = links_.find({*peer, number});
    if (verb == "ask" && link != links_.end()) (void)link->second->Send(question);
  }

  EventLoop loop_;
  Fd orders_;
  Fd quota_;
  std::map<PeerId, std::unique_ptr<FrameSocket>> links_;
  std::map<uint32_t, CallChannel> channels_;
};

int RunFakeChild(int argc, char** argv) {
  const std::string path(argv[0]);
  name = path.substr(path.rfind('/') + 1);
  if (name == "glasscase-relay") log_path = path.substr(0, path.rfind('/')) + "/../log";
  bool broken = false;
  std::string arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument(argv[i]);
    arguments += " " + argument;
    if (argument == "--public" || argument == "--control") name += argument.substr(1);
    if (argument.starts_with("--log=")) log_path = argument.substr(6);
    if (argument.starts_with("--orders=")) orders_path = argument.substr(9);
    if (argument == "--stubborn") stubborn = true;
    if (argument == "--broken") broken = true;
  }
  Log("start" + arguments);
  Log("fds" + OpenDescriptors());
  for (char** variable = environ; *variable != nullptr; ++variable)
    Log(std::string("environment ") + *variable);
  if (broken) return 3;
  FakeChild().Run();
  return 0;
}

}  // namespace
}  // namespace glasscase::process

int main(int argc, char** argv) { return glasscase::process::RunFakeChild(argc, argv); }
