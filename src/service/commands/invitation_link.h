// What `glasscase invite` prints and `glasscase login` reads: URL#gci_...&pin=sha256//...
//
// The credential stands in the fragment, which browsers and proxies neither send nor log.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

namespace glasscase::commands {

struct InvitationLink {
  std::string url;    // without a slash at its end
  Secret credential;  // gci_... or gct_...; empty when the link has none
  std::string pin;    // sha256//BASE64 of the server's public key; empty: a publicly trusted certificate

  // InvalidArgument names the part that is wrong.
  static Result<InvitationLink> Parse(std::string_view text);
};

std::string FormatInvitationLink(std::string_view url, std::string_view invitation, std::string_view pin);

// InvalidArgument unless `url` is http:// or https:// with a host, without user, query or fragment.
Status CheckServerUrl(std::string_view url);
// True for loopback hosts.
bool IsLoopbackUrl(std::string_view url);

}  // namespace glasscase::commands
