// What each route does, once the request is whole and its caller known. Each handler replies to the
// connection exactly once, now or later.
#pragma once

#include "connection.h"

namespace glasscase::http {

void ServeRequest(Connection& connection);

// The Open Inference Protocol (oip_handlers.cc).
void ServeServerMetadata(Connection& connection);
void ServeModelMetadata(Connection& connection);
void ServeModelReady(Connection& connection);
void ServeRepositoryIndex(Connection& connection);
void ServeInfer(Connection& connection);  // infer_handler.cc

// Refuses a call that DecideCall refused. A model that does not exist and one without a grant get the same
// answer, whatever `verdict` says.
void RefuseCall(Connection& connection, const access::CallVerdict& verdict, std::string_view model,
                std::string_view version);
// The model and version that the path names, decided; nullopt when the request was refused here.
std::optional<access::CallVerdict> DecidePath(Connection& connection);

// Acts of the custodian (control_handler.cc).
void ServeControlAct(Connection& connection);
// Uploads (upload_handler.cc). Creating and writing are served before their body is read.
void ServeUploadOptions(Connection& connection);
void ServeCreateUpload(Connection& connection);
void ServeShowUpload(Connection& connection);
void ServeWriteUpload(Connection& connection);
void ServeDropUpload(Connection& connection);

// A file of a version (file_handler.cc).
void ServeFile(Connection& connection);

// Files of the ledger's log: the custodian's answer as it is.
void ServeLogFile(Connection& connection);

// The page at "/" (page.cc).
void ServePage(Connection& connection);

}  // namespace glasscase::http
