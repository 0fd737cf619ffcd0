#include <glasscase/fetch/fetch.h>

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include <curl/curl.h>

namespace glasscase::fetch {
namespace {

constexpr size_t kAnswerHeaderBytesMax = 64 * 1024;

struct EndsEasyHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct EndsUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct EndsText {
  void operator()(char* text) const { curl_free(text); }
};
struct EndsLineList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EndsEasyHandle>;
using LineList = std::unique_ptr<curl_slist, EndsLineList>;

std::string PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, EndsText> owned(text);
  return text;
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) || kSpecial.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// A line break in a value would let whoever chose it write headers of their own.
Status CheckHeader(const Header& header) {
  const bool clean =
      std::ranges::none_of(header.value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  if (!IsToken(header.name) || !clean)
    return Fail(Error::InvalidArgument("this header cannot be sent: " + Printable(header.name)));
  return Ok();
}

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// One exchange, as the callbacks of libcurl see it.
struct Exchange {
  const Request& request;
  CURL* handle;
  std::string host;
  Answer answer{};
  uint64_t body_bytes = 0;
  size_t header_bytes = 0;
  bool head_is_whole = false;
  uint64_t pulled_bytes = 0;
  std::optional<Error> refused{};  // why a callback ended the exchange

  // Gives what libcurl takes for "stop".
  template <typename Value>
  Value Refuse(Error error, Value stop) {
    if (!refused) refused = std::move(error);
    return stop;
  }
};

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.header_bytes += size;
  if (exchange.header_bytes > kAnswerHeaderBytesMax)
    return exchange.Refuse(
        Error::ResourceExhausted(exchange.host + " sent more than " + std::to_string(kAnswerHeaderBytesMax) +
                                 " bytes of headers"),
        size_t{0});
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) {  // a new head: what came before it was informational (1xx)
    exchange.answer.headers.clear();
    exchange.head_is_whole = false;
    return size;
  }
  if (line == "\r\n" || line == "\n") exchange.head_is_whole = true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name = Trimmed(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  exchange.answer.headers.push_back({.name = std::move(name), .value = Trimmed(line.substr(colon + 1))});
  return size;
}

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.body_bytes += size;
  if (exchange.body_bytes > exchange.request.answer_bytes_max)
    return exchange.Refuse(
        Error::ResourceExhausted("the answer of " + exchange.host + " is longer than " +
                                 std::to_string(exchange.request.answer_bytes_max) + " bytes"),
        size_t{0});
  long status = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  const std::string_view piece(data, size);
  if (!exchange.request.sink || status < 200 || status > 299) {
    exchange.answer.body += piece;
    return size;
  }
  if (auto taken = exchange.request.sink(AsBytes(piece)); !taken)
    return exchange.Refuse(std::move(taken.error()), size_t{0});
  return size;
}

size_t OnPull(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const StreamedBody& body = *exchange.request.streamed;
  const size_t room = static_cast<size_t>(std::min<uint64_t>(size, body.bytes - exchange.pulled_bytes));
  if (room == 0) return 0;
  auto given = body.pull({reinterpret_cast<uint8_t*>(data), room});
  if (!given) return exchange.Refuse(std::move(given.error()), size_t{CURL_READFUNC_ABORT});
  if (*given == 0 || *given > room)
    return exchange.Refuse(Error::Internal("a body of " + std::to_string(body.bytes) + " bytes ended after " +
                                           std::to_string(exchange.pulled_bytes)),
                           size_t{CURL_READFUNC_ABORT});
  exchange.pulled_bytes += *given;
  return *given;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (!exchange.request.stop.stop_requested()) return 0;
  return exchange.Refuse(Error(Code::kCancelled, "the exchange with " + exchange.host + " was stopped"), 1);
}

void Append(LineList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  GC_CHECK(longer != nullptr);
  (void)list.release();
  list.reset(longer);
}

bool IsContentType(const Header& header) { return curl_strequal(header.name.c_str(), "content-type") != 0; }

