// init: an installation on this machine, its owner, and the owner's profile.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <glasscase/process/fd.h>

#include "child_process.h"
#include "command.h"
#include "json_members.h"
#include "self_signed.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct InitOptions {
  std::string data;
  std::string owner;
  bool tls_self_signed = false;
};

Status WriteNewFile(const fs::path& path, mode_t mode, std::string_view text) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "could not write " + path.string()));
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(file.get()) != 0) {
    return Fail(Error::FromErrno(errno, "could not write " + path.string()));
  }
  return Ok();
}

Result<std::string> ReadFile(const fs::path& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return Fail(Error::NotFound("could not read " + path.string()));
  return text.str();
}

// Makes DIR/tls and names it in DIR/glasscase.conf, unless they are there already. Returns the key's pin.
Result<std::string> MakeTlsFiles(const fs::path& data) {
  const fs::path folder = data / "tls";
  std::error_code error;
  if (!fs::exists(folder / "cert.pem", error)) {
    std::array<char, 256> host_name{};
    gethostname(host_name.data(), host_name.size() - 1);
    GC_TRY(const SelfSigned made, MakeSelfSigned(host_name.data()));
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return Fail(Error::FromErrno(errno, "could not make " + folder.string()));
    fs::remove(folder / "key.pem", error);  // of an attempt that was cut off
    GC_TRY_VOID(WriteNewFile(folder / "key.pem", 0600, made.key_pem));
    GC_TRY_VOID(WriteNewFile(folder / "cert.pem", 0644, made.certificate_pem));
  }
  const fs::path settings = data / "glasscase.conf";
  if (!fs::exists(settings, error)) {
    GC_TRY_VOID(WriteNewFile(settings, 0600,
                             "# Read by `glasscase serve`: the same words as its options.\ntls-cert = "
                             "tls/cert.pem\ntls-key = tls/key.pem\n"));
  } else {
    GC_TRY(const std::string text, ReadFile(settings));
    if (text.find("tls-cert") == std::string::npos) {
      std::ofstream(settings, std::ios::app) << "tls-cert = tls/cert.pem\ntls-key = tls/key.pem\n";
    }
  }
  GC_TRY(const std::string certificate, ReadFile(folder / "cert.pem"));
  return PinOfCertificate(certificate);
}

// The pin of the certificate that `serve` will use by itself; empty when it will not use TLS.
std::string PinInForce(const fs::path& data) {
  const auto certificate = ReadFile(data / "tls" / "cert.pem");
  const auto settings = ReadFile(data / "glasscase.conf");
  if (!certificate || !settings || settings->find("tls/cert.pem") == std::string::npos) return {};
  return PinOfCertificate(*certificate).value_or("");
}

Result<json::value> Initialise(const Context& context, const fs::path& data, const std::string& owner,
                               bool new_token) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  std::vector<std::string> arguments = {"--initialise", data.string()};
  if (!owner.empty()) arguments.insert(arguments.end(), {"--owner", owner});
  if (new_token) arguments.emplace_back("--new-token");
  GC_TRY(const ProgramResult result, RunProgram(program, arguments));
  if (result.exit_code != 0) {
    return Fail(
        Error::FailedPrecondition("the installation in " + data.string() + " was not made (see above)"));
  }
  return ParseJson(result.output, "what glasscase-custodian said");
}

// Keeps the profile's addresses when it belongs to this installation, so that `init` can be repeated.
Status WriteProfile(Context& context, const fs::path& data, std::optional<Profile> stored,
                    const std::string& token) {
  Profile profile;
  const bool same = stored && stored->data == data.string();
  const std::string pin = PinInForce(data);
  const std::string scheme = pin.empty() ? "http://" : "https://";
  profile.data = data.string();
  profile.url = scheme + "127.0.0.1:8000";
  profile.control_url = scheme + "127.0.0.1:8010";
  if (same) {
    profile.url =
        scheme +
        stored->url.substr(stored->url.find("://") == std::string::npos ? 0 : stored->url.find("://") + 3);
    profile.control_url =
        scheme + stored->control_url.substr(stored->control_url.find("://") == std::string::npos
                                                ? 0
                                                : stored->control_url.find("://") + 3);
  }
  profile.pin = pin;
  profile.token = token.empty() && same ? std::move(stored->token) : Secret(token);
  if (stored && !same) {
    GC_TRY(const std::string aside, context.profiles().SetAside(context.profile_name));
    context.console.Note("the former profile " + context.profile_name +
                         " belongs to another installation and is kept as --profile " + aside);
  }
  return context.profiles().Save(context.profile_name, profile);
}

Result<Outcome> Init(Context& context, const InitOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  GC_TRY(std::optional<Profile> stored, context.profiles().Load(context.profile_name));
  const bool has_token = stored && stored->data == data.string() && !stored->token.empty();
  GC_TRY(const json::value made, Initialise(context, data, options.owner, !has_token));
  if (options.tls_self_signed) {
    GC_TRY(const std::string pin, MakeTlsFiles(data));
    context.console.Note("certificate: " + (data / "tls" / "cert.pem").string() + ", pin " + pin);
  }
  const bool created = FlagOf(made, "created");
  GC_TRY_VOID(WriteProfile(context, data, std::move(stored), TextOf(made, "token")));
  const std::string profile_path = context.profiles().PathOf(context.profile_name).string();
  if (context.console.json) {
    json::object shown = made.is_object() ? made.get_object() : json::object{};
    shown["data"] = data.string();
    shown["profile"] = profile_path;
    context.console.PrintJson(shown);
    return Done();
  }
  context.console.PrintLine((created ? "made installation " : "this is installation ") +
                            ShownOf(made, "installation") + " in " + data.string());
  context.console.PrintLine("you are " + ShownOf(made, "subject") +
                            ", operator and owner; your token is in " + profile_path);
  context.console.PrintLine("next: glasscase serve");
  return Done();
}

}  // namespace

void AddInitCommand(CommandTree& tree) {
  tree.Add<InitOptions>(
      tree.root(), "init", "Make an installation on this machine; safe to repeat",
      "glasscase init\nglasscase init --data /srv/glasscase --owner ada\nglasscase init "
      "--tls-self-signed",
      [](CLI::App& command, InitOptions& options) {
        command
            .add_option("--data", options.data,
                        "Data directory (default: GLASSCASE_DATA, else ~/.local/share/glasscase)")
            ->type_name("DIR");
        command.add_option("--owner", options.owner, "Name of the first subject, operator and owner")
            ->type_name("NAME");
        command.add_flag("--tls-self-signed", options.tls_self_signed,
                         "Make a certificate that `login` pins, and serve with it");
      },
      Init);
}

}  // namespace glasscase::commands
