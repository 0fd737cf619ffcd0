// serve: the installation in the foreground, as the parent of all its processes.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <glasscase/process/fd.h>

#include "child_process.h"
#include "command.h"
#include "listen_address.h"
#include "self_signed.h"
#include "serve_settings.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct ServeOptions : ServeSettings {
  CLI::App* command = nullptr;
};

// The supervisor while it runs.
struct Supervisor {
  pid_t pid = 0;
  Fd ready;    // gets a line when all processes run; ends without one when they will not
  Fd signals;  // SIGINT, SIGTERM, SIGCHLD
};

Result<ServeSettings> ReadSettings(Context& context, const ServeOptions& options) {
  // The options live as long as the command does; the file may still fill in what no flag set.
  auto& settings = const_cast<ServeOptions&>(options);
  if (!settings.config.empty()) GC_TRY_VOID(ReadSettingsFile(*settings.command, settings.config));
  GC_TRY(const fs::path data, context.DataDirectory(settings.data));
  std::error_code error;
  if (settings.config.empty() && fs::exists(data / "glasscase.conf", error)) {
    GC_TRY_VOID(ReadSettingsFile(*settings.command, data / "glasscase.conf"));
  }
  settings.data = data.string();
  for (std::string* path : {&settings.tls_cert, &settings.tls_key}) {
    if (!path->empty()) *path = fs::absolute(*path, error).string();
  }
  GC_TRY_VOID(CheckServeSettings(settings));
  return static_cast<const ServeSettings&>(settings);
}

Status CheckBeforeStart(const ServeSettings& settings) {
  // The names are api/formats/data-directory.md's. What lies in the files is the custodian's to check.
  const bool has_server = !settings.catalog.empty();
  const fs::path catalog = fs::path(settings.data) / (has_server ? "keys/ledger.key" : "catalog.db");
  if (access(catalog.c_str(), F_OK) != 0) {
    if (errno != ENOENT && errno != ENOTDIR)
      return Fail(Error::FromErrno(errno, "could not read " + catalog.string()));
    return Fail(Error::FailedPrecondition("there is no installation in " + settings.data +
                                          ": make one with: glasscase init --data " + settings.data));
  }
  for (const auto& file : {settings.tls_cert, settings.tls_key}) {
    if (!file.empty() && access(file.c_str(), R_OK) != 0)
      return Fail(Error::FromErrno(errno, "could not read " + file));
  }
  GC_TRY(const ListenAddress http, ListenAddress::Parse(settings.http));
  GC_TRY(const ListenAddress control, ListenAddress::Parse(settings.control));
  GC_TRY_VOID(CheckPortIsFree(http, "--http"));
  return CheckPortIsFree(control, "--control");
}

Result<Supervisor> Start(const Context& context, const ServeSettings& settings) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscased"));
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "could not make a pipe"));
  Supervisor supervisor;
  supervisor.ready = Fd(ends[0]);
  const Fd write_end(ends[1]);
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&watched, signal);
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  supervisor.signals = Fd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  GC_TRY(supervisor.pid,
         StartProgram(program, SupervisorArguments(settings, write_end.get()), write_end.get()));
  return supervisor;
}

// Passes signals on. The exit code when the supervisor has ended.
std::optional<int> HandleSignals(const Supervisor& supervisor) {
  signalfd_siginfo info{};
  while (read(supervisor.signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != static_cast<uint32_t>(SIGCHLD)) {
      kill(supervisor.pid, SIGTERM);
      continue;
    }
    int wait_status = 0;
    if (waitpid(supervisor.pid, &wait_status, WNOHANG) == supervisor.pid) return ExitCodeOf(wait_status);
  }
  return std::nullopt;
}

// So that commands in another window find a server that listens elsewhere than last time.
void KeepAddresses(Context& context, const ServeSettings& settings, const std::string& url,
                   const std::string& control_url) {
  auto stored = context.profiles().Load(context.profile_name);
  if (!stored || !*stored || (*stored)->data != settings.data) return;
  Profile profile = std::move(**stored);
  std::string pin;
  if (settings.HasTls()) {
    std::ifstream stream(settings.tls_cert);
    std::ostringstream text;
    text << stream.rdbuf();
    pin = PinOfCertificate(text.str()).value_or("");
  }
  if (profile.url == url && profile.control_url == control_url && profile.pin == pin) return;
  profile.url = url;
  profile.control_url = control_url;
  profile.pin = pin;
  if (context.profiles().Save(context.profile_name, profile)) {
    context.console.Note("profile " + context.profile_name + " now points here");
  }
}

void AnnounceReady(Context& context, const ServeSettings& settings, pid_t pid) {
  const std::string url = ListenAddress::Parse(settings.http)->Url(settings.HasTls());
  const std::string control_url = ListenAddress::Parse(settings.control)->Url(settings.HasTls());
  KeepAddresses(context, settings, url, control_url);
  if (context.console.json) {
    context.console.PrintJson(json::object{
        {"ready", true}, {"url", url}, {"control_url", control_url}, {"pid", pid}, {"data", settings.data}});
  } else {
    context.console.PrintLine("ready: " + url + " (control " + control_url + ")");
  }
}

// Until the supervisor ends. Its exit code.
Result<Outcome> Watch(Context& context, const ServeSettings& settings, Supervisor supervisor) {
  bool ready = false;
  bool ready_ended = false;
  for (;;) {
    std::array<pollfd, 2> watched = {pollfd{supervisor.signals.get(), POLLIN, 0},
                                     pollfd{supervisor.ready.get(), POLLIN, 0}};
    if (poll(watched.data(), ready_ended ? 1 : 2, -1) < 0 && errno != EINTR) {
      return Fail(Error::FromErrno(errno, "waiting for glasscased"));
    }
    std::array<char, 256> line{};
    if (!ready_ended && watched[1].revents != 0) {
      const ssize_t n = read(supervisor.ready.get(), line.data(), line.size());
      if (n > 0 && !ready) {
        ready = true;
        AnnounceReady(context, settings, supervisor.pid);
      }
      ready_ended = n <= 0;
    }
    if (const auto exit_code = HandleSignals(supervisor)) {
      if (!ready && *exit_code != 0) {
        return Fail(Error::FailedPrecondition("glasscased ended before it was ready (exit code " +
                                              std::to_string(*exit_code) + "); its reason stands above"));
      }
      return Outcome{*exit_code};
    }
  }
}

Result<Outcome> Serve(Context& context, const ServeOptions& options) {
  GC_TRY(const ServeSettings settings, ReadSettings(context, options));
  GC_TRY_VOID(CheckBeforeStart(settings));
  GC_TRY(Supervisor supervisor, Start(context, settings));
  return Watch(context, settings, std::move(supervisor));
}

}  // namespace

void AddServeCommand(CommandTree& tree) {
  tree.Add<ServeOptions>(
      tree.root(), "serve", "Run the installation in the foreground, until ^C, SIGTERM or `glasscase stop`",
      "glasscase serve\nglasscase serve --data /srv/glasscase --http 127.0.0.1:9000\n"
      "glasscase serve --http 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem",
      [](CLI::App& command, ServeOptions& options) {
        options.command = &command;
        DeclareServeOptions(command, options);
      },
      Serve);
}

}  // namespace glasscase::commands
