// Open Inference Protocol v2: everything but infer itself.
#include <glasscase/core/bytes.h>

#include "handlers.h"

namespace glasscase::http {
namespace {

using access::Reason;

void AppendTensors(std::string& json, std::string_view member, const std::vector<TensorSpec>& specs) {
  json += ",\"";
  json += member;
  json += "\":[";
  for (const TensorSpec& spec : specs) {
    json += R"({"name":")";
    AppendJsonEscaped(json, spec.name);
    json += R"(","datatype":")";
    json += DataTypeName(spec.datatype);
    json += R"(","shape":)" + ShapeText(spec.shape) + "},";
  }
  if (!specs.empty()) json.pop_back();
  json += ']';
}

std::string Quoted(std::string_view text) {
  std::string json = "\"";
  AppendJsonEscaped(json, text);
  return json + "\"";
}

// Which registered version answers, and where its receipt is: for checking against the ledger.
std::string Registered(const access::ModelRow& model, const access::VersionRow& version) {
  const std::string id = version.id.ToString();
  return R"({"name":)" + Quoted(model.owner_name + "/" + model.name) + R"(,"label":)" +
         Quoted(version.label) + R"(,"asset":")" + model.id.ToString() + R"(","version":")" + id +
         R"(","sha256":")" + ToHex(version.sha256) + R"(","manifest_sha256":")" +
         ToHex(version.manifest_digest) + R"(","receipt":"/glasscase/v1/models/)" + id + R"(/receipt"})";
}

// The versions that this caller may call by name.
std::string CallableVersions(const Connection& connection, Gateway& gateway, const access::ModelRow& model) {
  std::string json = "[";
  for (const access::VersionRow& version : model.versions) {
    const access::CallVerdict verdict = access::DecideCall(
        gateway.custodian.table(), *connection.caller().subject, &model, version.label, gateway.now_micros);
    if (verdict.allowed) json += Quoted(version.label) + ",";
  }
  if (json.size() > 1) json.pop_back();
  return json + "]";
}

bool NamesVersion(const Connection& connection) {
  return connection.match().route->path.find("{version}") != std::string_view::npos;
}

std::string_view FeatureName(const Connection& connection) { return connection.match().route->name; }

}  // namespace

void RefuseCall(Connection& connection, const access::CallVerdict& verdict, std::string_view model,
                std::string_view version) {
  connection.Audit(false, verdict.reason, model);
  const std::string name = "\"" + Printable(model) + "\"";
  switch (verdict.reason) {
    case Reason::kAmbiguousName:
      connection.Refuse({.status = 409,
                         .detail = name + " is the name of several models that you see; write owner/name",
                         .fields = {},
                         .close = false});
      return;
    case Reason::kNoSuchVersion:
    case Reason::kVersionNotGranted:
    case Reason::kRetired:
      connection.Refuse(
          {.status = 404,
           .detail = version.empty()
                         ? "no version of " + name + " can be called by you at the moment"
                         : "version \"" + Printable(version) + "\" of " + name +
                               " is not one that you can call (a grant that names no version covers "
                               "the default one)",
           .fields = {},
           .close = false});
      return;
    case Reason::kDisabled:
      connection.Refuse({.status = 503,
                         .detail = name + " is disabled: " + Printable(verdict.version->disabled_reason, 300),
                         .fields = {},
                         .close = false});
      return;
    default:
      connection.Refuse({.status = 404,
                         .detail = "no model " + name + " is granted to you here",
                         .fields = {},
                         .close = false});
  }
}

std::optional<access::CallVerdict> DecidePath(Connection& connection) {
  Gateway& gateway = connection.gateway();
  const std::string& name = connection.match().parameters[0];
  const std::string_view version =
      NamesVersion(connection) ? connection.match().parameters[1] : std::string_view();
  const access::SubjectRow& subject = *connection.caller().subject;
  bool ambiguous = false;
  const access::ModelRow* model = access::ResolveModel(gateway.custodian.table(), subject, name, &ambiguous);
  access::CallVerdict verdict =
      access::DecideCall(gateway.custodian.table(), subject, model, version, gateway.now_micros);
  if (ambiguous) verdict = {.allowed = false, .reason = Reason::kAmbiguousName};
  if (!verdict.allowed) {
    RefuseCall(connection, verdict, name, version);
    return std::nullopt;
  }
  return verdict;
}

