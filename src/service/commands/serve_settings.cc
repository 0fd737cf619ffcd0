#include "serve_settings.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <CLI/Config.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/ledger/policy.h>
#include <glasscase/outlet/server.h>

#include "json_members.h"
#include "listen_address.h"
#include "nearest.h"
#include "time_option.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

std::string HintFor(const CLI::App& command, const std::string& key) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) {
      if (name != "help" && name != "config") keys.push_back(name);
    }
  }
  const auto nearest = Nearest(key, keys);
  return nearest ? "; did you mean " + *nearest + "?" : "; glasscase serve --help lists them";
}

bool IsPath(const std::string& key) {
  return key == "data" || key == "runners" || key == "images" || key == "jobs" || key == "slurm-conf" ||
         key == "registry-auth" || key.starts_with("tls-") || IsClusterPath(key);
}

Status Apply(CLI::App& command, const fs::path& folder, const CLI::ConfigItem& item) {
  CLI::Option* option =
      item.name == "config" || item.name == "help" ? nullptr : command.get_option_no_throw("--" + item.name);
  if (!item.parents.empty() || option == nullptr) {
    return Fail(Error::InvalidArgument("there is no setting " + Printable(item.fullname(), 60) +
                                       HintFor(command, item.name)));
  }
  if (option->count() > 0) return Ok();  // the flag wins
  if (item.inputs.size() != 1) return Fail(Error::InvalidArgument(item.name + " takes one value"));
  std::string value = item.inputs.front();
  if (IsPath(item.name)) value = (folder / value).lexically_normal().string();
  try {
    if (option->get_expected_max() == 0) {  // a flag
      option->add_result(option->get_flag_value(item.name, value));
    } else {
      option->add_result(value);
    }
    option->run_callback();
  } catch (const CLI::Error& error) {
    return Fail(Error::InvalidArgument(item.name + ": " + Printable(error.what(), 200)));
  }
  return Ok();
}

}  // namespace