Result<LineList> MakeHeaderLines(const Request& request) {
  LineList list;
  const auto add = [&list](const std::string& line) { Append(list, line); };
  // A name alone takes libcurl's own header away: it would wait a second for servers that do not know
  // "100 Continue", and call every body a form. Not in signed requests, where it signs what it takes away.
  if (!request.sign_with) {
    add("Expect:");
    if (std::ranges::none_of(request.headers, IsContentType)) add("Content-Type:");
  }
  for (const Header& header : request.headers) {
    GC_TRY_VOID(CheckHeader(header));
    // libcurl's way to say a header without a value.
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  return list;
}

LineList ResolvedList(const std::vector<ResolvedHost>& resolved) {
  LineList list;
  for (const ResolvedHost& one : resolved) {
    const bool is_v6 = one.address.find(':') != std::string::npos;
    const bool host_is_v6 = one.host.find(':') != std::string::npos;
    Append(list, (host_is_v6 ? "[" + one.host + "]" : one.host) + ":" + std::to_string(one.port) + ":" +
                     (is_v6 ? "[" + one.address + "]" : one.address) + ":" +
                     std::to_string(one.connect_port != 0 ? one.connect_port : one.port));
  }
  return list;
}

void SetBody(CURL* handle, const Request& request, Exchange& exchange) {
  if (request.streamed) {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, OnPull);
    curl_easy_setopt(handle, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.streamed->bytes));
    curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.empty() ? "" : AsText(request.body).data());
  } else if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void SetLimits(CURL* handle, const Request& request, const FetcherOptions& options) {
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout_ms));
  if (request.stall_timeout_ms > 0) {
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>((request.stall_timeout_ms + 999) / 1000));
  }
}

curl_blob BlobOf(std::string_view text) {
  return {.data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
}

void SetCertificates(CURL* handle, const FetcherOptions& options) {
  if (!options.ca_pem.empty()) {
    const curl_blob authorities = BlobOf(options.ca_pem);
    curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &authorities);
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  if (options.certificate_pem.empty() || !options.key_pem) return;
  const curl_blob certificate = BlobOf(options.certificate_pem);
  const curl_blob key = BlobOf(options.key_pem->Reveal(RevealToken()));
  curl_easy_setopt(handle, CURLOPT_SSLCERTTYPE, "PEM");
  curl_easy_setopt(handle, CURLOPT_SSLCERT_BLOB, &certificate);
  curl_easy_setopt(handle, CURLOPT_SSLKEYTYPE, "PEM");
  curl_easy_setopt(handle, CURLOPT_SSLKEY_BLOB, &key);
}

void SetSignature(CURL* handle, const SigV4Credentials& credentials) {
  const std::string provider = "aws:amz:" + credentials.region + ":" + credentials.service;
  curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, provider.c_str());
  curl_easy_setopt(handle, CURLOPT_USERNAME, credentials.access_key.c_str());
  // libcurl keeps a copy of its own until the handle is reset, at the end of the exchange.
  std::string key(credentials.secret_key.Reveal(RevealToken()));
  curl_easy_setopt(handle, CURLOPT_PASSWORD, key.c_str());
  WipeMemory(key.data(), key.size());
}

Error ErrorOf(CURLcode code, const Exchange& exchange, const char* detail) {
  const std::string why = Printable(*detail != '\0' ? detail : curl_easy_strerror(code), 200);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t connected_after = 0;
      curl_easy_getinfo(exchange.handle, CURLINFO_CONNECT_TIME_T, &connected_after);
      if (connected_after == 0) return Error::Unavailable("no connection to " + exchange.host + ": " + why);
      return Error::DeadlineExceeded(exchange.host + " is too slow: " + why);
    }
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return Error::FailedPrecondition("the certificate of " + exchange.host +
                                       " is not trusted; configure its authority: " + why);
    case CURLE_SSL_CERTPROBLEM:
      return Error::FailedPrecondition("the certificate and key to show to " + exchange.host +
                                       " cannot be used: " + why);
    case CURLE_URL_MALFORMAT: return Error::InvalidArgument("not a URL that can be asked: " + exchange.host);
    case CURLE_UNSUPPORTED_PROTOCOL:  // also what libcurl makes of an answer without an HTTP head
    case CURLE_WEIRD_SERVER_REPLY: return Error::Unavailable(exchange.host + " does not speak HTTP: " + why);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return Error::Unavailable("no connection to " + exchange.host + ": " + why);
    default: return Error::Unavailable("the exchange with " + exchange.host + " broke: " + why);
  }
}

}  // namespace

