// Carries frames and their files between a frame socket on this machine and another machine, over TLS.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/tunnel/records.h>
#include <glasscase/tunnel/spool.h>
#include <glasscase/tunnel/tls.h>

namespace glasscase::tunnel {

struct TunnelLimits {
  int64_t handshake_ms = 10'000;
  int64_t alive_every_ms = 5'000;                // a sign of life, whatever else is sent
  int64_t silent_ms = 20'000;                    // without a byte from the other end: it is gone
  int64_t stalled_ms = 30'000;                   // it takes nothing of what is to be sent: likewise
  uint64_t file_bytes_min = uint64_t{16} << 10;  // of files that are announced, within silent_ms
  uint64_t room_parts = 1;  // what is announced at once may take one of so many of the spool's room
  size_t held_bytes_max = size_t{4} << 20;  // frames that wait to be sent, before no more are taken
  size_t held_files_max = 1'024;            // likewise
};

// One thread: the loop's. Loop and spool outlive it. Holds at most one record from the other end, and what
// its limits say for it.
class Tunnel final : private RecordSink {
 public:
  struct Listener {
    // Hands are shaken; the other end is who Trust said. Attach now or End.
    std::function<void(const Pin& peer)> on_up;
    // The first bytes came: the other end has accepted this one. (In TLS 1.3 a client's hands are shaken
    // before the server has looked at its certificate.)
    std::function<void()> on_heard{};
    // Once, and nothing follows; the tunnel may be destroyed by it.
    std::function<void(const Error& why)> on_gone;
  };

  Tunnel(process::EventLoop& loop, TlsStream stream, const Spool& spool, TunnelLimits limits,
         Listener listener);
  ~Tunnel() override;

  // From now on frames are carried. Takes a connected Unix stream socket.
  void Attach(Fd link);
  // Tells the other end why, as far as that can be done without waiting. on_gone follows.
  void End(const std::string& reason);
  bool is_up() const { return is_up_; }
  bool is_gone() const { return is_gone_; }

 private:
  void OnTls(uint32_t events);
  void OnLink(uint32_t events);
  void Work();
  Status ShakeHands();
  Status Carry();
  Status ReadTls(bool& more);
  Status WriteTls(bool& more);
  void Watch();
  void WorkAgain();
  void Tick();
  Status CheckLife();
  Status CheckFilesCome(int64_t now);
  bool MayRead() const { return link_ && !link_->wants_write(); }
  bool MayTake() const;
  void Lose(const Error& why);
  static int64_t NowMs();

  Status CheckRoom(uint64_t bytes) override { return spool_.CheckRoom(bytes, limits_.room_parts); }
  Result<Fd> MakeFile() override { return spool_.MakeFile(); }
  Status OnFrame(process::Frame frame) override;
  void OnEnd(const std::string& reason) override { ended_ = reason; }

  process::EventLoop& loop_;
  TlsStream stream_;
  const Spool& spool_;
  const TunnelLimits limits_;
  Listener listener_;
  std::optional<process::FrameSocket> link_;
  RecordReader reader_;
  RecordWriter writer_;
  std::string out_;  // records on their way
  size_t out_sent_ = 0;
  std::optional<std::string> ended_;  // what the other end gave as its reason
  bool is_up_ = false;
  bool is_gone_ = false;
  uint32_t tls_events_ = 0;
  uint32_t link_events_ = 0;
  int64_t begun_ms_;
  int64_t heard_ms_;
  int64_t taken_ms_;
  int64_t told_ms_;
  int64_t files_since_ms_;  // since when file_bytes_min are waited for
  uint64_t files_since_bytes_ = 0;
  process::EventLoop::TimerId timer_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what is posted looks whether this is gone
};

}  // namespace glasscase::tunnel