void DeclareServeOptions(CLI::App& command, ServeSettings& settings) {
  command.add_option("--data", settings.data, "Data directory (default: GLASSCASE_DATA, else the profile's)")
      ->type_name("DIR");
  command.add_option("--http", settings.http, "Where learners call (default: 127.0.0.1:8000)")
      ->type_name("ADDRESS:PORT");
  command
      .add_option("--control", settings.control, "Where owners publish and grant (default: 127.0.0.1:8010)")
      ->type_name("ADDRESS:PORT");
  command.add_option("--tls-cert", settings.tls_cert, "Certificate chain, PEM; read again when it changes")
      ->type_name("FILE");
  command.add_option("--tls-key", settings.tls_key, "Its private key, PEM")->type_name("FILE");
  command.add_flag("--behind-proxy", settings.behind_proxy,
                   "A proxy in front ends TLS, so other than loopback addresses may be plain");
  command.add_flag("--closed-log", settings.closed_log,
                   "The ledger's files under /log/ need a token, anybody's (default: everybody reads them)");
  command
      .add_option("--catalog", settings.catalog,
                  "A PostgreSQL database for the catalog, postgresql://USER@HOST/DATABASE (default: a file)")
      ->type_name("URL");
  command
      .add_option("--blobs", settings.blobs,
                  "A bucket for the models' bytes, s3://BUCKET/PREFIX?endpoint=URL (default: files)")
      ->type_name("URL");
  command
      .add_option("--blob-cache", settings.blob_cache,
                  "Bytes of a bucket that are kept here too (default: 16G)")
      ->type_name("BYTES");
  AddTimeOption(command, "--uploads-expire", settings.uploads_expire_s,
                "Drop uploads that nobody goes on with or publishes (default: 24h)", 365 * kSecondsOfDay);
  command.add_option("--workers", settings.workers, "Workers that run jobs (default: 0)")
      ->check(CLI::Range(0, 64))
      ->type_name("N");
  command
      .add_option("--worker-listen", settings.worker_listen,
                  "Where workers on other machines connect (default: nowhere)")
      ->type_name("ADDRESS:PORT");
  command
      .add_option("--runners", settings.runners,
                  "Folder of the runners, each a locked environment (default: none)")
      ->type_name("DIR");
  command
      .add_option("--executor", settings.executor,
                  "Where runs are: on this machine; those of runners by slurm; those in images by kubernetes "
                  "(default: bubblewrap)")
      ->check(CLI::IsMember({"bubblewrap", "kubernetes", "slurm"}))
      ->type_name("NAME");
  command.add_option("--partition", settings.partition, "Partition of Slurm (default: the cluster's)")
      ->type_name("NAME");
  command.add_option("--slurm-conf", settings.slurm_conf, "Slurm's settings (default: where Slurm looks)")
      ->type_name("FILE");
  DeclareClusterOptions(command, settings.cluster);
  command
      .add_option(
          "--jobs", settings.jobs,
          "Where the files of runs lie while they run; for a cluster, shared with its nodes (default: "
          "/var/tmp)")
      ->type_name("DIR");
  command
      .add_option("--registries", settings.registries,
                  "Run images from these registries, with commas between (default: none)")
      ->delimiter(',')
      ->type_name("HOST[:PORT],...");
  command
      .add_option("--registry-auth", settings.registry_auth,
                  "Names and passwords for them, a file of `podman login --authfile`; only workers read it")
      ->type_name("FILE");
  command
      .add_option("--images", settings.images,
                  "Where workers keep images (default: /var/tmp/glasscase-images-USER)")
      ->type_name("DIR");
  command
      .add_option("--devices", settings.devices,
                  "Devices that runs may use, and files of their drivers, with commas between (not by Slurm)")
      ->delimiter(',')
      ->type_name("PATH,...");
  DeclareRunLimitOptions(command, settings.run_limits);
  command
      .add_option("--runs-per-owner", settings.runs_per_owner,
                  "Runs of one owner at once, on all workers together (default: as many as they take)")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command
      .add_option("--config", settings.config,
                  "Settings, one `key = value` per line, keys as these options (default: DIR/glasscase.conf)")
      ->type_name("FILE");
}

Status ReadSettingsFile(CLI::App& command, const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) return Fail(Error::InvalidArgument("could not read the settings in " + file.string()));
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigBase().from_config(stream);
  } catch (const CLI::Error& error) {
    return Fail(Error::InvalidArgument(file.string() + ": " + Printable(error.what(), 200)));
  }
  const fs::path folder = fs::absolute(file).parent_path();
  for (const auto& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // begin and end of a section
    if (auto applied = Apply(command, folder, item); !applied)
      return Fail(applied.error().WithContext(file.string()));
  }
  return Ok();
}

Result<ServeSettings> LoadServeSettings(const fs::path& data) {
  ServeSettings settings;
  CLI::App command;
  DeclareServeOptions(command, settings);
  std::error_code error;
  if (fs::exists(data / kSettingsFile, error)) GC_TRY_VOID(ReadSettingsFile(command, data / kSettingsFile));
  settings.data = data.string();
  return settings;
}

namespace {

// "catalog = x", "catalog=x"
bool SaysWhere(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos) return false;
  line.remove_prefix(begin);
  const std::string_view key = line.substr(0, line.find_first_of(" \t="));
  return (key == "catalog" || key == "blobs") && line.find('=') != line.npos;
}

}  // namespace

Status WriteStoreSettings(const fs::path& data, const ServeSettings& settings) {
  std::string text;
  std::ifstream old(data / kSettingsFile);
  for (std::string line; std::getline(old, line);)
    if (!SaysWhere(line)) text += line + "\n";
  if (!settings.catalog.empty()) text += "catalog = \"" + settings.catalog + "\"\n";
  if (!settings.blobs.empty()) text += "blobs = \"" + settings.blobs + "\"\n";
  const fs::path unfinished = data / (std::string(kSettingsFile) + ".new");
  std::ofstream(unfinished) << text;
  std::error_code error;
  fs::permissions(unfinished, fs::perms::owner_read | fs::perms::owner_write, error);
  fs::rename(unfinished, data / kSettingsFile, error);
  if (error)
    return Fail(Error::FromErrno(error.value(), "could not write " + (data / kSettingsFile).string()));
  return Ok();
}

