// A key and a certificate that no authority signed. Clients know the server by its key's pin.
#pragma once

#include <string>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct SelfSigned {
  std::string key_pem;
  std::string certificate_pem;
};

// ECDSA P-256; for localhost, the loopback addresses and `host_name`; valid for ten years.
Result<SelfSigned> MakeSelfSigned(const std::string& host_name);

// "sha256//BASE64" of the public key of a PEM certificate (the first in it), as libcurl writes pins.
Result<std::string> PinOfCertificate(const std::string& certificate_pem);

}  // namespace glasscase::commands
