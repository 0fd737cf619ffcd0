#include <glasscase/tunnel/tunnel.h>

#include <sys/epoll.h>

#include <array>
#include <ctime>
#include <utility>

namespace glasscase::tunnel {
namespace {

constexpr size_t kBytesPerRound = size_t{1} << 20;  // then others have their turn
constexpr int64_t kTickMs = 500;

}  // namespace

int64_t Tunnel::NowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

Tunnel::Tunnel(process::EventLoop& loop, TlsStream stream, const Spool& spool, TunnelLimits limits,
               Listener listener)
    : loop_(loop),
      stream_(std::move(stream)),
      spool_(spool),
      limits_(limits),
      listener_(std::move(listener)),
      begun_ms_(NowMs()),
      heard_ms_(begun_ms_),
      taken_ms_(begun_ms_),
      told_ms_(begun_ms_),
      files_since_ms_(begun_ms_) {
  tls_events_ = EPOLLIN;
  loop_.Add(stream_.fd(), tls_events_, [this](uint32_t events) { OnTls(events); });
  timer_ = loop_.Every(kTickMs, [this] { Tick(); });
  WorkAgain();  // a client speaks first
}

Tunnel::~Tunnel() {
  loop_.Cancel(timer_);
  if (is_gone_) return;
  loop_.Remove(stream_.fd());
  if (link_) loop_.Remove(link_->fd());
}

void Tunnel::Attach(Fd link) {
  link_.emplace(std::move(link), process::FrameSocket::Limits{.frame_bytes_max = kFrameBytesMax});
  link_events_ = EPOLLIN;
  loop_.Add(link_->fd(), link_events_, [this](uint32_t events) { OnLink(events); });
  writer_.AddAlive();  // so that the other end knows at once that it is accepted
  WorkAgain();
}

void Tunnel::End(const std::string& reason) {
  if (is_gone_) return;
  if (is_up_) {
    // Behind what is half sent nothing can be told: it is cut off then.
    if (out_sent_ == out_.size()) (void)stream_.Write(RecordWriter::End(reason));
    stream_.Close();
  }
  Lose(Error::Unavailable(reason));
}

void Tunnel::Lose(const Error& why) {
  if (is_gone_) return;
  is_gone_ = true;
  loop_.Remove(stream_.fd());
  if (link_) loop_.Remove(link_->fd());
  loop_.Post([this, why, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto on_gone = listener_.on_gone;  // it may destroy this
    on_gone(why);
  });
}

// ---- the rounds ----

// The kernel tells of an end also when nothing was asked; who does not read now would be told for ever.
void Tunnel::OnTls(uint32_t events) {
  const bool is_over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (is_over && is_up_ && !MayRead()) return Lose(Error::Unavailable("the connection broke off"));
  Work();
}

void Tunnel::OnLink(uint32_t events) {
  const bool is_over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (is_over && !MayTake()) return End("this end closed the link");
  Work();
}

void Tunnel::Work() {
  if (is_gone_) return;
  const Status worked = is_up_ ? Carry() : ShakeHands();
  if (!worked) return is_up_ ? End(worked.error().message()) : Lose(worked.error());
  if (!is_gone_) Watch();
}

void Tunnel::WorkAgain() {
  loop_.Post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) Work();
  });
}

Status Tunnel::ShakeHands() {
  GC_TRY(const bool done, stream_.ShakeHands());
  if (!done) return Ok();
  is_up_ = true;
  heard_ms_ = taken_ms_ = NowMs();
  listener_.on_up(stream_.peer());
  return Ok();
}

Status Tunnel::Carry() {
  if (!link_) return Ok();
  bool more = false;
  GC_TRY_VOID(link_->Flush());
  GC_TRY_VOID(ReadTls(more));
  if (ended_) return Fail(Error::Unavailable("the other end says: " + *ended_));
  if (MayTake()) {
    Status added = Ok();
    const Status received = link_->Receive([&](process::Frame frame) {
      if (added) added = writer_.Add(std::move(frame));
    });
    if (!received) return Fail(Error::Unavailable("its end of the link: " + received.error().message()));
    GC_TRY_VOID(added);
  }
  GC_TRY_VOID(WriteTls(more));
  if (more) WorkAgain();
  return Ok();
}

bool Tunnel::MayTake() const {
  return writer_.held_bytes() < limits_.held_bytes_max && writer_.held_files() < limits_.held_files_max;
}