namespace {

Status CheckCluster(const ServeSettings& settings) {
  const bool is_used = settings.executor == "kubernetes";
  if (is_used && (settings.registries.empty() || settings.jobs.empty()))
    return Fail(
        Error::InvalidArgument("--executor kubernetes needs --registries, where images of runs may come "
                               "from, and --jobs, a folder on a "
                               "volume that the cluster has too"));
  return CheckClusterSettings(settings.cluster, is_used);
}

}  // namespace

Status CheckServeSettings(const ServeSettings& settings) {
  if (settings.tls_cert.empty() != settings.tls_key.empty()) {
    return Fail(Error::InvalidArgument("--tls-cert and --tls-key belong together: one of them is missing"));
  }
  for (const auto& [option, text] :
       {std::pair("--http", settings.http), std::pair("--control", settings.control)}) {
    auto address = ListenAddress::Parse(text);
    if (!address) return Fail(address.error().WithContext(option));
    if (!address->IsLoopback() && !settings.HasTls() && !settings.behind_proxy) {
      return Fail(
          Error::InvalidArgument(std::string(option) + " " + text +
                                 " can be reached from other machines: give --tls-cert and --tls-key, or "
                                 "--behind-proxy when a proxy in front ends TLS (a certificate of its own: "
                                 "glasscase init --tls-self-signed)"));
    }
  }
  if (settings.http == settings.control) {
    return Fail(Error::InvalidArgument("--http and --control need an address each: " + settings.http));
  }
  GC_TRY_VOID(CheckCluster(settings));
  if (!settings.worker_listen.empty()) {
    auto address = ListenAddress::Parse(settings.worker_listen);
    if (!address) return Fail(address.error().WithContext("--worker-listen"));
    if (settings.worker_listen == settings.http || settings.worker_listen == settings.control)
      return Fail(
          Error::InvalidArgument("--worker-listen needs an address of its own: " + settings.worker_listen));
  }
  return ServersOf(settings).map([](const auto&) {});
}

namespace {

void AddOnce(std::vector<std::string>& servers, const std::string& server) {
  if (std::ranges::find(servers, server) == servers.end()) servers.push_back(server);
}

// Those of the data directory's policy that have an address.
Status AddWitnesses(const fs::path& data, std::vector<std::string>& servers) {
  std::ifstream file(data / "ledger-policy");  // api/formats/data-directory.md
  if (!file) return Ok();
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto policy = ledger::Policy::Parse(text);
  if (!policy) return Fail(policy.error().WithContext((data / "ledger-policy").string()));
  for (const ledger::Policy::Witness& witness : policy->witnesses()) {
    if (witness.url.empty()) continue;
    const auto server = outlet::Server::OfUrl(witness.url);
    if (!server) return Fail(server.error().WithContext("witness " + witness.name));
    AddOnce(servers, server->ToString());
  }
  return Ok();
}

// The node in chain.json.
Status AddChainNode(const fs::path& data, std::vector<std::string>& servers) {
  std::ifstream file(data / "chain.json");  // api/formats/data-directory.md
  if (!file) return Ok();
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  GC_TRY(const boost::json::value chain, ParseJson(text, "chain.json"));
  const auto server = outlet::Server::OfUrl(TextOf(chain, "url"));
  if (!server) return Fail(server.error().WithContext("chain.json: url"));
  AddOnce(servers, server->ToString());
  return Ok();
}

}  // namespace

