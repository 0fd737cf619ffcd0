// Acts of the custodian: JSON and path in, one message there and back, JSON out.
#include <glasscase/access/token.h>
#include <glasscase/rpc/link.pb.h>

#include "handlers.h"
#include "proto_json.h"

namespace glasscase::http {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Members that the path names.
Status SetFromPath(const RouteMatch& match, Message& message) {
  std::string_view path = match.route->path;
  for (size_t i = 0; path.find('{') != std::string_view::npos; ++i) {
    const size_t open = path.find('{');
    const size_t close = path.find('}');
    const std::string name(path.substr(open + 1, close - open - 1));
    GC_CHECK(SetTextField(message, name, match.parameters[i]));
    path.remove_prefix(close + 1);
  }
  return Ok();
}

Status SetFromQuery(std::string_view query, Message& message) {
  while (!query.empty()) {
    const size_t ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
    const size_t equals = pair.find('=');
    const std::optional<std::string> value =
        DecodeSegment(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!value || !SetTextField(message, std::string(pair.substr(0, equals)), *value)) {
      return Fail(
          Error::InvalidArgument("query: \"" + Printable(pair) + "\" is not a parameter of this route"));
    }
  }
  return Ok();
}

void AnswerAct(Connection& connection, unsigned success, const Result<rpc::Response>& answer) {
  if (!answer) {
    connection.Refuse(answer.error());
    return;
  }
  if (answer->code() != 0) {
    connection.Refuse(Error(static_cast<Code>(answer->code()), answer->message()));
    return;
  }
  const FieldDescriptor* result = answer->GetReflection()->GetOneofFieldDescriptor(
      *answer, answer->GetDescriptor()->FindOneofByName("result"));
  if (result == nullptr) {
    connection.Reply(success, "application/json", "{}\n");
    return;
  }
  connection.Reply(success, "application/json",
                   MessageToJson(answer->GetReflection()->GetMessage(*answer, result)));
}

}  // namespace

void ServeControlAct(Connection& connection) {
  const Route& route = *connection.match().route;
  rpc::Request request;
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByNumber(route.operation);
  GC_CHECK(field != nullptr);
  Message& operation = *request.GetReflection()->MutableMessage(&request, field);
  Status filled = ParseJsonMessage(connection.body(), operation);
  if (filled) filled = SetFromQuery(connection.query(), operation);
  if (filled) filled = SetFromPath(connection.match(), operation);
  if (!filled) {
    connection.Refuse(filled.error());
    return;
  }
  const Digest credential = access::CustodianCredential(connection.head().token);
  request.set_credential(credential.data(), credential.size());
  connection.Audit(true, access::Reason::kAllowedByRole, connection.match().parameters[0]);
  connection.gateway().custodian.Ask(std::move(request), [&connection, life = connection.life(),
                                                          success = route.success](const auto& answer) {
    if (!life.expired()) AnswerAct(connection, success, answer);
  });
}

void ServeLogFile(Connection& connection) {
  rpc::Request request;
  request.mutable_log_file()->set_path(connection.match().parameters[0]);
  if (connection.gateway().options.closed_log) {
    const Digest credential = access::CustodianCredential(connection.head().token);
    request.set_credential(credential.data(), credential.size());
  }
  connection.gateway().custodian.Ask(
      std::move(request), [&connection, life = connection.life()](const Result<rpc::Response>& answer) {
        if (life.expired()) return;
        if (!answer || answer->code() != 0 || !answer->has_log_file())
          return AnswerAct(connection, 200, answer);
        const rpc::LogFileAnswer& file = answer->log_file();
        connection.Reply(200, file.immutable() ? "application/octet-stream" : "text/plain; charset=utf-8",
                         file.data());
      });
}

}  // namespace glasscase::http
