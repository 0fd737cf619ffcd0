#include "cluster.h"

#include <glasscase/process/file_io.h>

namespace glasscase::worker {
namespace {

// What every pod has that may ask its API server; the name is looked up in the cluster.
constexpr char kOwnServer[] = "https://kubernetes.default.svc";
const std::string kOwnFolder = "/var/run/secrets/kubernetes.io/serviceaccount/";

Result<std::string> ReadFile(const std::string& option, const std::string& path) {
  auto text = process::ReadText(path);
  if (!text) return Fail(text.error().WithContext(option));
  return text;
}

Status ReadIdentity(const ClusterArguments& arguments, jobs::ClusterAccess& access) {
  if (!arguments.certificate.empty()) {
    GC_TRY(access.certificate_pem, ReadFile("--kubernetes-cert", arguments.certificate));
    GC_TRY(std::string key, ReadFile("--kubernetes-key", arguments.key));
    access.key_pem = std::make_shared<const Secret>(std::move(key));
    return Ok();
  }
  access.token_file = arguments.token;
  if (!access.token_file.empty()) return Ok();
  if (!arguments.url.empty())
    return Fail(Error::InvalidArgument(
        "--kubernetes-token, or --kubernetes-cert and --kubernetes-key, are needed with --kubernetes-url"));
  access.token_file = kOwnFolder + "token";
  return Ok();
}

}  // namespace

void DeclareClusterOptions(CLI::App& app, ClusterArguments& arguments) {
  app.add_option("--kubernetes-url", arguments.url,
                 "The API server (default: that of the cluster this runs in)");
  app.add_option("--kubernetes-ca", arguments.ca, "Certificates of its authority, PEM");
  app.add_option("--kubernetes-token", arguments.token, "File of a token, read again for every request");
  app.add_option("--kubernetes-cert", arguments.certificate, "Instead of a token: a certificate, PEM");
  app.add_option("--kubernetes-key", arguments.key, "Its key, PEM");
  app.add_option("--kubernetes-namespace", arguments.name_space, "Where jobs are made");
  app.add_option("--kubernetes-claim", arguments.claim,
                 "CLAIM or CLAIM/FOLDER: what --jobs is in the cluster");
  app.add_option("--kubernetes-pull-secret", arguments.pull_secrets,
                 "With which the cluster fetches images (repeat)");
  app.add_option("--kubernetes-runtime-class", arguments.runtime_class, "Of jobs' pods");
  app.add_option("--kubernetes-object", arguments.object, "What is made for a job")
      ->check(CLI::IsMember({"job", "workflow"}));
  app.add_option("--kubernetes-account", arguments.account,
                 "Service account with which a workflow makes its job");
  app.add_option("--kubernetes-gpus", arguments.gpus, "GPUs for each job");
}

Result<jobs::KubernetesOptions> ReadCluster(const ClusterArguments& arguments) {
  if (arguments.claim.empty())
    return Fail(
        Error::InvalidArgument("--kubernetes-claim is missing: the claim whose volume --jobs lies on"));
  const bool is_inside = arguments.url.empty();
  jobs::KubernetesOptions options{.access = {.url = is_inside ? kOwnServer : arguments.url},
                                  .name_space = arguments.name_space,
                                  .claim = arguments.claim.substr(0, arguments.claim.find('/')),
                                  .pull_secrets = arguments.pull_secrets,
                                  .runtime_class = arguments.runtime_class,
                                  .gpus = arguments.gpus,
                                  .by_workflow = arguments.object == "workflow",
                                  .workflow_account = arguments.account};
  if (options.claim.size() < arguments.claim.size())
    options.claim_folder = arguments.claim.substr(options.claim.size() + 1);
  const std::string ca = arguments.ca.empty() && is_inside ? kOwnFolder + "ca.crt" : arguments.ca;
  if (!ca.empty()) {
    GC_TRY(options.access.ca_pem, ReadFile("--kubernetes-ca", ca));
  }
  if (options.name_space.empty() && is_inside) {
    GC_TRY(options.name_space, ReadFile("--kubernetes-namespace", kOwnFolder + "namespace"));
  }
  if (options.name_space.empty()) options.name_space = "default";
  GC_TRY_VOID(ReadIdentity(arguments, options.access));
  return options;
}

}  // namespace glasscase::worker