Result<std::vector<std::string>> ServersOf(const ServeSettings& settings) {
  std::vector<std::string> servers;
  for (const auto& [option, url] :
       {std::pair("--catalog", settings.catalog), std::pair("--blobs", settings.blobs)}) {
    if (url.empty()) continue;
    const auto server = outlet::Server::OfUrl(url);
    if (!server) return Fail(server.error().WithContext(option));
    AddOnce(servers, server->ToString());
  }
  GC_TRY_VOID(AddWitnesses(settings.data, servers));
  GC_TRY_VOID(AddChainNode(settings.data, servers));
  return servers;
}

std::vector<std::string> StoreArguments(const ServeSettings& settings) {
  std::vector<std::string> arguments;
  for (const auto& [option, value] :
       {std::pair("--catalog=", settings.catalog), std::pair("--blobs=", settings.blobs),
        std::pair("--blob-cache=", settings.blob_cache)}) {
    if (!value.empty()) arguments.push_back(option + value);
  }
  return arguments;
}

namespace {

std::string AbsoluteOf(const std::string& path) { return fs::absolute(path).string(); }

std::vector<std::string> CustodianArguments(const ServeSettings& settings) {
  std::vector<std::string> arguments = StoreArguments(settings);
  if (settings.closed_log) arguments.emplace_back("--closed-log");
  if (settings.uploads_expire_s != 0)
    arguments.push_back("--uploads-expire-s=" + std::to_string(settings.uploads_expire_s));
  if (settings.runs_per_owner != 0)
    arguments.push_back("--runs-per-owner=" + std::to_string(settings.runs_per_owner));
  return arguments;
}

std::vector<std::string> WorkerArguments(const ServeSettings& settings) {
  std::vector<std::string> arguments;
  for (const auto& [option, path] :
       {std::pair("--runners=", settings.runners), std::pair("--slurm-conf=", settings.slurm_conf),
        std::pair("--jobs=", settings.jobs), std::pair("--registry-auth=", settings.registry_auth),
        std::pair("--images=", settings.images)})
    if (!path.empty()) arguments.push_back(option + AbsoluteOf(path));
  for (const auto& [option, value] :
       {std::pair("--executor=", settings.executor), std::pair("--partition=", settings.partition)})
    if (!value.empty()) arguments.push_back(option + value);
  for (const std::string& one : settings.registries) arguments.push_back("--registry=" + one);
  for (const std::string& one : settings.devices) arguments.push_back("--device=" + one);
  for (std::string& argument : ClusterArguments(settings.cluster)) arguments.push_back(std::move(argument));
  for (std::string& argument : RunLimitArguments(settings.run_limits))
    arguments.push_back(std::move(argument));
  return arguments;
}

}  // namespace

std::vector<std::string> SupervisorArguments(const ServeSettings& settings, int ready_fd) {
  std::vector<std::string> arguments = {
      "--data",    settings.data,    "--http",     settings.http,
      "--control", settings.control, "--ready-fd", std::to_string(ready_fd)};
  if (settings.HasTls())
    arguments.insert(arguments.end(), {"--tls-cert", settings.tls_cert, "--tls-key", settings.tls_key});
  if (settings.behind_proxy) arguments.emplace_back("--behind-proxy");
  for (const std::string& server : ServersOf(settings).value_or(std::vector<std::string>{}))
    arguments.insert(arguments.end(), {"--server", server});
  if (settings.workers > 0)
    arguments.insert(arguments.end(), {"--workers", std::to_string(settings.workers)});
  if (!settings.worker_listen.empty())
    arguments.insert(arguments.end(), {"--worker-listen", settings.worker_listen});
  if (settings.closed_log) arguments.emplace_back("--edge-arg=--closed-log");
  if (!settings.jobs.empty()) arguments.push_back("--gate-arg=--spool=" + AbsoluteOf(settings.jobs));
  for (const std::string& argument : CustodianArguments(settings))
    arguments.push_back("--custodian-arg=" + argument);
  for (const std::string& argument : WorkerArguments(settings))
    arguments.push_back("--worker-arg=" + argument);
  return arguments;
}

}  // namespace glasscase::commands
