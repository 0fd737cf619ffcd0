#include "cluster_settings.h"

#include <filesystem>

namespace glasscase::commands {

void DeclareClusterOptions(CLI::App& command, ClusterSettings& settings) {
  command
      .add_option("--kubernetes-url", settings.url,
                  "API server of the cluster, https://HOST:PORT (default: of the cluster that this runs in)")
      ->type_name("URL");
  command
      .add_option("--kubernetes-ca", settings.ca,
                  "Certificates of its authority, PEM (default: the system's; in a cluster, its own)")
      ->type_name("FILE");
  command
      .add_option("--kubernetes-token", settings.token,
                  "A service account's token; read again for every request, by workers alone")
      ->type_name("FILE");
  command.add_option("--kubernetes-cert", settings.certificate, "Instead of a token: a certificate, PEM")
      ->type_name("FILE");
  command.add_option("--kubernetes-key", settings.key, "Its private key, PEM; only workers read it")
      ->type_name("FILE");
  command
      .add_option("--kubernetes-namespace", settings.name_space,
                  "Namespace that runs are in (default: default; in a cluster, its own)")
      ->type_name("NAME");
  command
      .add_option("--kubernetes-claim", settings.claim,
                  "PersistentVolumeClaim whose volume --jobs lies on, and the folder in it that --jobs is")
      ->type_name("CLAIM[/FOLDER]");
  command
      .add_option("--kubernetes-pull-secrets", settings.pull_secrets,
                  "Secrets with which the cluster fetches images, with commas between")
      ->delimiter(',')
      ->type_name("NAME,...");
  command.add_option("--kubernetes-runtime-class", settings.runtime_class, "RuntimeClass of runs")
      ->type_name("NAME");
  command
      .add_option("--kubernetes-object", settings.object,
                  "What is made for a run: a Job, or a Workflow of Argo that makes it (default: job)")
      ->check(CLI::IsMember({"job", "workflow"}))
      ->type_name("NAME");
  command
      .add_option("--kubernetes-account", settings.account,
                  "Service account with which a workflow makes its job (default: the namespace's)")
      ->type_name("NAME");
  command.add_option("--kubernetes-gpus", settings.gpus, "GPUs for each run, of nvidia.com/gpu (default: 0)")
      ->check(CLI::Range(0, 64))
      ->type_name("N");
}

bool IsClusterPath(const std::string& key) {
  return key == "kubernetes-ca" || key == "kubernetes-token" || key == "kubernetes-cert" ||
         key == "kubernetes-key";
}

Status CheckClusterSettings(const ClusterSettings& settings, bool is_used) {
  const auto wrong = [](const std::string& why) { return Fail(Error::InvalidArgument(why)); };
  if (!is_used) {
    if (ClusterArguments(settings).empty()) return Ok();
    return wrong("the options --kubernetes-... need --executor kubernetes");
  }
  if (settings.claim.empty() || settings.claim.starts_with('/'))
    return wrong(
        "--executor kubernetes needs --kubernetes-claim CLAIM[/FOLDER]: the PersistentVolumeClaim whose "
        "volume --jobs lies on, here and in the cluster");
  if (settings.certificate.empty() != settings.key.empty())
    return wrong("--kubernetes-cert and --kubernetes-key belong together: one of them is missing");
  if (!settings.certificate.empty() && !settings.token.empty())
    return wrong("--kubernetes-token and --kubernetes-cert are two ways to say who this is: give one");
  if (!settings.url.empty() && settings.token.empty() && settings.certificate.empty())
    return wrong("--kubernetes-url needs --kubernetes-token, or --kubernetes-cert and --kubernetes-key");
  return Ok();
}

std::vector<std::string> ClusterArguments(const ClusterSettings& settings) {
  std::vector<std::string> words;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) words.push_back(std::string("--kubernetes-") + option + "=" + value);
  };
  const auto add_file = [&](const char* option, const std::string& path) {
    if (!path.empty()) add(option, std::filesystem::absolute(path).string());
  };
  add("url", settings.url);
  add_file("ca", settings.ca);
  add_file("token", settings.token);
  add_file("cert", settings.certificate);
  add_file("key", settings.key);
  add("namespace", settings.name_space);
  add("claim", settings.claim);
  for (const std::string& one : settings.pull_secrets) add("pull-secret", one);
  add("runtime-class", settings.runtime_class);
  add("object", settings.object);
  add("account", settings.account);
  if (settings.gpus > 0) add("gpus", std::to_string(settings.gpus));
  return words;
}

}  // namespace glasscase::commands
