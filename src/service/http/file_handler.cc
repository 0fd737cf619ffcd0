// The files of a version, for those who may take it: whole or in part, from a descriptor that the custodian
// gave.
#include <glasscase/access/token.h>
#include <glasscase/rpc/link.pb.h>

#include "handlers.h"
#include "range.h"

namespace glasscase::http {
namespace {

rpc::Request OpenFile(const Connection& connection, bool again) {
  rpc::Request request;
  const Digest credential = access::CustodianCredential(connection.head().token);
  request.set_credential(credential.data(), credential.size());
  request.mutable_open_file()->set_model(connection.match().parameters[0]);
  request.mutable_open_file()->set_file(connection.match().parameters[1]);
  request.mutable_open_file()->set_again(again);
  return request;
}

Status Refusal(const Result<rpc::Response>& answer) {
  if (!answer) return Fail(answer.error());
  if (answer->code() != 0) return Fail(Error(static_cast<Code>(answer->code()), answer->message()));
  return Ok();
}

// A right that is withdrawn ends its downloads too, within a second. A custodian that is away withdraws none.
void AskAgain(Connection& connection, const std::function<void(bool)>& answered) {
  connection.gateway().custodian.Ask(
      OpenFile(connection, true), [life = connection.life(), answered](const Result<rpc::Response>& answer) {
        if (life.expired()) return;
        const Status refused = Refusal(answer);
        answered(refused || refused.error().code() == Code::kUnavailable);
      });
}

void SendFile(Connection& connection, const rpc::FileInfo& file, Fd descriptor) {
  const RequestHead& head = connection.head();
  const auto bytes = static_cast<uint64_t>(file.bytes());
  const std::string tag = "\"" + file.sha256() + "\"";
  const std::string fields =
      "ETag: " + tag + "\r\nAccept-Ranges: bytes\r\nCache-Control: private, no-cache\r\n";
  if (MatchesEntityTag(head.if_none_match, tag))
    return connection.ReplyWithFile({.status = 304, .fields = fields});
  const bool same = head.if_range.empty() || head.if_range == tag;
  ByteRange range = ParseRange(same ? head.range : std::string_view(), bytes);
  if (range.kind == ByteRange::Kind::kUnsatisfiable)
    return connection.Refuse({.status = 416,
                              .detail = "the file has " + std::to_string(bytes) +
                                        " bytes: there is nothing in the "
                                        "range \"" +
                                        Printable(head.range) + "\"",
                              .fields = "Content-Range: bytes */" + std::to_string(bytes) + "\r\n",
                              .close = false});
  FileReply reply{.status = 200, .fields = fields, .file = std::move(descriptor), .begin = 0, .end = bytes};
  if (range.kind == ByteRange::Kind::kPart) {
    reply.status = 206;
    reply.begin = range.begin;
    reply.end = range.end;
    reply.fields += "Content-Range: bytes " + std::to_string(range.begin) + "-" +
                    std::to_string(range.end - 1) + "/" + std::to_string(bytes) + "\r\n";
  }
  reply.may_go_on = [&connection](const std::function<void(bool)>& answered) {
    AskAgain(connection, answered);
  };
  connection.ReplyWithFile(std::move(reply));
}

}  // namespace

void ServeFile(Connection& connection) {
  connection.Audit(true, access::Reason::kAllowedByRole, connection.match().parameters[0]);
  connection.gateway().custodian.AskForDescriptor(
      OpenFile(connection, false),
      [&connection, life = connection.life()](const Result<rpc::Response>& answer, Fd descriptor) {
        if (life.expired()) return;
        if (const Status refused = Refusal(answer); !refused) return connection.Refuse(refused.error());
        if (!descriptor.valid()) return connection.Refuse(Error::Internal("the custodian gave no file"));
        SendFile(connection, answer->open_file().file(), std::move(descriptor));
      });
}

}  // namespace glasscase::http