std::string_view Answer::HeaderOf(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &Header::name);
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

namespace {

using ParsedUrl = std::unique_ptr<CURLU, EndsUrl>;

Result<ParsedUrl> ParseUrl(std::string_view url) {
  ParsedUrl parsed(curl_url());
  GC_CHECK(parsed != nullptr);
  const std::string text(url);
  if (text.size() != std::string_view(text.c_str()).size() ||
      curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    return Fail(Error::InvalidArgument("not a URL; one looks like https://node.example:8545"));
  const std::string scheme = PartOf(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    return Fail(Error::InvalidArgument("only http and https URLs can be asked, not " + Printable(scheme)));
  if (!PartOf(parsed.get(), CURLUPART_USER).empty() || !PartOf(parsed.get(), CURLUPART_PASSWORD).empty())
    return Fail(Error::InvalidArgument("a URL must not hold a user name or password: give them as a header"));
  return parsed;
}

bool IsThisMachine(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
  return ::strcasecmp(host.c_str(), "localhost") == 0 || host == "[::1]";
}

}  // namespace

Result<std::string> HostOf(std::string_view url) {
  GC_TRY(const ParsedUrl parsed, ParseUrl(url));
  return PartOf(parsed.get(), CURLUPART_HOST) + ":" +
         PartOf(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

Result<bool> IsConfidential(std::string_view url) {
  GC_TRY(const ParsedUrl parsed, ParseUrl(url));
  return PartOf(parsed.get(), CURLUPART_SCHEME) == "https" ||
         IsThisMachine(PartOf(parsed.get(), CURLUPART_HOST));
}

struct Fetcher::State {
  FetcherOptions options;
  EasyHandle handle;
};

Fetcher::Fetcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Fetcher::~Fetcher() = default;

Result<std::unique_ptr<Fetcher>> Fetcher::Create(FetcherOptions options) {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted != CURLE_OK)
    return Fail(Error::Internal(std::string("libcurl does not start: ") + curl_easy_strerror(kStarted)));
  EasyHandle handle(curl_easy_init());
  if (!handle) return Fail(Error::ResourceExhausted("libcurl has no memory for a connection"));
  auto state = std::make_unique<State>(State{.options = std::move(options), .handle = std::move(handle)});
  return std::unique_ptr<Fetcher>(new Fetcher(std::move(state)));
}

Result<Answer> Fetcher::Fetch(const Request& request) {
  GC_TRY(const std::string host, HostOf(request.url));
  if (!IsToken(request.method))
    return Fail(Error::InvalidArgument("not an HTTP method: " + Printable(request.method)));
  GC_TRY(const LineList headers, MakeHeaderLines(request));

  const LineList resolved = ResolvedList(state_->options.resolved);

  CURL* const handle = state_->handle.get();
  curl_easy_reset(handle);  // keeps the connection
  Exchange exchange{.request = request, .handle = handle, .host = host};
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");  // an empty one: the environment is not asked
  curl_easy_setopt(handle, CURLOPT_NETRC, CURL_NETRC_IGNORED);
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "glasscase");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  SetCertificates(handle, state_->options);
  curl_easy_setopt(handle, CURLOPT_CONNECT_TO, resolved.get());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &exchange);
  SetBody(handle, request, exchange);
  SetLimits(handle, request, state_->options);
  if (request.sign_with) SetSignature(handle, *request.sign_with);

  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  std::optional<Error> error = std::move(exchange.refused);
  if (!error && code != CURLE_OK) error = ErrorOf(code, exchange, detail);
  if (!error && !exchange.head_is_whole)  // which libcurl lets pass
    error = Error::Unavailable("the answer of " + host + " ended within its head");
  curl_easy_reset(handle);  // drops the copy of a secret key, and the pointers to what ends here
  if (error) return Fail(*std::move(error));
  exchange.answer.status = static_cast<int>(status);
  return std::move(exchange.answer);
}

}  // namespace glasscase::fetch