void ServeServerMetadata(Connection& connection) {
  connection.Audit(true, Reason::kAllowedByRole, {});
  connection.Reply(200, "application/json",
                   R"({"name":"glasscase","version":")" GLASSCASE_VERSION
                   R"(","extensions":["binary_tensor_data","model_repository"]})"
                   "\n");
}

void ServeModelMetadata(Connection& connection) {
  const std::optional<access::CallVerdict> verdict = DecidePath(connection);
  if (!verdict) return;
  connection.Audit(true, verdict->reason, connection.match().parameters[0]);
  std::string json = R"({"name":)" + Quoted(connection.match().parameters[0]) + R"(,"versions":)" +
                     CallableVersions(connection, connection.gateway(), *verdict->model) +
                     R"(,"platform":"onnxruntime_onnx")";
  AppendTensors(json, "inputs", verdict->version->inputs);
  AppendTensors(json, "outputs", verdict->version->outputs);
  json += R"(,"registered":)" + Registered(*verdict->model, *verdict->version);
  connection.Reply(200, "application/json", json + "}\n");
}

void ServeModelReady(Connection& connection) {
  const std::optional<access::CallVerdict> verdict = DecidePath(connection);
  if (!verdict) return;
  connection.Audit(true, verdict->reason, connection.match().parameters[0]);
  if (!connection.gateway().hosts.Connected(verdict->model->host_slot)) {
    connection.Refuse(Error::Unavailable("the model's host is starting; try again"));
    return;
  }
  connection.Reply(200, "application/json",
                   R"({"name":)" + Quoted(connection.match().parameters[0]) + R"(,"ready":true})" + "\n");
}

void ServeRepositoryIndex(Connection& connection) {
  Gateway& gateway = connection.gateway();
  connection.Audit(true, Reason::kAllowedByRole, {});
  const access::SubjectRow& subject = *connection.caller().subject;
  std::string json = "[";
  for (const access::ModelRow* model : gateway.custodian.table().ModelsOf(subject.id)) {
    for (const access::VersionRow& version : model->versions) {
      const access::CallVerdict verdict =
          access::DecideCall(gateway.custodian.table(), subject, model, version.label, gateway.now_micros);
      if (!verdict.allowed) continue;
      json += R"({"name":)" + Quoted(model->owner_name + "/" + model->name) + R"(,"version":)" +
              Quoted(version.label) + R"(,"state":"READY","reason":""},)";
    }
  }
  if (json.size() > 1) json.pop_back();
  connection.Reply(200, "application/json", json + "]\n");
}

void ServeRequest(Connection& connection) {
  switch (connection.match().route->handler) {
    case Handler::kPage: return ServePage(connection);
    case Handler::kLive: return connection.Reply(200, "application/json", "{\"live\":true}\n");
    case Handler::kReady:
      if (connection.gateway().custodian.TableInForce()) {
        return connection.Reply(200, "application/json", "{\"ready\":true}\n");
      }
      return connection.Refuse(Error::Unavailable("the access table is not in force yet; try again"));
    case Handler::kServerMetadata: return ServeServerMetadata(connection);
    case Handler::kModelMetadata: return ServeModelMetadata(connection);
    case Handler::kModelReady: return ServeModelReady(connection);
    case Handler::kInfer: return ServeInfer(connection);
    case Handler::kRepositoryIndex: return ServeRepositoryIndex(connection);
    case Handler::kNotOffered:
      connection.Audit(false, Reason::kNoRoute, connection.head().target);
      return connection.Refuse(Error::Unimplemented(std::string(FeatureName(connection)) +
                                                    " is not offered by this shared service"));
    case Handler::kNotPermitted:
      connection.Audit(false, Reason::kNoRoute, connection.head().target);
      return connection.Refuse(Error::PermissionDenied(std::string(FeatureName(connection)) +
                                                       " is not permitted through the protocol: models are "
                                                       "published by their owners and load on first use"));
    case Handler::kControlAct: return ServeControlAct(connection);
    case Handler::kLogFile: return ServeLogFile(connection);
    case Handler::kUploadOptions: return ServeUploadOptions(connection);
    case Handler::kCreateUpload: return ServeCreateUpload(connection);
    case Handler::kShowUpload: return ServeShowUpload(connection);
    case Handler::kWriteUpload: return ServeWriteUpload(connection);
    case Handler::kDropUpload: return ServeDropUpload(connection);
    case Handler::kFile: return ServeFile(connection);
  }
}

}  // namespace glasscase::http
