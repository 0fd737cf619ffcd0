// Uploads by tus 1.0.0: the fields here, the bytes straight into the custodian's pipe.
#include <glasscase/access/token.h>
#include <glasscase/rpc/link.pb.h>

#include "handlers.h"
#include "proto_json.h"
#include "tus_headers.h"

namespace glasscase::http {
namespace {

using boost::beast::http::verb;

constexpr std::string_view kBytesType = "application/offset+octet-stream";
constexpr char kResumable[] = "Tus-Resumable: 1.0.0\r\n";

rpc::Request NewRequest(const Connection& connection) {
  rpc::Request request;
  const Digest credential = access::CustodianCredential(connection.head().token);
  request.set_credential(credential.data(), credential.size());
  return request;
}

// Refusals on these routes have statuses of the protocol's own.
void RefuseUpload(Connection& connection, const Error& error) {
  Problem problem = ToProblem(error);
  if (error.code() == Code::kOutOfRange) problem.status = 413;
  if (error.code() == Code::kFailedPrecondition) problem.status = 423;
  problem.fields += kResumable;
  connection.Refuse(problem);
}

void RefuseUpload(Connection& connection, unsigned status, std::string detail,
                  const std::string& fields = {}) {
  connection.Refuse(
      {.status = status, .detail = std::move(detail), .fields = kResumable + fields, .close = false});
}

// False when it was refused.
bool SpeaksTus(Connection& connection) {
  const TusFields& tus = connection.head().tus;
  if (!tus.repeated.empty()) {
    RefuseUpload(connection, 400, "the field " + Printable(tus.repeated) + " appears twice");
  } else if (tus.resumable != kTusVersion) {
    RefuseUpload(connection, 412,
                 tus.resumable.empty()
                     ? "uploads speak tus 1.0.0: send \"Tus-Resumable: 1.0.0\""
                     : "only version 1.0.0 of tus is spoken here, not " + Printable(tus.resumable),
                 "Tus-Version: 1.0.0\r\n");
  } else {
    return true;
  }
  return false;
}

bool CarriesBytes(Connection& connection) {
  std::string_view type = connection.head().content_type;
  type = type.substr(0, type.find(';'));
  if (boost::beast::iequals(type, kBytesType)) return true;
  RefuseUpload(connection, 415, "the bytes of an upload are sent as " + std::string(kBytesType));
  return false;
}

std::string FieldsOf(const rpc::UploadInfo& upload) {
  std::string fields = kResumable;
  fields += "Upload-Offset: " + std::to_string(upload.offset()) + "\r\n";
  fields += "Upload-Length: " + std::to_string(upload.bytes()) + "\r\n";
  if (!upload.metadata().empty()) fields += "Upload-Metadata: " + upload.metadata() + "\r\n";
  fields += "Upload-Expires: " + HttpDateOf(upload.expires_at()) + "\r\n";
  return fields;
}

// Asks, refuses what is refused, and hands on the rest.
void Ask(Connection& connection, rpc::Request request,
         std::function<void(const rpc::Response&, Fd descriptor)> then) {
  connection.gateway().custodian.AskForDescriptor(
      std::move(request), [&connection, life = connection.life(), then = std::move(then)](
                              const Result<rpc::Response>& answer, Fd descriptor) {
        if (life.expired()) return;
        if (!answer) return RefuseUpload(connection, answer.error());
        if (answer->code() != 0)
          return RefuseUpload(connection, Error(static_cast<Code>(answer->code()), answer->message()));
        then(*answer, std::move(descriptor));
      });
}

// What every answer to bytes needs.
struct Write {
  std::string upload;
  uint64_t offset = 0;
  std::optional<UploadChecksum> checksum;
  unsigned success = 204;
  std::string fields;  // of the answer, beside the usual ones
};

void AnswerWrite(Connection& connection, const Write& write, const rpc::UploadReceipt& receipt,
                 uint64_t sent) {
  connection.Audit(true, access::Reason::kAllowedByRole, write.upload);
  const std::string offset = "Upload-Offset: " + std::to_string(receipt.upload().offset()) + "\r\n";
  if (receipt.checksum_mismatch())
    return RefuseUpload(
        connection, 460,
        "what arrived is not what was announced (its checksum differs), and was not kept; send it "
        "again from offset " +
            std::to_string(receipt.upload().offset()),
        offset);
  if (sent < connection.body_length())
    return RefuseUpload(connection, 503,
                        "the custodian ended the upload before all of it was there; go on from "
                        "the offset that a HEAD request gives",
                        "Retry-After: 1\r\n");
  connection.Reply(write.success, "application/json",
                   write.success == 201 ? MessageToJson(receipt.upload()) : std::string(),
                   FieldsOf(receipt.upload()) + write.fields);
}

void WriteBytes(Connection& connection, Write write) {
  rpc::Request request = NewRequest(connection);
  rpc::ReceiveUploadRequest& receive = *request.mutable_receive_upload();
  receive.set_upload(write.upload);
  receive.set_offset(static_cast<int64_t>(write.offset));
  receive.set_bytes(static_cast<int64_t>(connection.body_length()));
  if (write.checksum) {
    receive.set_checksum_algorithm(write.checksum->algorithm);
    receive.set_checksum(write.checksum->digest.data(), write.checksum->digest.size());
  }
  Ask(connection, std::move(request), [&connection, write = std::move(write)](const rpc::Response&, Fd pipe) {
    if (!pipe.valid()) return RefuseUpload(connection, Error::Internal("the custodian gave no pipe"));
    connection.PipeBody(std::move(pipe), [&connection, write](uint64_t sent) {
      rpc::Request await = NewRequest(connection);
      await.mutable_await_upload()->set_upload(write.upload);
      Ask(connection, std::move(await), [&connection, write, sent](const rpc::Response& answer, const Fd&) {
        AnswerWrite(connection, write, answer.upload_receipt(), sent);
      });
    });
  });
}

// False when it was refused.
bool ReadChecksum(Connection& connection, std::optional<UploadChecksum>& checksum) {
  if (connection.head().tus.checksum.empty()) return true;
  auto parsed = ParseUploadChecksum(connection.head().tus.checksum);
  if (!parsed) {
    RefuseUpload(connection, parsed.error());
    return false;
  }
  checksum = std::move(*parsed);
  return true;
}

// What a new upload is to be; InvalidArgument names the field that is wrong.
Status ReadCreation(const TusFields& tus, rpc::CreateUploadRequest& create) {
  if (!tus.defer_length.empty())
    return Fail(Error::InvalidArgument("Upload-Defer-Length is not offered: say Upload-Length at once"));
  if (!tus.concat.empty())
    return Fail(Error::InvalidArgument("Upload-Concat is not offered: send the file in one upload"));
  GC_TRY(const uint64_t length, ParseUploadNumber("Upload-Length", tus.length));
  if (length > kUploadBytesMax)
    return Fail(Error::OutOfRange("Upload-Length: at most " + std::to_string(kUploadBytesMax) +
                                  " bytes, not " + std::to_string(length)));
  GC_TRY(const auto sha256, FindUploadMetadata(tus.metadata, "sha256"));
  create.set_bytes(static_cast<int64_t>(length));
  create.set_metadata(tus.metadata);
  if (sha256) create.set_sha256(*sha256);
  if (sha256 && !DigestFromHex(*sha256))
    return Fail(Error::InvalidArgument("Upload-Metadata: sha256 must be 64 hexadecimal digits"));
  return Ok();
}

}  // namespace

void ServeUploadOptions(Connection& connection) {
  connection.Reply(204, "", "",
                   std::string(kResumable) +
                       "Tus-Version: 1.0.0\r\nTus-Max-Size: " + std::to_string(kUploadBytesMax) +
                       "\r\nTus-Extension: creation,creation-with-upload,expiration,termination,checksum"
                       "\r\nTus-Checksum-Algorithm: sha256,sha1\r\n");
}

void ServeCreateUpload(Connection& connection) {
  if (!SpeaksTus(connection)) return;
  if (connection.body_length() > 0 && !CarriesBytes(connection)) return;
  rpc::Request request = NewRequest(connection);
  const Status read = ReadCreation(connection.head().tus, *request.mutable_create_upload());
  if (!read) return RefuseUpload(connection, read.error());
  Write first{.upload = {}, .offset = 0, .checksum = {}, .success = 201, .fields = {}};
  if (!ReadChecksum(connection, first.checksum)) return;
  if (connection.body_length() > static_cast<uint64_t>(request.create_upload().bytes()))
    return RefuseUpload(connection, 413, "the body has more bytes than Upload-Length says");
  connection.Audit(true, access::Reason::kAllowedByRole, "");
  Ask(connection, std::move(request), [&connection, first](const rpc::Response& answer, const Fd&) mutable {
    const rpc::UploadInfo& upload = answer.upload();
    first.upload = upload.id();
    first.fields = "Location: /glasscase/v1/uploads/" + upload.id() + "\r\n";
    if (connection.body_length() > 0) return WriteBytes(connection, std::move(first));
    connection.Reply(201, "application/json", MessageToJson(upload), FieldsOf(upload) + first.fields);
  });
}

void ServeWriteUpload(Connection& connection) {
  if (!SpeaksTus(connection) || !CarriesBytes(connection)) return;
  Write write{.upload = connection.match().parameters[0], .offset = 0, .checksum = {}, .fields = {}};
  const auto offset = ParseUploadNumber("Upload-Offset", connection.head().tus.offset);
  if (!offset) return RefuseUpload(connection, offset.error());
  write.offset = *offset;
  if (!ReadChecksum(connection, write.checksum)) return;
  WriteBytes(connection, std::move(write));
}

// HEAD is the protocol's question for the offset; GET is ours, and needs none of its fields.
void ServeShowUpload(Connection& connection) {
  if (connection.head().method == verb::head && !SpeaksTus(connection)) return;
  rpc::Request request = NewRequest(connection);
  request.mutable_show_upload()->set_upload(connection.match().parameters[0]);
  Ask(connection, std::move(request), [&connection](const rpc::Response& answer, const Fd&) {
    connection.Reply(200, "application/json", MessageToJson(answer.upload()), FieldsOf(answer.upload()));
  });
}

void ServeDropUpload(Connection& connection) {
  if (!SpeaksTus(connection)) return;
  rpc::Request request = NewRequest(connection);
  request.mutable_drop_upload()->set_upload(connection.match().parameters[0]);
  connection.Audit(true, access::Reason::kAllowedByRole, connection.match().parameters[0]);
  Ask(connection, std::move(request),
      [&connection](const rpc::Response&, const Fd&) { connection.Reply(204, "", "", kResumable); });
}

}  // namespace glasscase::http
