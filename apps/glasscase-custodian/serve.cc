#include "serve.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/log.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/http/routes.h>
#include <glasscase/ledger_filesystem/log_folder.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/lifeline.h>

#include "data_directory.h"
#include "ledger_key.h"

namespace glasscase::custodian {
namespace {

using process::kLifelineFd;
using process::LifelineMessage;
using Type = LifelineMessage::Type;

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

Result<Fd> ReceiveDataDirectory() {
  while (true) {
    pollfd lifeline{.fd = kLifelineFd, .events = POLLIN, .revents = 0};
    ::poll(&lifeline, 1, -1);
    GC_TRY(auto received, process::ReceiveLifeline(kLifelineFd));
    if (!received) continue;
    if (received->message.type == Type::kShutDown)
      return Fail(Error::Unavailable("told to end before the start"));
    if (received->message.type == Type::kDataDirectory && received->fds.size() == 1)
      return std::move(received->fds[0]);
    LogWarning("a message came before the data directory and is passed over");
  }
}

Result<process::Confinement> ConfineToDirectory(int directory) {
  // Algorithms are looked up in files that are out of reach afterwards.
  (void)Sha256(AsBytes("warm-up"));
  (void)Ed25519Key::FromSeed(Secret(std::string(32, 'w')))->Sign({});
  struct stat facts {};
  if (::fstat(directory, &facts) != 0)
    return Fail(Error::FromErrno(errno, "cannot look at the data directory"));
  process::Policy policy;
  policy.syscalls = process::SyscallProfile::kCustodian;
  policy.root_directory_fd = directory;
  policy.files_below_root = true;
  policy.open_files_max = kOpenFilesMax;
  if (::geteuid() == 0) policy.user = facts.st_uid;
  return process::Confine(policy);
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
  LifelineSupervisor supervisor;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<ledger::LogFiles> log_files;
  std::unique_ptr<operations::Operations> operations;
};

Status OpenStores(Works& works, const Fd& directory) {
  GC_TRY(works.catalog, catalog::OpenSqliteCatalog(PathOfCatalog(directory.get()), works.clock));
  GC_TRY(Fd for_blobs, OpenFolderAt(directory.get(), "."));
  GC_TRY(works.blobs, blobs::OpenFilesystemBlobStore(std::move(for_blobs)));
  GC_TRY_VOID(MakeFolderAt(directory.get(), kLogFolder));
  GC_TRY(Fd for_log, OpenFolderAt(directory.get(), kLogFolder));
  GC_TRY(works.log_files, ledger::OpenLogFolder(std::move(for_log)));
  return MakeFolderAt(directory.get(), kAuditFolder);
}

Result<ledger::NoteSigner> LedgerKey(Works& works, const Fd& directory) {
  GC_TRY(const auto installation, works.catalog->Setting(catalog::kInstallationSetting));
  GC_TRY(const Uuid id, Uuid::Parse(installation.value_or("")));
  return LoadOrMakeLedgerKey(directory.get(), id, works.random);
}

Status Start(Works& works, const Fd& directory, process::Confinement confinement,
             const ServeOptions& options) {
  GC_TRY_VOID(OpenStores(works, directory));
  GC_TRY(ledger::NoteSigner signer, LedgerKey(works, directory));
  operations::Settings settings;
  GC_TRY(settings.audit_directory, OpenFolderAt(directory.get(), kAuditFolder));
  settings.version = GLASSCASE_VERSION;
  settings.confinement = std::move(confinement);
  settings.uploads_idle_ms = options.uploads_expire_s * 1000;
  // The edges' own table, so that a route has one name everywhere; nothing else of that module is linked.
  settings.route_name = http::RouteName;
  GC_TRY(works.operations, operations::Operations::Start({.loop = works.loop,
                                                          .clock = works.clock,
                                                          .random = works.random,
                                                          .catalog = *works.catalog,
                                                          .blobs = *works.blobs,
                                                          .supervisor = works.supervisor,
                                                          .log_files = *works.log_files,
                                                          .log_signer = std::move(signer)},
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
    // Edges and hosts have finished by then; what is left is to write down.
    case Type::kShutDown: works.loop.Stop(); return;
    default: LogWarning("the supervisor sent a message that is not for the custodian"); return;
  }
}

void OnLifeline(Works& works) {
  while (true) {
    auto received = process::ReceiveLifeline(kLifelineFd);
    if (!received) {
      LogInfo("the supervisor is gone");
      return works.loop.Stop();
    }
    if (!*received) return;
    OnMessage(works, std::move(**received));
  }
}

}  // namespace

Status Serve(const ServeOptions& options) {
  GC_TRY(const Fd directory, ReceiveDataDirectory());
  GC_TRY(process::Confinement confinement, ConfineToDirectory(directory.get()));
  for (const std::string& missing : confinement.missing) LogWarning("not confined by " + missing);
  Works works;
  GC_TRY_VOID(Start(works, directory, std::move(confinement), options));

  const int flags = ::fcntl(kLifelineFd, F_GETFL);
  if (flags < 0 || ::fcntl(kLifelineFd, F_SETFL, flags | O_NONBLOCK) != 0)
    return Fail(Error::FromErrno(errno, "cannot set up the lifeline"));
  works.loop.Add(kLifelineFd, EPOLLIN, [&works](uint32_t) { OnLifeline(works); });
  LifelineSupervisor::Say({.type = Type::kReady});
  works.loop.Run();
  works.operations->Flush();
  return Ok();
}

}  // namespace glasscase::custodian
