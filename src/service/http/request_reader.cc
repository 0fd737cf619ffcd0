#include "request_reader.h"

#include <charconv>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>

namespace glasscase::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;

constexpr std::string_view kInferenceHeader = "Inference-Header-Content-Length";
constexpr std::string_view kMethodOverride = "X-HTTP-Method-Override";

Coding CodingFromName(std::string_view name) {
  if (beast::iequals(name, "gzip") || beast::iequals(name, "x-gzip")) return Coding::kGzip;
  if (beast::iequals(name, "deflate")) return Coding::kDeflate;
  if (name.empty() || beast::iequals(name, "identity")) return Coding::kIdentity;
  return Coding::kUnknown;
}

// RFC 9110 section 12.5.3, without weights other than "not acceptable".
void ReadAcceptEncoding(beast::string_view value, RequestHead& head) {
  for (const auto& [name, parameters] : beast::http::ext_list{value}) {
    bool refused = false;
    for (const auto& [key, weight] : parameters) {
      refused |= beast::iequals(key, "q") && weight.find_first_not_of("0.") == beast::string_view::npos;
    }
    if (refused) continue;
    head.accepts_gzip |= beast::iequals(name, "gzip");
    head.accepts_deflate |= beast::iequals(name, "deflate");
  }
}

void ReadAuthorization(std::string_view value, RequestHead& head) {
  ++head.authorization_fields;
  constexpr std::string_view kScheme = "Bearer ";
  if (value.size() > kScheme.size() && beast::iequals(value.substr(0, kScheme.size()), kScheme)) {
    value.remove_prefix(kScheme.size());
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    head.token.assign(value);
  } else {
    head.other_authorization = true;
  }
}

void ReadInferenceHeader(std::string_view value, RequestHead& head) {
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
  const bool repeated = head.inference_header_bytes.has_value();
  if (error != std::errc() || end != value.data() + value.size() || repeated) {
    head.bad_inference_header = true;
    return;
  }
  head.inference_header_bytes = bytes;
}

// Fields that may come several times are one list.
void AppendToList(std::string_view value, std::string& list) {
  if (!list.empty()) list += ", ";
  list += value;
}

}  // namespace

void RequestHead::Clear() {
  method = beast::http::verb::unknown;
  target.clear();
  token.clear();
  other_authorization = false;
  authorization_fields = 0;
  host_fields = 0;
  content_encoding = Coding::kIdentity;
  content_encoding_text.clear();
  accepts_gzip = accepts_deflate = false;
  inference_header_bytes.reset();
  bad_inference_header = false;
  expects_continue = false;
  unknown_transfer_coding = false;
  version = 11;
  for (std::string* text : {&content_type, &range, &if_range, &if_none_match, &method_override})
    text->clear();
  tus.Clear();
}

std::string* TusFields::Find(std::string_view name) {
  const std::pair<std::string_view, std::string*> known[] = {
      {"Tus-Resumable", &resumable},          {"Upload-Offset", &offset}, {"Upload-Length", &length},
      {"Upload-Defer-Length", &defer_length}, {"Upload-Concat", &concat}, {"Upload-Metadata", &metadata},
      {"Upload-Checksum", &checksum}};
  for (const auto& [known_name, text] : known)
    if (beast::iequals(name, known_name)) return text;
  return nullptr;
}

void TusFields::Clear() {
  for (std::string* text :
       {&resumable, &offset, &length, &defer_length, &concat, &metadata, &checksum, &repeated})
    text->clear();
}

RequestReader::RequestReader(RequestHead& head, std::string& chunked_body)
    : head_(head), chunked_body_(chunked_body) {
  header_limit(kHeaderBytesMax);
  body_limit(boost::none);  // limits depend on the route: the connection checks
}

void RequestReader::on_request_impl(beast::http::verb method, StringView, StringView target, int version,
                                    ErrorCode&) {
  head_.method = method;
  head_.target.assign(target.data(), target.size());
  head_.version = static_cast<unsigned>(version);
}

void RequestReader::on_field_impl(field field, StringView name, StringView value, ErrorCode&) {
  switch (field) {
    case field::authorization: ReadAuthorization(value, head_); return;
    case field::host: ++head_.host_fields; return;
    case field::content_encoding:
      // A list of codings is refused like an unknown one.
      head_.content_encoding = head_.content_encoding_text.empty() ? CodingFromName(value) : Coding::kUnknown;
      head_.content_encoding_text.assign(value.data(), value.size());
      return;
    case field::accept_encoding: ReadAcceptEncoding(value, head_); return;
    case field::expect: head_.expects_continue = beast::iequals(value, "100-continue"); return;
    case field::content_type: head_.content_type.assign(value); return;
    case field::range: AppendToList(value, head_.range); return;
    case field::if_range: head_.if_range.assign(value); return;
    case field::if_none_match: AppendToList(value, head_.if_none_match); return;
    case field::transfer_encoding: head_.unknown_transfer_coding |= !beast::iequals(value, "chunked"); return;
    default: break;
  }
  if (name.size() == kInferenceHeader.size() && beast::iequals(name, kInferenceHeader)) {
    ReadInferenceHeader(value, head_);
    return;
  }
  if (beast::iequals(name, kMethodOverride)) {
    head_.method_override.assign(value);
    return;
  }
  std::string* const tus = head_.tus.Find(name);
  if (tus == nullptr) return;
  if (!tus->empty()) head_.tus.repeated.assign(name);
  tus->assign(value);
}

uint64_t RequestReader::body_length() const {
  const auto length = content_length();
  return length ? *length : 0;
}

std::size_t RequestReader::put(boost::asio::const_buffer bytes, ErrorCode& error) {
  if (is_header_done() && chunked() && bytes.size() < kChunkedEndBytes) {
    error = beast::http::error::need_more;
    return 0;
  }
  return basic_parser::put(bytes, error);
}

std::size_t RequestReader::on_body_impl(StringView body, ErrorCode&) {
  return body.size();  // never called: the connection takes bodies of known length itself
}

void RequestReader::on_chunk_header_impl(std::uint64_t, StringView, ErrorCode& error) {
  if (++chunks_ > kChunksMax) error = beast::http::error::buffer_overflow;
}

std::size_t RequestReader::on_chunk_body_impl(std::uint64_t, StringView body, ErrorCode& error) {
  if (chunked_body_.size() + body.size() > body_bytes_max_) {
    error = beast::http::error::body_limit;
    return 0;
  }
  chunked_body_.append(body.data(), body.size());
  return body.size();
}

}  // namespace glasscase::http
