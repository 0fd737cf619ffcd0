// A signature that somebody hands over with files: is it of these files, and by the key that they say?
#pragma once

#include <span>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::inspector {

// Before the lock-down: makes OpenSSL read what it reads when it meets the first key of each kind.
Status WarmUpSignatures();

// OpenSSF model signing with a key (custody/provenance). Digests are those of the job; where the signature is
// of parts of files, their bytes are read. InvalidArgument says what is wrong.
Status CheckSignature(const rpc::InspectJob& job, std::span<const Fd> fds);

}  // namespace glasscase::inspector
