// For tests: Operations over a real SQLite file, a real folder of blobs and real sockets; the processes at
// the other ends, and the supervisor, are fakes that tests steer.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <glasscase/access/decide.h>
#include <glasscase/access/token.h>
#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/ids.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/testing/memory_files.h>
#include <glasscase/operations/first_subject.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/convert.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::operations::testing {

using process::ProcessKind;

// The real clock, moved ahead by hand.
class ShiftedClock final : public Clock {
 public:
  int64_t WallMicros() const override { return system_.WallMicros() + shift_micros; }
  int64_t MonotonicNanos() const override { return system_.MonotonicNanos() + shift_micros * 1000; }
  int64_t shift_micros = 0;

 private:
  SystemClock system_;
};

// An edge, a host or an inspector: keeps its table as the real ones do.
class FakePeer {
 public:
  FakePeer(process::EventLoop& loop, PeerId peer, Fd socket)
      : id(peer), loop_(loop), socket_(std::move(socket), {}) {
    loop_.Add(socket_.fd(), EPOLLIN, [this](uint32_t) { OnReadable(); });
  }
  ~FakePeer() { loop_.Remove(socket_.fd()); }

  void Send(const rpc::ToCustodian& message) { (void)socket_.Send(message.SerializeAsString()); }
  void SendRaw(std::string_view bytes) { (void)socket_.Send(bytes); }
  void Acknowledge() {
    rpc::ToCustodian message;
    message.mutable_ack()->set_sequence(last_sequence);
    Send(message);
  }

  const PeerId id;
  bool acknowledges = true;
  bool shows_life = true;  // answers leases
  bool cut_off = false;
  uint64_t last_sequence = 0;
  int64_t lease_until_ns = 0;
  int tables = 0;  // complete updates
  access::AccessTable table;
  std::map<uint64_t, rpc::Response> responses;
  std::vector<rpc::ModelFiles> model_files;
  std::vector<Fd> fds;  // that came with the last frame that had any
  std::vector<rpc::InspectJob> jobs;

 private:
  void OnReadable() {
    const Status status = socket_.Receive([this](process::Frame frame) { OnFrame(std::move(frame)); });
    if (status) return;
    cut_off = true;
    loop_.Remove(socket_.fd());
  }
  void OnFrame(process::Frame frame) {
    rpc::FromCustodian message;
    ASSERT_TRUE(message.ParseFromString(frame.payload));
    if (!frame.fds.empty()) fds = std::move(frame.fds);
    if (message.has_response()) responses[message.response().id()] = message.response();
    if (message.has_lease()) OnLease(message.lease());
    if (message.has_model_files()) model_files.push_back(message.model_files());
    if (message.has_inspect()) jobs.push_back(message.inspect());
    if (message.has_table()) OnTable(message.table());
  }
  void OnLease(const rpc::Lease& lease) {
    lease_until_ns = lease.until_monotonic_ns();
    rpc::ToCustodian message;
    message.mutable_ack();
    if (shows_life) Send(message);
  }
  void OnTable(const rpc::TableUpdate& update) {
    EXPECT_LE(update.ByteSizeLong(), size_t{512} << 10);
    EXPECT_EQ(update.sequence(), last_sequence + 1);
    last_sequence = update.sequence();
    parts_.push_back(rpc::FromMessage(update).value());
    if (update.more()) return;
    for (const access::TableUpdate& part : parts_) table.Apply(part);
    parts_.clear();
    ++tables;
    if (acknowledges) Acknowledge();
  }

  process::EventLoop& loop_;
  process::FrameSocket socket_;
  std::vector<access::TableUpdate> parts_;
};

class FakeSupervisor final : public Supervisor {
 public:
  void NeedHost(uint32_t slot) override {
    hosts.insert(slot);
    if (on_need_host) on_need_host(slot);
  }
  void Kill(const PeerId& peer) override {
    kills.push_back(peer);
    if (on_kill) on_kill(peer);
  }
  void Inspect(uint32_t number) override {
    inspections.push_back(number);
    if (on_inspect) on_inspect(number);
  }
  void Stop() override { stopped = true; }

