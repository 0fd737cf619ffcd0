// glasscase-witness: signs checkpoints of logs of others. Started by `glasscase witness`.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <glasscase/core/clock.h>
#include <glasscase/core/log.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/witness.h>
#include <glasscase/ledger_filesystem/witness_folder.h>
#include <glasscase/process/confine.h>
#include <glasscase/witness/witness_server.h>

namespace {

using glasscase::Ed25519Key;
using glasscase::Error;
using glasscase::Fail;
using glasscase::Fd;
using glasscase::LogError;
using glasscase::LogWarning;
using glasscase::Ok;
using glasscase::Result;
using glasscase::Secret;
using glasscase::Status;
using glasscase::ledger::KeyType;
using glasscase::ledger::NoteSigner;
using glasscase::ledger::NoteVerifier;
namespace ledger = glasscase::ledger;
namespace process = glasscase::process;

constexpr char kKeyFile[] = "key";

struct Options {
  std::string init_name;  // makes a witness of this name instead of serving
  std::string data;
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  std::vector<std::string> logs;
  bool json = false;
};

Result<Fd> OpenFolder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return Fail(Error::FromErrno(errno, "cannot open the folder of the witness " + path));
  return folder;
}

Status WriteKey(const Fd& folder, std::string_view text) {
  const Fd file(::openat(folder.get(), kKeyFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) {
    if (errno == EEXIST) return Fail(Error::AlreadyExists("there is a witness's key in this folder already"));
    return Fail(Error::FromErrno(errno, "cannot write the witness's key"));
  }
  const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (written && ::fsync(file.get()) == 0 && ::fsync(folder.get()) == 0) return Ok();
  return Fail(Error::FromErrno(errno, "cannot write the witness's key"));
}

Status Initialise(const Options& options) {
  glasscase::SystemRandom random;
  GC_TRY(const NoteSigner signer,
         NoteSigner::Make(options.init_name, KeyType::kEd25519Cosignature, Ed25519Key::Generate(random)));
  if (::mkdir(options.data.c_str(), 0700) != 0 && errno != EEXIST)
    return Fail(Error::FromErrno(errno, "cannot make the folder " + options.data));
  GC_TRY(const Fd folder, OpenFolder(options.data));
  GC_TRY_VOID(WriteKey(folder, signer.ToSecret().Reveal(glasscase::RevealToken{})));
  std::printf("%s\n", signer.verifier().ToString().c_str());
  return Ok();
}

Result<NoteSigner> ReadKey(const Fd& folder) {
  const Fd file(::openat(folder.get(), kKeyFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) {
    return Fail(Error::FromErrno(errno, "cannot read the witness's key (make one: glasscase witness init)"));
  }
  std::string text(4'096, '\0');
  const ssize_t bytes = ::read(file.get(), text.data(), text.size());
  if (bytes < 0) return Fail(Error::FromErrno(errno, "cannot read the witness's key"));
  text.resize(static_cast<size_t>(bytes));
  auto signer = NoteSigner::Parse(Secret(std::move(text)));
  if (!signer) return Fail(signer.error().WithContext("the file \"key\" of the witness"));
  return signer;
}

Result<std::vector<NoteVerifier>> ReadLogs(const std::vector<std::string>& vkeys) {
  std::vector<NoteVerifier> logs;
  for (const std::string& vkey : vkeys) {
    GC_TRY(NoteVerifier log, NoteVerifier::Parse(vkey));
    logs.push_back(std::move(log));
  }
  return logs;
}

void AnnounceReady(const Options& options, const NoteVerifier& verifier, uint16_t port) {
  const bool is_v6 = options.address.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + options.address + "]" : options.address;
  std::printf(options.json ? "{\"ready\":true,\"url\":\"http://%s:%u\",\"vkey\":\"%s\"}\n"
                           : "ready: http://%s:%u (%s)\n",
              host.c_str(), port, verifier.ToString().c_str());
  std::fflush(stdout);
}

// What is left when foreign bytes come: the listening socket, and the files in its own folder.
Status ConfineToFolder(int folder) {
  struct stat facts {};
  if (::fstat(folder, &facts) != 0)
    return Fail(Error::FromErrno(errno, "cannot look at the folder of the witness"));
  process::Policy policy;
  policy.syscalls = process::SyscallProfile::kWitness;
  policy.root_directory_fd = folder;
  policy.files_below_root = true;
  if (::geteuid() == 0) policy.user = facts.st_uid;
  GC_TRY(const process::Confinement confinement, process::Confine(policy));
  ::prctl(PR_SET_DUMPABLE, 0);  // the key stays in this memory; not earlier, or /proc/self belongs to root
  for (const std::string& missing : confinement.missing) LogWarning("not confined by " + missing);
  return Ok();
}

Status Serve(const Options& options) {
  GC_TRY(Fd folder, OpenFolder(options.data));
  GC_TRY(const Fd root, OpenFolder(options.data));
  GC_TRY(NoteSigner signer, ReadKey(folder));
  (void)signer.Sign("warm-up\n");  // algorithms are looked up in files that are out of reach afterwards
  GC_TRY(std::vector<NoteVerifier> logs, ReadLogs(options.logs));
  GC_TRY(const auto state, ledger::OpenWitnessFolder(std::move(folder)));
  const glasscase::SystemClock clock;
  GC_TRY(ledger::Witness witness,
         ledger::Witness::Make(
             {.signer = std::move(signer), .logs = std::move(logs), .state = *state, .clock = clock}));
  GC_TRY(const auto server,
         glasscase::witness::WitnessServer::Listen(options.address, options.port, witness, {}));
  const uint16_t port = server->port();
  GC_TRY_VOID(ConfineToFolder(root.get()));
  AnnounceReady(options, witness.verifier(), port);
  server->Run();
  return Ok();
}

void Declare(CLI::App& app, Options& options) {
  app.add_option("--init", options.init_name, "make a key of this name, print its verifier key and end");
  app.add_option("--data", options.data, "the witness's folder")->required();
  app.add_option("--address", options.address, "where to listen, numeric");
  app.add_option("--port", options.port, "where to listen; 0: a free one");
  app.add_option("--log", options.logs, "verifier key of a log to watch (repeat)")->allow_extra_args(false);
  app.add_flag("--json", options.json, "announce in JSON");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A witness of transparency logs; started by glasscase witness."};
  Options options;
  Declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  glasscase::InitLog("glasscase-witness");
  std::signal(SIGPIPE, SIG_IGN);
  const Status done = options.init_name.empty() ? Serve(options) : Initialise(options);
  if (!done) LogError(done.error().message());
  return done ? 0 : 1;
}
