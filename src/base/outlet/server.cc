#include <glasscase/outlet/server.h>

#include <charconv>

#include <glasscase/core/bytes.h>

namespace glasscase::outlet {
namespace {

Error NotAServer(std::string_view text) {
  return Error::InvalidArgument("not a server: \"" + Printable(text, 100) +
                                "\"; one looks like db.example:5432 or [2001:db8::1]:5432");
}

bool IsHost(std::string_view host, bool in_brackets) {
  if (host.empty() || host.size() > 255) return false;
  for (const char c : host) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '.' && c != '-' && c != '_' && !(in_brackets && (c == ':' || c == '%'))) return false;
  }
  return true;
}

Result<uint16_t> PortFrom(std::string_view digits, std::string_view whole) {
  uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || port == 0)
    return Fail(NotAServer(whole));
  return port;
}

uint16_t DefaultPort(std::string_view scheme) {
  if (scheme == "http") return 80;
  if (scheme == "https") return 443;
  if (scheme == "postgres" || scheme == "postgresql") return 5432;
  return 0;
}

std::string WithoutPercents(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto escaped =
        text[i] == '%' && i + 2 < text.size() ? FromHex(text.substr(i + 1, 2)) : Result<Bytes>(Bytes{});
    const bool is_escape = escaped && escaped->size() == 1;
    plain += is_escape ? static_cast<char>(escaped->front()) : text[i];
    if (is_escape) i += 2;
  }
  return plain;
}

// Splits "host", "host:port", "[v6]" and "[v6]:port"; without a port it is `port_otherwise`.
Result<Server> FromAuthority(std::string_view text, uint16_t port_otherwise) {
  Server server{.host = {}, .port = port_otherwise};
  std::string_view rest = text;
  const bool in_brackets = text.starts_with('[');
  if (in_brackets) {
    const size_t end = text.find(']');
    if (end == text.npos) return Fail(NotAServer(text));
    server.host = std::string(text.substr(1, end - 1));
    rest = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    server.host = std::string(text.substr(0, colon));
    rest = colon == text.npos ? std::string_view() : text.substr(colon);
  }
  if (!IsHost(server.host, in_brackets)) return Fail(NotAServer(text));
  if (rest.empty() && server.port != 0) return server;
  if (!rest.starts_with(':')) return Fail(NotAServer(text));
  GC_TRY(server.port, PortFrom(rest.substr(1), text));
  return server;
}

}  // namespace

Result<Server> Server::Parse(std::string_view text) { return FromAuthority(text, 0); }

Result<Server> Server::OfUrl(std::string_view url) {
  const size_t colon = url.find("://");
  const std::string_view scheme = url.substr(0, colon == url.npos ? 0 : colon);
  if (scheme == "s3") {
    const std::string endpoint = UrlParameter(url, "endpoint");
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
      return Fail(Error::InvalidArgument(
          "an s3 URL says which server by its endpoint: s3://BUCKET/PREFIX?endpoint=https://s3.example"));
    return OfUrl(endpoint);
  }
  const uint16_t port = DefaultPort(scheme);
  if (port == 0)
    return Fail(
        Error::InvalidArgument("not the URL of a server that can be asked (http, https, postgresql "
                               "or s3): scheme \"" +
                               Printable(scheme, 20) + "\""));
  std::string_view authority = url.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const size_t at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  if (authority.empty())
    return Fail(
        Error::InvalidArgument("the URL names no host; a socket in a folder cannot be reached: "
                               "give the server's host and port"));
  return FromAuthority(authority, port);
}

std::string Server::ToString() const {
  const bool is_v6 = host.find(':') != host.npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string UrlParameter(std::string_view url, std::string_view name) {
  const size_t question = url.find('?');
  std::string_view rest = question == url.npos ? std::string_view() : url.substr(question + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && equals != pair.npos)
      return WithoutPercents(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace glasscase::outlet