// What TLS has decoded already makes no socket readable, so a round that ends early is taken up by itself.
Status Tunnel::ReadTls(bool& more) {
  std::array<char, 32 * 1024> buffer;
  for (size_t total = 0; MayRead();) {
    GC_TRY(const size_t got, stream_.Read(buffer.data(), buffer.size()));
    if (got == 0) return Ok();
    heard_ms_ = NowMs();
    if (const auto on_heard = std::exchange(listener_.on_heard, nullptr)) on_heard();
    GC_TRY_VOID(reader_.Take(AsBytes({buffer.data(), got}), *this));
    if (ended_) return Ok();
    total += got;
    if (total >= kBytesPerRound) {
      more = true;
      return Ok();
    }
  }
  return Ok();
}

Status Tunnel::WriteTls(bool& more) {
  for (size_t total = 0;;) {
    if (out_sent_ == out_.size()) {
      out_.clear();
      out_sent_ = 0;
      if (writer_.empty()) return Ok();
      GC_TRY_VOID(writer_.Next(out_));
    }
    GC_TRY(const size_t sent, stream_.Write(std::string_view(out_).substr(out_sent_)));
    if (sent == 0) return Ok();
    taken_ms_ = NowMs();
    out_sent_ += sent;
    total += sent;
    if (total >= kBytesPerRound) {
      more = true;
      return Ok();
    }
  }
}

Status Tunnel::OnFrame(process::Frame frame) {
  const Status sent = link_->Send(frame.payload, std::move(frame.fds));
  if (!sent) return Fail(Error::Unavailable("its end of the link: " + sent.error().message()));
  return Ok();
}

void Tunnel::Watch() {
  uint32_t tls = 0;
  if (!is_up_ || MayRead()) tls |= EPOLLIN;
  if (stream_.wants_write() || out_sent_ < out_.size()) tls |= EPOLLOUT;
  if (tls != tls_events_) loop_.Modify(stream_.fd(), tls_events_ = tls);
  if (!link_) return;
  uint32_t link = 0;
  if (MayTake()) link |= EPOLLIN;
  if (link_->wants_write()) link |= EPOLLOUT;
  if (link != link_events_) loop_.Modify(link_->fd(), link_events_ = link);
}

// ---- life ----

void Tunnel::Tick() {
  if (is_gone_) return;
  const Status lives = CheckLife();
  if (!lives) return End(lives.error().message());
  if (is_up_ && NowMs() - told_ms_ >= limits_.alive_every_ms) {
    told_ms_ = NowMs();
    writer_.AddAlive();
  }
  Work();
}

Status Tunnel::CheckLife() {
  const int64_t now = NowMs();
  const auto seconds = [](int64_t ms) { return std::to_string(ms / 1000) + " s"; };
  if (!is_up_ && now - begun_ms_ >= limits_.handshake_ms)
    return Fail(Error::Unavailable("hands were not shaken within " + seconds(limits_.handshake_ms)));
  if (!is_up_) return Ok();
  if (!MayRead()) heard_ms_ = now;  // who is not listened to is not silent
  if (out_sent_ == out_.size() && writer_.empty()) taken_ms_ = now;
  if (now - heard_ms_ >= limits_.silent_ms)
    return Fail(Error::Unavailable("it was silent for " + seconds(limits_.silent_ms)));
  if (now - taken_ms_ >= limits_.stalled_ms)
    return Fail(Error::Unavailable("it took nothing for " + seconds(limits_.stalled_ms)));
  return CheckFilesCome(now);
}

// Room is kept for them meanwhile, which others may need: signs of life alone are not enough.
Status Tunnel::CheckFilesCome(int64_t now) {
  const bool is_asked = reader_.waits_for_files() && MayRead();
  const bool has_waited = now - files_since_ms_ >= limits_.silent_ms;
  const uint64_t came = reader_.file_bytes() - files_since_bytes_;
  if (is_asked && has_waited && came < limits_.file_bytes_min)
    return Fail(Error::Unavailable("files that it announced do not come: " + std::to_string(came) +
                                   " bytes in " + std::to_string(limits_.silent_ms / 1000) + " s"));
  if (!is_asked || has_waited) {
    files_since_ms_ = now;
    files_since_bytes_ = reader_.file_bytes();
  }
  return Ok();
}

}  // namespace glasscase::tunnel
