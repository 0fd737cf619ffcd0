#include "http_client.h"

#include <curl/curl.h>

#include <array>

#include "interrupt.h"
#include "invitation_link.h"

namespace glasscase::commands {
namespace {

constexpr size_t kAnswerBytesMax = size_t{1} << 30;  // a server must not fill the caller's memory without end

struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void Add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

// Where the body of an answer goes.
struct BodyTarget {
  CURL* curl;
  const HttpRequest& request;
  std::string& body;
};

size_t TakeBody(const char* data, size_t size, size_t count, void* opaque) {
  const auto& target = *static_cast<BodyTarget*>(opaque);
  const size_t bytes = size * count;
  long status = 0;
  curl_easy_getinfo(target.curl, CURLINFO_RESPONSE_CODE, &status);
  if (target.request.take_body && status < 300) return target.request.take_body({data, bytes}) ? bytes : 0;
  if (target.body.size() + bytes > kAnswerBytesMax) return 0;
  target.body.append(data, bytes);
  return bytes;
}

size_t ReadFromSource(char* buffer, size_t size, size_t count, void* source) {
  return (*static_cast<const std::function<size_t(char*, size_t)>*>(source))(buffer, size * count);
}

int OnProgress(void* request, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& while_waiting = static_cast<const HttpRequest*>(request)->while_waiting;
  if (while_waiting) while_waiting();
  return Interrupted() ? 1 : 0;
}

std::string HeaderOf(CURL* curl, const char* name) {
  curl_header* header = nullptr;
  return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : "";
}

}  // namespace

HttpClient::HttpClient(std::string pin) : pin_(std::move(pin)), curl_(nullptr) {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  GC_CHECK(kStarted == CURLE_OK);
  curl_ = curl_easy_init();
  GC_CHECK(curl_ != nullptr);
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

void HttpClient::Prepare(const HttpRequest& request) {
  CURL* curl = curl_;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // a redirect must not carry the token elsewhere
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(request.timeout_seconds));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "glasscase");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, TakeBody);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 262144L);
  if (request.stall_seconds > 0) {
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_seconds));
  }
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &request);
  if (IsLoopbackUrl(request.url)) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  if (!pin_.empty()) {
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin_.c_str());
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.read_body) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, ReadFromSource);
    curl_easy_setopt(curl, CURLOPT_READDATA, &request.read_body);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.read_body_bytes));
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1048576L);
  } else if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" && request.method != "DELETE") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
}

Error HttpClient::Explain(int code, const std::string& url, const char* detail) const {
  const std::string server = url.substr(0, url.find('/', url.find("://") + 3));
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK: return {Code::kCancelled, "interrupted"};
    case CURLE_COULDNT_CONNECT:
      return Error::Unavailable("nothing answers at " + server +
                                ": is it running? start it with: glasscase serve");
    case CURLE_COULDNT_RESOLVE_HOST: return Error::Unavailable("there is no such host: " + server);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return Error::Unavailable("the server at " + server +
                                " does not hold the key that this profile expects (" + pin_ +
                                "): someone may be in between. If its certificate was replaced, log in again "
                                "with a new invitation");
    case CURLE_PEER_FAILED_VERIFICATION:
      return Error::Unavailable(
          "the certificate of " + server + " is not trusted here (" + detail +
          "). For a self-signed one, log in with an invitation, which carries the key's pin");
    case CURLE_OPERATION_TIMEDOUT: return Error::Unavailable("no answer in time from " + server);
    case CURLE_WRITE_ERROR: return Error::Unavailable("the answer of " + server + " is over 1 GiB");
    default: break;
  }
  return Error::Unavailable("no answer from " + server + ": " +
                            (*detail != '\0' ? detail : curl_easy_strerror(static_cast<CURLcode>(code))));
}

Result<HttpAnswer> HttpClient::Send(const HttpRequest& request) {
  HttpAnswer answer;
  Prepare(request);
  BodyTarget target{.curl = curl_, .request = request, .body = answer.body};
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &target);
  HeaderList headers;
  if (request.token != nullptr && !request.token->empty()) {
    headers.Add("Authorization: Bearer " + std::string(request.token->Reveal(RevealToken())));
  }
  headers.Add(request.content_type.empty() ? "Content-Type:" : "Content-Type: " + request.content_type);
  for (const std::string& field : request.fields) headers.Add(field);
  headers.Add("Expect:");  // no round trip before each body
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, detail.data());
  const CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer.status);
  // A server that refuses an upload early closes before all of it is sent; its answer counts all the same.
  const bool answered_early = (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) && answer.status >= 400;
  if (code != CURLE_OK && !answered_early) return Fail(Explain(code, request.url, detail.data()));
  answer.content_type = HeaderOf(curl_, "Content-Type");
  answer.retry_after = HeaderOf(curl_, "Retry-After");
  answer.location = HeaderOf(curl_, "Location");
  answer.upload_offset = HeaderOf(curl_, "Upload-Offset");
  return answer;
}

}  // namespace glasscase::commands
