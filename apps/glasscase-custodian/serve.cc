#include "serve.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/clock.h>
#include <glasscase/core/log.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/http/routes.h>
#include <glasscase/ledger_filesystem/log_folder.h>
#include <glasscase/operations/operations.h>
#include <glasscase/outlet/outlets.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/follow_lifeline.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>

#include "chain.h"
#include "data_directory.h"
#include "ledger_key.h"
#include "migrate.h"
#include "seat.h"
#include "signing_key.h"

namespace glasscase::custodian {
namespace {

using process::kLifelineFd;
using process::LifelineMessage;
using Type = LifelineMessage::Type;

constexpr int kSeatMs = 1'000;            // how often the seat is asked for, and proved
constexpr int64_t kOwnLastLifeMs = 500;   // by then the server knows that a killed one is gone
constexpr uint64_t kOpenFilesMax = 8192;  // links, uploads, descriptors on their way to hosts

// Asks the supervisor over the lifeline.
class LifelineSupervisor final : public operations::Supervisor {
 public:
  void NeedHost(uint32_t slot) override {
    Say({.type = Type::kNeedHost, .peer = process::ProcessKind::kHost, .slot = slot});
  }
  void Kill(const operations::PeerId& peer) override {
    Say({.type = Type::kKill, .peer = peer.kind, .slot = peer.slot});
  }
  void Inspect(uint32_t number) override {
    Say({.type = Type::kInspect, .peer = process::ProcessKind::kInspector, .slot = number});
  }
  void Stop() override { Say({.type = Type::kStop}); }

  static void Say(const LifelineMessage& message) {
    const Status said = process::SendLifeline(kLifelineFd, message);
    if (!said) LogError("the supervisor does not listen: " + said.error().message());
  }
};

// The supervisor's messages. What comes before its time is kept.
class Inbox {
 public:
  // Of the wanted type, waiting for it; Unavailable when the supervisor says that it is over.
  Result<process::ReceivedLifelineMessage> Await(Type wanted) {
    while (true) {
      GC_TRY_VOID(Wait(-1));
      GC_TRY(auto received, process::ReceiveLifeline(kLifelineFd));
      if (!received) continue;
      if (received->message.type == wanted) return std::move(*received);
      GC_TRY_VOID(Keep(std::move(*received)));
    }
  }
  // Waits a while; Unavailable when the supervisor says that it is over.
  Status Pause(int ms) {
    GC_TRY(const bool there, Wait(ms));
    if (!there) return Ok();
    GC_TRY(auto received, process::ReceiveLifeline(kLifelineFd));
    return received ? Keep(std::move(*received)) : Ok();
  }
  const std::vector<process::ReceivedLifelineMessage>& kept() const { return kept_; }
  std::vector<process::ReceivedLifelineMessage> TakeKept() { return std::move(kept_); }

