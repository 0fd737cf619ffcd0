// A host on a thread of this process, and around it what the supervisor, the custodian and an edge would be.
// For tests.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <glasscase/access/audit.h>
#include <glasscase/access/quota.h>
#include <glasscase/access/token.h>
#include <glasscase/core/clock.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/hosting/host.h>
#include <glasscase/hosting/model_files.h>
#include <glasscase/inference/testing/fake_engine.h>
#include <glasscase/manifest/manifest.h>
#include <glasscase/process/call_channel.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/rpc/call_message.h>
#include <glasscase/rpc/convert.h>
#include <gtest/gtest.h>

namespace glasscase::hosting::testing {

inline Fd MemoryFile(std::string_view bytes) {
  Fd fd(::memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

// An answer that owns its bytes.
struct Answer {
  Bytes bytes;
  rpc::AnswerView view;
  float first() const {
    float value = 0;
    if (!view.outputs.empty() && view.outputs[0].data.size() >= sizeof value) {
      std::memcpy(&value, view.outputs[0].data.data(), sizeof value);
    }
    return value;
  }
  Code code() const { return static_cast<Code>(view.code); }
};

// The edge's end of one call channel.
class Edge {
 public:
  Edge() : made_(std::move(*process::MakeChannel())) {
    process::ChannelFds own{.memory = Fd(::dup(made_.memory.get())),
                            .wake_host = Fd(::dup(made_.wake_host.get())),
                            .wake_edge = Fd(::dup(made_.wake_edge.get()))};
    channel_.emplace(std::move(*process::CallChannel::Open(std::move(own), process::Side::kEdge)));
  }
  std::vector<int> fds() const { return {made_.memory.get(), made_.wake_host.get(), made_.wake_edge.get()}; }
  int memory_fd() const { return made_.memory.get(); }

  struct Call {
    std::string token = "learner";
    Uuid model;
    std::string version = "";
    int64_t deadline_ms = 5000;
    float value = 1;
    std::vector<int64_t> shape = {1, 4};
    std::vector<std::string> outputs = {"y"};
    std::string input = "x";
  };
  // Writes a call without waking the host; gives its number.
  uint64_t Write(const Call& call) {
    size_t elements = 1;
    for (const int64_t d : call.shape) elements *= static_cast<size_t>(d);
    const auto room = channel_->Reserve(1024 + elements * sizeof(float));
    EXPECT_TRUE(room);
    rpc::CallWriter writer(*room);
    const int64_t deadline_ns = clock_.MonotonicNanos() + call.deadline_ms * 1'000'000;
    EXPECT_TRUE(
        writer.Begin(++last_id_, access::HostCredential(call.token), call.model, call.version, deadline_ns));
    const std::span<uint8_t> data =
        writer.BeginInput(call.input, DataType::kFp32, call.shape, elements * sizeof(float));
    for (size_t i = 0; i < elements; ++i)
      std::memcpy(data.data() + i * sizeof(float), &call.value, sizeof(float));
    writer.EndInput(elements * sizeof(float));
    for (const std::string& output : call.outputs) EXPECT_TRUE(writer.AddOutput(output));
    channel_->Commit(writer.Finish());
    return last_id_;
  }
  void WriteRaw(ByteSpan bytes) {
    const auto room = channel_->Reserve(bytes.size());
    std::copy(bytes.begin(), bytes.end(), room->begin());
    channel_->Commit(bytes.size());
  }
  void Wake() { channel_->WakePeer(); }
  uint64_t Send(const Call& call) {
    const uint64_t id = Write(call);
    Wake();
    return id;
  }
  // What came so far.
  void Collect() {
    auto answer = std::make_unique<Answer>();
    while (*channel_->Receive(answer->bytes)) {
      EXPECT_TRUE(rpc::ParseAnswer(answer->bytes, answer->view));
      const uint64_t id = answer->view.id;
      answers_[id] = std::move(answer);
      answer = std::make_unique<Answer>();
    }
  }
  const Answer* Find(uint64_t id) {
    Collect();
    const auto found = answers_.find(id);
    return found == answers_.end() ? nullptr : found->second.get();
  }

 private:
  SystemClock clock_;
  process::ChannelFds made_;
  std::optional<process::CallChannel> channel_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, std::unique_ptr<Answer>> answers_;
};

struct Published {
  Uuid model = Uuid::Random();
  Uuid version = Uuid::Random();
  std::string graph;
  access::ModelRow row;
};

class HostHarness {
 public:
  explicit HostHarness(HostOptions options = {.threads = 2}) : options_(std::move(options)) {
    quota_ = Fd(::memfd_create("quota", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(quota_.get(), access::QuotaLedger::kMemoryBytes), 0);
    owner_ = Uuid::Random();
    learner_ = Uuid::Random();
    Start();
  }
  ~HostHarness() { Stop(); }

  void Start() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    lifeline_ = Fd(pair[0]);
    ended_with_ = -1;
    host_ = std::make_unique<Host>(options_, engine_, clock_, Fd(pair[1]), [this](int status) {
      ended_with_ = status;
      lifeline_ = Fd();  // ends Run
    });
    thread_ = std::thread([this] { host_->Run(); });
    pollfd polled{.fd = lifeline_.get(), .events = POLLIN, .revents = 0};
    ::poll(&polled, 1, 5000);
    const auto ready = process::ReceiveLifeline(lifeline_.get());
    EXPECT_TRUE(ready && *ready && (*ready)->message.type == process::LifelineMessage::Type::kReady);
    EXPECT_TRUE(process::SendLifeline(lifeline_.get(), {.type = process::LifelineMessage::Type::kQuotaMemory},
                                      {quota_.get()}));
    edge_ = std::make_unique<Edge>();
    Connect(*edge_, 0);
    ConnectCustodian();
    SendLease(60'000);
  }
  void Stop() {
    if (!thread_.joinable()) return;
    if (ended_with_ < 0) lifeline_ = Fd();
    thread_.join();
    host_.reset();
  }
  void Connect(const Edge& edge, uint32_t slot) {
    EXPECT_TRUE(process::SendLifeline(lifeline_.get(),
                                      {.type = process::LifelineMessage::Type::kCallLink,
                                       .peer = process::ProcessKind::kPublicEdge,
                                       .slot = slot},
                                      edge.fds()));
  }
  void ConnectCustodian() {
    auto pair = process::MakeSocketPair();
    custodian_.emplace(std::move(pair->first), process::FrameSocket::Limits{});
    EXPECT_TRUE(process::SendLifeline(lifeline_.get(), {.type = process::LifelineMessage::Type::kRpcLink},
                                      {pair->second.get()}));
  }
  void ShutDown(uint32_t grace_ms) {
    EXPECT_TRUE(process::SendLifeline(
        lifeline_.get(), {.type = process::LifelineMessage::Type::kShutDown, .value = grace_ms}));
  }

  // ---- the custodian's words ----
  void Send(const rpc::FromCustodian& message, std::vector<Fd> fds = {}) {
    EXPECT_TRUE(custodian_->Send(message.SerializeAsString(), std::move(fds)));
  }
  void SendLease(int64_t ms) {
    rpc::FromCustodian message;
    message.mutable_lease()->set_until_monotonic_ns(clock_.MonotonicNanos() + ms * 1'000'000);
    Send(message);
  }
  // Sends the change and waits for its acknowledgement.
  void Push(const access::TableUpdate& update) {
    rpc::FromCustodian message;
    *message.mutable_table() = rpc::ToMessage(update);
    message.mutable_table()->set_sequence(++sequence_);
    Send(message);
    EXPECT_TRUE(WaitUntil([this] { return acknowledged_ == sequence_; }));
  }
  access::TokenRow Token(const std::string& token, const Uuid& subject) {
    return {.id = Uuid::Random(),
            .subject = subject,
            .digest = access::CredentialDigest(access::HostCredential(token))};
  }
  // The whole table.
  void PushPeople() {
    access::TableUpdate update;
    update.reset = true;
    update.subjects = {{.id = owner_, .name = "ana", .roles = access::kOwner},
                       {.id = learner_, .name = "lea"}};
    update.tokens = {Token("owner", owner_), Token("learner", learner_)};
    for (const auto& [version, published] : published_) update.models.push_back(published.row);
    update.grants = grants_;
    Push(update);
  }
  Published Publish(const std::string& graph, bool rows_independent = true, uint64_t weights_bytes = 100) {
    Published published;
    published.graph = graph;
    access::ModelRow& row = published.row;
    row.id = published.model;
    row.owner = owner_;
    row.owner_name = "ana";
    row.name = "m" + std::to_string(published_.size());
    access::VersionRow& version = row.versions.emplace_back();
    version.id = row.default_version = published.version;
    version.label = "1";
    const FileClaim claim{
        .path = "model.onnx", .bytes = graph.size(), .sha256 = Sha256(AsBytes(graph)), .is_graph = true};
    version.manifest_digest = manifest::DigestOf(std::vector{claim});
    version.inputs = {{.name = "x", .datatype = DataType::kFp32, .shape = {-1, 4}}};
    version.outputs = {{.name = "y", .datatype = DataType::kFp32, .shape = {-1, 4}},
                       {.name = "z", .datatype = DataType::kFp32, .shape = {-1, 4}}};
    version.rows_independent = rows_independent;
    version.weights_bytes = weights_bytes;
    published_[published.version] = published;
    access::TableUpdate update;
    update.models = {row};
    Push(update);
    return published;
  }
  Uuid Grant(const Uuid& model, const char* quota = nullptr) {
    access::GrantRow grant;
    grant.id = Uuid::Random();
    grant.subject = learner_;
    grant.model = model;
    if (quota != nullptr) grant.quota = *access::Quota::Parse(quota);
    grants_.push_back(grant);
    access::TableUpdate update;
    update.grants = {grant};
    Push(update);
    return grant.id;
  }

  // Handles what the host says until `done` or five seconds have passed.
  bool WaitUntil(const std::function<bool()>& done, int ms = 5000) {
    const int64_t end = clock_.MonotonicNanos() + int64_t{ms} * 1'000'000;
    while (true) {
      if (custodian_)
        static_cast<void>(custodian_->Receive([this](process::Frame frame) { OnFrame(frame); }));
      if (custodian_ && custodian_->wants_write()) static_cast<void>(custodian_->Flush());
      if (done()) return true;
      if (clock_.MonotonicNanos() > end) return false;
      pollfd polled{.fd = custodian_ ? custodian_->fd() : -1, .events = POLLIN, .revents = 0};
      ::poll(&polled, 1, 1);
    }
  }
  const Answer& Wait(uint64_t id, Edge* edge = nullptr, int ms = 5000) {
    static const Answer kNone;
    Edge& asked = edge == nullptr ? *edge_ : *edge;
    const bool came = WaitUntil([&] { return asked.Find(id) != nullptr; }, ms);
    EXPECT_TRUE(came) << "no answer";
    return came ? *asked.Find(id) : kNone;
  }
  const Answer& Call(const Edge::Call& call) { return Wait(edge_->Send(call)); }
  Edge& edge() { return *edge_; }
  const Uuid& learner() const { return learner_; }

  std::vector<int64_t> run_rows() {
    const std::lock_guard lock(log_.mutex);
    return log_.run_rows;
  }
  int loads() {
    const std::lock_guard lock(log_.mutex);
    return log_.loads;
  }
  inference::testing::FakeEngineLog log_;
  std::vector<rpc::ToCustodian> heard_;
  std::vector<access::AuditRecord> audit_;
  bool answer_need_model_ = true;
  bool damage_files_ = false;
  std::atomic<int> ended_with_{-1};

 private:
  void OnFrame(const process::Frame& frame) {
    rpc::ToCustodian message;
    EXPECT_TRUE(message.ParseFromString(frame.payload));
    heard_.push_back(message);
    if (message.has_ack()) acknowledged_ = message.ack().sequence();
    if (message.has_audit()) {
      const auto records = rpc::FromMessage(message.audit());
      EXPECT_TRUE(records);
      audit_.insert(audit_.end(), records->begin(), records->end());
    }
    if (message.has_need_model() && answer_need_model_)
      SendFiles(*Uuid::FromBytes(message.need_model().version()));
  }
  void SendFiles(const Uuid& version) {
    const std::string& graph = published_.at(version).graph;
    rpc::FromCustodian message;
    rpc::ModelFiles& files = *message.mutable_model_files();
    files.set_version(std::string(version.AsBytes()));
    rpc::ModelFile& file = *files.add_files();
    file.set_path("model.onnx");
    file.set_bytes(graph.size());
    file.set_sha256(std::string(AsText(Sha256(AsBytes(graph)))));
    file.set_is_graph(true);
    std::vector<Fd> fds;
    fds.push_back(MemoryFile(damage_files_ ? std::string(graph.size(), '?') : graph));
    Send(message, std::move(fds));
  }

  HostOptions options_;
  SystemClock clock_;
  inference::testing::FakeEngine engine_{log_};
  Fd quota_;
  Fd lifeline_;
  Uuid owner_;
  Uuid learner_;
  std::unique_ptr<Host> host_;
  std::thread thread_;
  std::unique_ptr<Edge> edge_;
  std::optional<process::FrameSocket> custodian_;
  uint64_t sequence_ = 0;
  uint64_t acknowledged_ = 0;
  std::map<Uuid, Published> published_;
  std::vector<access::GrantRow> grants_;
};

}  // namespace glasscase::hosting::testing
