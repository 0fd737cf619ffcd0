#include "invitation_link.h"

#include <glasscase/core/bytes.h>

namespace glasscase::commands {
namespace {

std::string_view Authority(std::string_view url) {
  const size_t begin = url.find("://");
  if (begin == std::string_view::npos) return {};
  url.remove_prefix(begin + 3);
  return url.substr(0, url.find('/'));
}

Status ReadPart(std::string_view part, InvitationLink& link) {
  if (part.starts_with("gci_") || part.starts_with("gct_")) {
    link.credential = Secret(std::string(part));
    return Ok();
  }
  if (part.starts_with("pin=sha256//") && FromBase64(part.substr(12)) &&
      FromBase64(part.substr(12))->size() == 32) {
    link.pin = part.substr(4);
    return Ok();
  }
  // The part is not quoted: it may be a credential with a slip in it.
  return Fail(
      Error::InvalidArgument("after # an invitation (gci_...) and, joined by &, pin=sha256//... are "
                             "expected; was the line copied whole and "
                             "in quotes?"));
}

}  // namespace

Result<InvitationLink> InvitationLink::Parse(std::string_view text) {
  InvitationLink link;
  const size_t hash = text.find('#');
  std::string_view url = text.substr(0, hash);
  while (url.ends_with('/')) url.remove_suffix(1);
  GC_TRY_VOID(CheckServerUrl(url));
  link.url = url;
  if (hash == std::string_view::npos) return link;
  std::string_view rest = text.substr(hash + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    GC_TRY_VOID(ReadPart(rest.substr(0, end), link));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return link;
}

std::string FormatInvitationLink(std::string_view url, std::string_view invitation, std::string_view pin) {
  std::string link = std::string(url) + "#" + std::string(invitation);
  if (!pin.empty()) link += "&pin=" + std::string(pin);
  return link;
}

Status CheckServerUrl(std::string_view url) {
  const bool scheme = url.starts_with("http://") || url.starts_with("https://");
  const std::string_view authority = Authority(url);
  const bool plain = url.find_first_of("?# \t\r\n@\\") == std::string_view::npos;
  if (scheme && plain && !authority.empty() && authority.front() != ':') return Ok();
  return Fail(Error::InvalidArgument(
      "a server's address is written http://HOST:PORT or https://HOST[:PORT]: " + Printable(url)));
}

bool IsLoopbackUrl(std::string_view url) {
  std::string_view host = Authority(url);
  if (host.starts_with("[")) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  if (host == "localhost") return true;
  const bool numeric = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return numeric && host.starts_with("127.");
}

}  // namespace glasscase::commands