 private:
  static Result<bool> Wait(int ms) {
    pollfd lifeline{.fd = kLifelineFd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&lifeline, 1, ms);
    if (ready < 0 && errno != EINTR) return Fail(Error::FromErrno(errno, "wait for the supervisor"));
    return ready > 0;
  }
  Status Keep(process::ReceivedLifelineMessage received) {
    if (received.message.type == Type::kShutDown)
      return Fail(Error::Unavailable("told to end before the start"));
    kept_.push_back(std::move(received));
    return Ok();
  }
  std::vector<process::ReceivedLifelineMessage> kept_;
};

Result<Fd> ReceiveDataDirectory(Inbox& inbox) {
  GC_TRY(auto received, inbox.Await(Type::kDataDirectory));
  if (received.fds.size() != 1) return Fail(Error::InvalidArgument("the supervisor sent no data directory"));
  return std::move(received.fds[0]);
}

Result<outlet::Outlets> OpenOutlets(const std::vector<std::string>& texts) {
  std::vector<outlet::Server> servers;
  for (const std::string& text : texts) {
    GC_TRY(outlet::Server server, outlet::Server::Parse(text));
    servers.push_back(std::move(server));
  }
  GC_TRY(outlet::Outlets outlets, outlet::Outlets::Open(std::move(servers)));
  for (size_t i = 0; i < outlets.servers().size(); ++i) {
    GC_TRY_VOID(process::SendLifeline(
        kLifelineFd,
        {.type = Type::kOutlet, .peer = process::ProcessKind::kRelay, .slot = static_cast<uint32_t>(i)},
        {outlets.listener(i)}));
  }
  return outlets;
}

// Algorithms are looked up in files that are out of reach afterwards.
Status WarmUp(bool for_servers) {
  (void)Sha256(AsBytes("warm-up"));
  (void)Ed25519Key::FromSeed(Secret(std::string(32, 'w')))->Sign({});
  // The first key of a kind makes OpenSSL read its configuration, the first signature its generator.
  SystemRandom random;
  const auto key = EcdsaPrivateKey::Generate(Curve::kP256, random);
  GC_TRY_VOID(EcdsaPrivateKey::FromPem(key.Pem()));
  GC_TRY_VOID(key.Sign({}));
  if (for_servers) GC_TRY_VOID(fetch::Fetcher::Create());
  return Ok();
}

struct Confined {
  process::Confinement confinement;
  outlet::Outlets outlets;
};

Result<Confined> ConfineToDirectory(int directory, const std::vector<std::string>& servers) {
  GC_TRY_VOID(WarmUp(!servers.empty()));
  struct stat facts {};
  if (::fstat(directory, &facts) != 0)
    return Fail(Error::FromErrno(errno, "cannot look at the data directory"));
  process::Policy policy;
  policy.syscalls = process::SyscallProfile::kCustodian;
  policy.root_directory_fd = directory;
  policy.files_below_root = true;
  policy.open_files_max = kOpenFilesMax;
  if (::geteuid() == 0) policy.user = facts.st_uid;
  process::Confinement entered = process::EnterNamespaces(policy);
  Confined confined;
  GC_TRY(confined.outlets, OpenOutlets(servers));
  policy.connect_ports = confined.outlets.ports();
  GC_TRY(confined.confinement, process::Confine(policy, std::move(entered)));
  return confined;
}

// SQLite wants a path. Below a changed root it is short; where the kernel did not let us change it, the
// directory is found by its descriptor.
std::string PathOfCatalog(int directory) {
  struct stat root {
  }, data{};
  const bool changed = ::stat("/", &root) == 0 && ::fstat(directory, &data) == 0 &&
                       root.st_dev == data.st_dev && root.st_ino == data.st_ino;
  return (changed ? std::string() : "/proc/self/fd/" + std::to_string(directory)) + "/" + kCatalogFile;
}

// What the custodian is made of; destroyed in reverse.
struct Works {
  process::EventLoop loop;
  SystemClock clock;
  SystemRandom random;
  outlet::Outlets outlets;
  std::optional<Stores> stores;
  LifelineSupervisor supervisor;
  std::optional<Seat> seat;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<ledger::LogFiles> log_files;
  std::unique_ptr<ledger::Anchor> anchor;  // with a chain
  std::unique_ptr<operations::Operations> operations;
  Status outcome;
};

// To edges that wait for their first table.
void TellOfStandby(const process::ReceivedLifelineMessage& link, const std::string& why) {
  const bool edge = link.message.peer == process::ProcessKind::kPublicEdge ||
                    link.message.peer == process::ProcessKind::kControlEdge;
  if (link.message.type != Type::kRpcLink || !edge || link.fds.size() != 1) return;
  rpc::FromCustodian message;
  message.mutable_standby()->set_why(why);
  process::FrameSocket socket(Fd(::fcntl(link.fds[0].get(), F_DUPFD_CLOEXEC, 0)), {});
  const Status sent = socket.Send(message.SerializeAsString());
  if (!sent) LogWarning("an edge does not hear that it has to wait: " + sent.error().message());
}

// Tells every edge that came meanwhile why it has to wait, and waits for more to come.
Status PauseOnStandby(Inbox& inbox, int ms, const std::string& why, size_t& told) {
  for (; told < inbox.kept().size(); ++told) TellOfStandby(inbox.kept()[told], why);
  return inbox.Pause(ms);
}

// Of several custodians over one database, one works and the others wait here. A seat that was given up a
// moment ago may be that of our own last life; only one that stays taken is another's.
Status AwaitSeat(Works& works, Inbox& inbox) {
  if (!works.seat->shared()) return Ok();
  const int64_t begun_ns = works.clock.MonotonicNanos();
  const auto since_ms = [&](int64_t ns) { return (works.clock.MonotonicNanos() - ns) / 1'000'000; };
  const std::string why = "another custodian serves this catalog; this one waits to take over";
  bool waited = false;
  size_t told = 0;
  while (true) {
    GC_TRY(const bool mine, works.seat->TryToTake());
    if (mine) break;
    if (since_ms(begun_ns) < kOwnLastLifeMs) {
      GC_TRY_VOID(inbox.Pause(kOwnLastLifeMs / 10));
      continue;
    }
    if (!std::exchange(waited, true)) LogInfo(why);
    GC_TRY_VOID(PauseOnStandby(inbox, kSeatMs, why, told));
  }
  if (!waited) return Ok();
  LogInfo("taking over, when the leases of the last one have lapsed");
  for (const int64_t taken_ns = works.clock.MonotonicNanos(); since_ms(taken_ns) < Seat::kLapseMs;) {
    GC_TRY_VOID(PauseOnStandby(inbox, kSeatMs / 2, "taking over this catalog; try again", told));
    works.seat->Prove();
    if (works.seat->taken_over())
      return Fail(Error(Code::kAborted, "another custodian has taken over this catalog"));
  }
  return Ok();
}

// A lost connection is made again; a seat that somebody else has taken ends this process, which waits then.
void KeepSeat(Works& works) {
  works.seat->Prove();
  if (!works.seat->taken_over()) return;
  works.outcome = Fail(Error(Code::kAborted, "another custodian has taken over this catalog"));
  works.loop.Stop();
}

Status OpenStores(Works& works, const Fd& directory) {
  GC_TRY(works.catalog, works.stores->OpenCatalog({.path = PathOfCatalog(directory.get())}));
  GC_TRY(const auto moved, works.catalog->Setting(kMovedSetting));
  if (moved)
    return Fail(Error::FailedPrecondition("the catalog was moved to " + *moved +
                                          ": serve that one (catalog = " + *moved + " in glasscase.conf)"));
  GC_TRY(works.blobs, works.stores->OpenBlobs());
  GC_TRY_VOID(MakeFolderAt(directory.get(), kLogFolder));
  GC_TRY(Fd for_log, OpenFolderAt(directory.get(), kLogFolder));
  GC_TRY(works.log_files, ledger::OpenLogFolder(std::move(for_log)));
  return MakeFolderAt(directory.get(), kAuditFolder);
}

// Each of several data directories has a key file: with different ones they would sign different logs.
Status CheckIsTheLogsKey(catalog::Catalog& catalog, const ledger::NoteVerifier& verifier) {
  GC_TRY(const auto known, catalog.Setting(kLedgerKeySetting));
  if (known && *known == verifier.ToString()) return Ok();
  if (known)
    return Fail(Error::FailedPrecondition(
        "keys/ledger.key is not the key of this catalog's log: file=" + verifier.ToString() +
        ", catalog=" + *known + "; copy keys/ of the directory that serves this catalog"));
  GC_TRY(const auto transaction, catalog.Begin());
  GC_TRY_VOID(transaction->SetSetting(kLedgerKeySetting, verifier.ToString()));
  return transaction->Commit();
}

Result<ledger::NoteSigner> LedgerKey(Works& works, const Fd& directory) {
  GC_TRY(const auto installation, works.catalog->Setting(catalog::kInstallationSetting));
  GC_TRY(const Uuid id, Uuid::Parse(installation.value_or("")));
  GC_TRY(ledger::NoteSigner signer, LoadOrMakeLedgerKey(directory.get(), id, works.random));
  if (works.seat->shared()) GC_TRY_VOID(CheckIsTheLogsKey(*works.catalog, signer.verifier()));
  return signer;
}

// Whom the policy names as witnesses; none when there is no such file.
Result<std::optional<ledger::Policy>> ReadWitnesses(const Fd& directory) {
  GC_TRY(const std::string text, ReadFileAt(directory.get(), kPolicyFile, ledger::Policy::kBytesMax));
  if (text.empty()) return std::nullopt;
  auto policy = ledger::Policy::Parse(text);
  if (!policy) return Fail(policy.error().WithContext(kPolicyFile));
  return std::optional<ledger::Policy>(*std::move(policy));
}

// One connection for each witness, kept open: a checkpoint comes ten times a second, and reading all
// authorities for a new one takes longer than a witness does.
operations::AskWitness MakeAskWitness(const Stores& stores) {
  using Fetchers = std::map<std::string, std::unique_ptr<fetch::Fetcher>>;
  return [options =
              fetch::FetcherOptions{
                  .connect_timeout_ms = 5'000, .ca_pem = stores.ca_pem(), .resolved = stores.Resolved()},
          fetchers = std::make_shared<Fetchers>()](
             const ledger::WitnessRequest& request) -> Result<ledger::WitnessReply> {
    std::unique_ptr<fetch::Fetcher>& fetcher = (*fetchers)[request.witness];
    if (!fetcher) {
      GC_TRY(fetcher, fetch::Fetcher::Create(options));
    }
    GC_TRY(const fetch::Answer answer, fetcher->Fetch({.method = "POST",
                                                       .url = request.url,
                                                       .headers = {{"Content-Type", "text/plain"}},
                                                       .body = AsBytes(request.body),
                                                       .answer_bytes_max = 65'536,
                                                       .total_timeout_ms = 10'000}));
    return ledger::WitnessReply{.status = answer.status,
                                .content_type = std::string(answer.HeaderOf("content-type")),
                                .body = answer.body};
  };
}

Status Start(Works& works, const Fd& directory, process::Confinement confinement,
             const ServeOptions& options) {
  GC_TRY_VOID(OpenStores(works, directory));
  GC_TRY(ledger::NoteSigner signer, LedgerKey(works, directory));
  GC_TRY(EcdsaPrivateKey signing_key, LoadOrMakeSigningKey(directory.get(), works.random));
  GC_TRY(EcdsaPrivateKey gate_key, LoadOrMakeGateKey(directory.get(), works.random));
  operations::Settings settings;
  GC_TRY(settings.audit_directory, OpenFolderAt(directory.get(), kAuditFolder));
  GC_TRY_VOID(MakeFolderAt(directory.get(), kRunsFolder));
  GC_TRY(settings.runs_directory, OpenFolderAt(directory.get(), kRunsFolder));
  settings.version = GLASSCASE_VERSION;
  GC_TRY(settings.witnesses, ReadWitnesses(directory));
  GC_TRY(const auto chain, ReadChainSettings(directory.get()));
  if (chain) {
    GC_TRY(works.anchor, OpenAnchor(*chain, directory.get(), *works.stores));
    settings.chain = chain->Place();
    settings.anchor_every_s = chain->anchor_every_s;
  }
  settings.confinement = std::move(confinement);
  settings.uploads_idle_ms = options.uploads_expire_s * 1000;
  settings.closed_log = options.closed_log;
  settings.runs_per_owner = options.runs_per_owner;
  // The edges' own table, so that a route has one name everywhere; nothing else of that module is linked.
  settings.route_name = http::RouteName;
  GC_TRY(works.operations,
         operations::Operations::Start({.loop = works.loop,
                                        .clock = works.clock,
                                        .random = works.random,
                                        .catalog = *works.catalog,
                                        .blobs = *works.blobs,
                                        .supervisor = works.supervisor,
                                        .log_files = *works.log_files,
                                        .log_signer = std::move(signer),
                                        .signing_key = std::move(signing_key),
                                        .gate_key = std::move(gate_key),
                                        .ask_witness = MakeAskWitness(*works.stores),
                                        .anchor = works.anchor.get(),
                                        .holds_seat = [&works] { return works.seat->Holds(); }},
                                       std::move(settings)));
  return Ok();
}

void OnMessage(Works& works, process::ReceivedLifelineMessage received) {
  const LifelineMessage& message = received.message;
  const operations::PeerId peer{.kind = message.peer, .slot = message.slot};
  switch (message.type) {
    case Type::kRpcLink:
      if (received.fds.size() == 1) works.operations->Link(peer, std::move(received.fds[0]));
      return;
    case Type::kPeerGone: works.operations->PeerGone(peer); return;
    case Type::kShutDown: works.loop.Stop(); return;
    default: LogWarning("the supervisor sent a message that is not for the custodian"); return;
  }
}

}  // namespace

Status Serve(ServeOptions options) {
  Inbox inbox;
  GC_TRY(const Fd directory, ReceiveDataDirectory(inbox));
  Works works;
  GC_TRY(works.stores,
         Stores::Prepare(std::move(options.stores), directory.get(), works.clock, works.random));
  GC_TRY(Confined confined, ConfineToDirectory(directory.get(), options.servers));
  for (const std::string& missing : confined.confinement.missing) LogWarning("not confined by " + missing);
  works.outlets = std::move(confined.outlets);
  if (!works.outlets.empty()) works.stores->Use(works.outlets);
  works.seat.emplace(*works.stores, works.clock);
  GC_TRY_VOID(AwaitSeat(works, inbox));
  GC_TRY_VOID(Start(works, directory, std::move(confined.confinement), options));

  // When it ends, edges and hosts have finished; what is left is to write down.
  GC_TRY_VOID(process::FollowLifeline(
      works.loop, kLifelineFd,
      [&works](process::ReceivedLifelineMessage received) { OnMessage(works, std::move(received)); }));
  for (process::ReceivedLifelineMessage& message : inbox.TakeKept()) OnMessage(works, std::move(message));
  LifelineSupervisor::Say({.type = Type::kReady});
  if (works.seat->shared()) works.loop.Every(kSeatMs, [&works] { KeepSeat(works); });
  works.loop.Run();
  works.operations->Flush();
  return works.outcome;
}

}  // namespace glasscase::custodian