  std::set<uint32_t> hosts;
  std::vector<PeerId> kills;
  std::vector<uint32_t> inspections;
  bool stopped = false;
  std::function<void(PeerId)> on_kill;
  std::function<void(uint32_t)> on_need_host;
  std::function<void(uint32_t)> on_inspect;
};

inline rpc::InspectReport GoodReport() {
  rpc::InspectReport report;
  for (auto* row : {report.add_inputs(), report.add_outputs()}) {
    row->set_name(row == &report.inputs(0) ? "x" : "y");
    row->set_datatype(static_cast<uint32_t>(DataType::kFp32));
    row->add_shape(-1);
    row->add_shape(4);
  }
  report.set_rows_independent(true);
  report.set_producer("pytorch 2.4");
  report.set_parameters(15);
  report.set_runtime_version("1.30");
  return report;
}

class OperationsTest : public ::testing::Test {
 protected:
  static constexpr PeerId kPublic{ProcessKind::kPublicEdge, 0};
  static constexpr PeerId kControl{ProcessKind::kControlEdge, 0};

  explicit OperationsTest(const std::function<void(const std::filesystem::path&)>& prepare = {}) {
    std::filesystem::create_directories(folder);
    if (prepare) prepare(folder);
    std::filesystem::create_directories(folder / "audit");
    OpenStores();
    FirstSubject first = EnsureFirstSubject(*catalog, clock, random, "teacher", false).value();
    root = std::string(first.token.Reveal(RevealToken()));
    supervisor.on_kill = [this](PeerId peer) { loop.Post([this, peer] { operations->PeerGone(peer); }); };
    supervisor.on_inspect = [this](uint32_t number) { loop.Post([this, number] { RunInspector(number); }); };
    supervisor.on_need_host = [this](uint32_t slot) {
      if (slot != 0) loop.Post([this, slot] { second_hosts[slot] = Connect({ProcessKind::kHost, slot}); });
    };
    Start();
  }
  ~OperationsTest() override {
    public_edge.reset();
    control.reset();
    host.reset();
    second_hosts.clear();
    inspector.reset();
    operations.reset();
    blobs.reset();
    catalog.reset();
    if (::umount2(folder.c_str(), MNT_DETACH) != 0) errno = 0;  // where a test mounted a small disk
    std::filesystem::remove_all(folder);
  }

