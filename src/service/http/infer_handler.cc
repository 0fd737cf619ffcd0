// One call: parsed, handed to the model's host, answered. See "the life of a call" in ARCHITECTURE.md.
#include <algorithm>
#include <charconv>

#include <glasscase/access/token.h>

#include "handlers.h"

namespace glasscase::http {
namespace {

using access::Reason;

constexpr uint64_t kNanosPerSecond = 1'000'000'000;

uint64_t SecondsRoundedUp(uint64_t nanos) { return (nanos + kNanosPerSecond - 1) / kNanosPerSecond; }

// RateLimit fields as draft-ietf-httpapi-ratelimit-headers-10 has them.
void AppendRateLimit(std::string& fields, const access::Quota& quota, uint64_t remaining, uint64_t reset_ns) {
  char number[24];
  const auto append = [&](std::string_view text, uint64_t value) {
    fields += text;
    const auto [end, error] = std::to_chars(number, number + sizeof number, value);
    fields.append(number, end);
  };
  append("RateLimit-Policy: \"quota\";q=", quota.calls);
  append(";w=", SecondsRoundedUp(quota.period_ns));
  append("\r\nRateLimit: \"quota\";r=", remaining);
  append(";t=", SecondsRoundedUp(reset_ns));
  fields += "\r\n";
}

void RefuseOverQuota(Connection& connection, const access::Quota& quota, uint64_t retry_after_ns,
                     std::string_view model) {
  const uint64_t seconds = std::max<uint64_t>(1, SecondsRoundedUp(retry_after_ns));
  connection.Audit(false, Reason::kQuotaExhausted, model);
  Problem problem{.status = 429,
                  .detail = "the quota of " + quota.ToString() + " for \"" + Printable(model) +
                            "\" is used up; try again in " + std::to_string(seconds) + " s",
                  .fields = "Retry-After: " + std::to_string(seconds) + "\r\n",
                  .close = false};
  AppendRateLimit(problem.fields, quota, 0, retry_after_ns);
  connection.Refuse(problem);
}

// True when a host has lately refused this grant and the caller was refused here on its word.
bool RefusedEarly(Connection& connection, const access::CallVerdict& verdict, std::string_view model) {
  Gateway& gateway = connection.gateway();
  if (verdict.grant == nullptr || gateway.exhausted.empty()) return false;
  const auto memo = gateway.exhausted.find(verdict.grant->id);
  if (memo == gateway.exhausted.end()) return false;
  const bool over = gateway.now_ns >= memo->second.until_ns;
  if (over || memo->second.quota != verdict.grant->quota) {
    gateway.exhausted.erase(memo);
    return false;
  }
  RefuseOverQuota(connection, memo->second.quota,
                  static_cast<uint64_t>(memo->second.until_ns - gateway.now_ns), model);
  return true;
}

std::string VersionLabel(const access::AccessTable& table, const Uuid& model, const Uuid& version) {
  const access::ModelRow* row = table.FindModel(model);
  const access::VersionRow* found = row == nullptr ? nullptr : row->FindVersion(version);
  return found == nullptr ? version.ToString() : found->label;
}

void RefuseAsHostDid(Connection& connection, const PendingCall& call, const rpc::AnswerView& answer) {
  Gateway& gateway = connection.gateway();
  if (answer.reason == Reason::kQuotaExhausted) {
    const uint64_t wait = answer.quota_state.retry_after_ns;
    if (!call.grant.IsNil()) {
      gateway.exhausted[call.grant] = {answer.quota, gateway.now_ns + static_cast<int64_t>(wait)};
    }
    RefuseOverQuota(connection, answer.quota, wait, call.wishes.model_name);
    return;
  }
  const auto code = static_cast<Code>(answer.code);
  if (code == Code::kNotFound) {
    // The grant went away between the two decisions: the answer is the one of a model that does not exist.
    RefuseCall(connection, {.allowed = false, .reason = Reason::kNoGrant}, call.wishes.model_name, {});
    return;
  }
  connection.Refuse(Error(code, std::string(answer.message)));
}

void AnswerCall(void* context, PendingCall& call, Result<const rpc::AnswerView*> result) {
  auto& connection = *static_cast<Connection*>(context);
  connection.clear_pending_call();
  if (!result) {
    connection.Refuse(result.error());
    return;
  }
  const rpc::AnswerView& answer = **result;
  if (answer.code != 0) {
    RefuseAsHostDid(connection, call, answer);
    return;
  }
  Gateway& gateway = connection.gateway();
  InferBody& body = gateway.infer_body;
  const std::string label = VersionLabel(gateway.custodian.table(), call.model, answer.version);
  if (const Status written = WriteInferBody(answer, label, call.wishes, body); !written) {
    connection.Refuse(written.error());
    return;
  }
  std::string fields;
  if (answer.has_quota) {
    AppendRateLimit(fields, answer.quota, answer.quota_state.remaining, answer.quota_state.reset_ns);
  }
  if (!body.has_binary) {
    connection.Reply(200, "application/json", body.bytes, fields);
    return;
  }
  fields += "Inference-Header-Content-Length: " + std::to_string(body.json_bytes) + "\r\n";
  connection.Reply(200, "application/octet-stream", body.bytes, fields);
}

}  // namespace

void ServeInfer(Connection& connection) {
  Gateway& gateway = connection.gateway();
  const std::string& name = connection.match().parameters[0];
  const std::optional<access::CallVerdict> verdict = DecidePath(connection);
  if (!verdict || RefusedEarly(connection, *verdict, name)) return;
  if (connection.head().bad_inference_header) {
    connection.Refuse(Error::InvalidArgument("Inference-Header-Content-Length: must be one whole number"));
    return;
  }
  InferRequest& request = gateway.infer_request;
  const Status parsed = gateway.infer_parser.Parse(
      connection.body(), connection.head().inference_header_bytes, *verdict->version, request);
  if (!parsed) {
    connection.Refuse(parsed.error());
    return;
  }
  connection.Audit(true, verdict->reason, name);
  uint64_t id = 0;
  PendingCall& call = gateway.hosts.NewCall(&id);
  call.done = AnswerCall;
  call.context = &connection;
  call.wishes.model_name = name;
  call.wishes.id_json.swap(request.id_json);
  call.wishes.outputs = request.outputs;
  call.wishes.binary_output = request.binary_output;
  call.grant = verdict->grant == nullptr ? Uuid{} : verdict->grant->id;
  call.model = verdict->model->id;
  call.slot = verdict->model->host_slot;
  const int64_t limit_ns = gateway.options.call_deadline_ms * 1'000'000;
  const bool shorter =
      request.timeout_micros != 0 && request.timeout_micros < static_cast<uint64_t>(limit_ns) / 1000;
  call.deadline_ns =
      gateway.now_ns + (shorter ? static_cast<int64_t>(request.timeout_micros) * 1000 : limit_ns);
  const bool names_version = connection.match().route->path.find("{version}") != std::string_view::npos;
  const std::string_view version = names_version ? connection.match().parameters[1] : std::string_view();
  const Status submitted =
      gateway.hosts.Submit(id, request, access::HostCredential(connection.head().token), version);
  if (!submitted) {
    connection.Refuse(submitted.error());
    return;
  }
  connection.set_pending_call(id);
}

}  // namespace glasscase::http