  Fd Folder(const char* name) {
    return Fd(::open((folder / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void OpenStores() {
    catalog = catalog::OpenSqliteCatalog(folder / "catalog.db", clock, {.create = true}).value();
    blobs = make_blobs ? make_blobs() : blobs::OpenFilesystemBlobStore(Folder("")).value();
  }
  void Start() {
    Settings settings;
    settings.audit_directory = Folder("audit");
    settings.runs_directory = Folder("runs");
    settings.version = "0.1.0";
    settings.runs_per_owner = runs_per_owner;
    settings.witnesses = witnesses;
    settings.confinement.in_force = {"seccomp"};
    settings.route_name = [](uint16_t) { return std::string_view("infer"); };
    operations = Operations::Start({.loop = loop,
                                    .clock = clock,
                                    .random = random,
                                    .catalog = *catalog,
                                    .blobs = *blobs,
                                    .supervisor = supervisor,
                                    .log_files = log_files,
                                    .log_signer = LogSigner(),
                                    .signing_key = signing_key,
                                    .gate_key = signing_key,
                                    .ask_witness = ask_witness,
                                    .holds_seat = [this] { return holds_seat; }},
                                   std::move(settings))
                     .value();
    public_edge = Join(kPublic);
    control = Join(kControl);
  }
  // As after the end of the custodian's process, however it came.
  void Restart() {
    public_edge.reset();
    control.reset();
    host.reset();
    second_hosts.clear();
    inspector.reset();
    operations.reset();
    blobs.reset();
    catalog.reset();
    OpenStores();
    Start();
  }

  std::unique_ptr<FakePeer> Connect(PeerId id) {
    auto [here, there] = process::MakeSocketPair().value();
    auto peer = std::make_unique<FakePeer>(loop, id, std::move(there));
    operations->Link(id, std::move(here));
    return peer;
  }
  // Until it has its table and its lease.
  std::unique_ptr<FakePeer> Join(PeerId id) {
    auto peer = Connect(id);
    EXPECT_TRUE(RunUntil([&] { return peer->lease_until_ns != 0; }));
    return peer;
  }

  bool RunUntil(const std::function<bool()>& done, int64_t limit_ms = 5'000) {
    bool happened = false;
    const auto poll = loop.Every(1, [&] {
      if (!done()) return;
      happened = true;
      loop.Stop();
    });
    const auto limit = loop.After(limit_ms, [&] { loop.Stop(); });
    loop.Run();
    loop.Cancel(poll);
    loop.Cancel(limit);
    return happened;
  }
  void RunFor(int64_t ms) {
    RunUntil([] { return false; }, ms);
  }

  // Sends and does not wait.
  uint64_t Submit(FakePeer& edge, std::string_view token, rpc::Request request) {
    request.set_id(++last_request);
    if (!token.empty()) request.set_credential(std::string(AsText(access::CustodianCredential(token))));
    rpc::ToCustodian message;
    *message.mutable_request() = std::move(request);
    edge.Send(message);
    return last_request;
  }
  rpc::Response Ask(FakePeer& edge, std::string_view token, rpc::Request request) {
    const uint64_t id = Submit(edge, token, std::move(request));
    EXPECT_TRUE(RunUntil([&] { return edge.responses.contains(id); }));
    return edge.responses[id];
  }
  rpc::Response Ask(std::string_view token, rpc::Request request) {
    return Ask(*control, token, std::move(request));
  }
  rpc::Response Do(std::string_view token, rpc::Request request) {
    rpc::Response response = Ask(token, std::move(request));
    EXPECT_EQ(response.code(), 0u) << response.message();
    return response;
  }
  static Code CodeOf(const rpc::Response& response) { return static_cast<Code>(response.code()); }

  // ---- requests ----
  static rpc::Request AddSubject(std::string_view name, std::string_view role = "") {
    rpc::Request request;
    request.mutable_add_subject()->set_name(std::string(name));
    request.mutable_add_subject()->set_role(std::string(role));
    return request;
  }
  static rpc::Request CreateToken(std::string_view subject, std::string_view expires = "") {
    rpc::Request request;
    request.mutable_create_token()->set_subject(std::string(subject));
    request.mutable_create_token()->set_expires(std::string(expires));
    return request;
  }
  static rpc::Request CreateGrant(std::string_view subject, std::string_view model,
                                  std::string_view quota = "", std::string_view expires = "") {
    rpc::Request request;
    auto* grant = request.mutable_create_grant();
    grant->set_subject(std::string(subject));
    grant->set_action("predict");
    grant->set_model(std::string(model));
    grant->set_quota(std::string(quota));
    grant->set_expires(std::string(expires));
    return request;
  }
  static rpc::Request RevokeGrant(std::string_view id) {
    rpc::Request request;
    request.mutable_revoke_grant()->set_id(std::string(id));
    return request;
  }
  static rpc::Request RevokeToken(std::string_view id) {
    rpc::Request request;
    request.mutable_revoke_token()->set_id(std::string(id));
    return request;
  }
  static rpc::Request ShowModel(std::string_view name) {
    rpc::Request request;
    request.mutable_show_model()->set_model(std::string(name));
    return request;
  }
  // retire, erase or set_default
  template <typename Make>
  static rpc::Request OnVersion(Make make, std::string_view model, std::string_view version) {
    rpc::Request request;
    auto* act = (request.*make)();
    act->set_model(std::string(model));
    act->set_version(std::string(version));
    return request;
  }

  // ---- what tests start from ----
  // A subject with a token; gives the token.
  std::string Enrol(std::string_view by, std::string_view name, std::string_view role = "") {
    Do(by, AddSubject(name, role));
    return Do(role == "owner" ? root : by, CreateToken(name)).new_token().token();
  }
  using Files = std::vector<std::pair<std::string, std::string>>;
  using Uploaded = std::vector<std::pair<std::string, std::string>>;  // path, upload
  std::string CreateUpload(std::string_view token, int64_t bytes, std::string_view sha256 = "") {
    rpc::Request create;
    create.mutable_create_upload()->set_bytes(bytes);
    create.mutable_create_upload()->set_sha256(std::string(sha256));
    return Do(token, create).upload().id();
  }
  static rpc::Request ReceiveUpload(std::string_view upload, int64_t offset, size_t bytes) {
    rpc::Request request;
    request.mutable_receive_upload()->set_upload(std::string(upload));
    request.mutable_receive_upload()->set_offset(offset);
    request.mutable_receive_upload()->set_bytes(static_cast<int64_t>(bytes));
    return request;
  }
  static rpc::Request AwaitUpload(std::string_view upload) {
    rpc::Request request;
    request.mutable_await_upload()->set_upload(std::string(upload));
    return request;
  }
  // The entrance, when the request is taken.
  Fd BeginReceive(std::string_view token, rpc::Request request) {
    control->fds.clear();
    Do(token, std::move(request));
    EXPECT_EQ(control->fds.size(), 1u);
    return control->fds.empty() ? Fd() : std::move(control->fds[0]);
  }
  static void WriteAll(const Fd& entrance, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(entrance.get(), bytes.data(), bytes.size());
      if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  rpc::Response Send(std::string_view token, rpc::Request receive, std::string_view bytes) {
    const std::string upload = receive.receive_upload().upload();
    WriteAll(BeginReceive(token, std::move(receive)), bytes);
    return Ask(token, AwaitUpload(upload));
  }
  Uploaded Upload(std::string_view token, const Files& files) {
    Uploaded uploaded;
    for (const auto& [path, bytes] : files) {
      uploaded.emplace_back(path, CreateUpload(token, static_cast<int64_t>(bytes.size())));
      EXPECT_EQ(Send(token, ReceiveUpload(uploaded.back().second, 0, bytes.size()), bytes).code(), 0u);
    }
    return uploaded;
  }
  static rpc::Request PublishRequest(const Uploaded& uploaded, std::string_view name,
                                     std::string_view version = "") {
    rpc::Request request;
    for (const auto& [path, upload] : uploaded) {
      auto* file = request.mutable_publish()->add_files();
      file->set_path(path);
      file->set_upload(upload);
    }
    request.mutable_publish()->set_name(std::string(name));
    request.mutable_publish()->set_version(std::string(version));
    request.mutable_publish()->set_card("# Iris");
    return request;
  }
  rpc::Response Publish(std::string_view token, std::string_view name, std::string_view bytes,
                        std::string_view version = "") {
    return Ask(token, PublishRequest(Upload(token, {{"m.onnx", std::string(bytes)}}), name, version));
  }

  // A dataset, or what `adjust` makes of it.
  using AdjustPublish = std::function<void(rpc::PublishRequest&)>;
  rpc::Response Keep(std::string_view token, std::string_view name, const Files& files,
                     const AdjustPublish& adjust = {}) {
    rpc::Request request = PublishRequest(Upload(token, files), name);
    request.mutable_publish()->set_kind("dataset");
    request.mutable_publish()->set_kept(true);
    if (adjust) adjust(*request.mutable_publish());
    return Ask(token, request);
  }
  static void MadeFrom(rpc::PublishRequest& request, std::string_view parent,
                       std::string_view relation = "derived_from") {
    rpc::LineageClaim& claim = *request.add_lineage();
    claim.set_relation(std::string(relation));
    claim.set_parent(std::string(parent));
  }
  static rpc::Request Take(std::string_view model) {
    rpc::Request request;
    request.mutable_list_files()->set_model(std::string(model));
    return request;
  }
  static rpc::Request GrantTake(std::string_view subject, std::string_view model) {
    rpc::Request request = CreateGrant(subject, model);
    request.mutable_create_grant()->set_action("take");
    return request;
  }
  // What the ledger has of an asset, as "type" words in the order of the acts; the last entry's text.
  std::vector<std::string> EntryTypes(std::string_view asset, std::string* last = nullptr) {
    rpc::Request request;
    request.mutable_history()->set_model(std::string(asset));
    std::vector<std::string> types;
    const rpc::Response answer = Do(root, request);
    for (const rpc::HistoryEntry& row : answer.history().entries()) {
      const boost::json::value entry = boost::json::parse(row.entry());
      types.emplace_back(entry.at("type").as_string());
      if (last != nullptr) *last = row.entry();
    }
    return types;
  }

  // ---- the inspector ----
  void RunInspector(uint32_t number) {
    inspector = Connect({ProcessKind::kInspector, number});
    if (!report) return;
    const auto check = std::make_shared<process::EventLoop::TimerId>();
    *check = loop.Every(1, [this, check, number, peer = inspector.get()] {
      if (inspector.get() != peer || peer->jobs.empty()) return;
      rpc::ToCustodian message;
      *message.mutable_inspect_report() = *report;
      peer->Send(message);
      loop.Cancel(*check);
      (void)number;
    });
  }

  // ---- what is left ----
  size_t FilesBelow(const char* name) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / name))
      if (entry.is_regular_file()) ++count;
    return count;
  }
  std::string AuditText() {
    std::ifstream file(folder / "audit" / "audit.jsonl");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // What the edge's table says about a call.
  access::CallVerdict Decide(const FakePeer& peer, std::string_view token, std::string_view model,
                             std::string_view version = "") {
    const Digest digest = peer.id.kind == ProcessKind::kHost
                              ? access::CredentialDigest(access::HostCredential(token))
                              : access::EdgeDigest(token);
    const access::Caller caller = access::Identify(peer.table, digest, clock.WallMicros());
    if (!caller.known()) return {.allowed = false, .reason = caller.reason};
    return access::DecideCall(peer.table, *caller.subject, peer.table.FindModel(model), version,
                              clock.WallMicros());
  }

  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("gc-operations-" + Uuid::Random().ToString());
  static ledger::NoteSigner LogSigner() {
    return ledger::NoteSigner::Make("log.example", ledger::KeyType::kEd25519,
                                    Ed25519Key::FromSeed(Secret(std::string(32, 'k'))).value())
        .value();
  }

  process::EventLoop loop;
  ledger::testing::MemoryFiles log_files;
  std::optional<ledger::Policy> witnesses;  // from the next Start on
  AskWitness ask_witness;
  ShiftedClock clock;
  SystemRandom random;
  const EcdsaPrivateKey signing_key = EcdsaPrivateKey::Generate(Curve::kP256, random);
  FakeSupervisor supervisor;
  std::function<std::unique_ptr<blobs::BlobStore>()> make_blobs;  // at the next start, instead of files
  uint32_t runs_per_owner = 0;                                    // from the next Start on
  bool holds_seat = true;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<Operations> operations;
  std::unique_ptr<FakePeer> public_edge, control, host, inspector;
  std::map<uint32_t, std::unique_ptr<FakePeer>> second_hosts;  // of owners after the first
  std::optional<rpc::InspectReport> report = GoodReport();     // of the next inspector; none: it stays silent
  std::string root;  // the first subject's token: operator and owner
  uint64_t last_request = 0;
};

}  // namespace glasscase::operations::testing
