// Reads request heads with Beast's parser, keeping only the fields that the edge acts on. Bodies of known
// length are taken from the buffer by the connection; chunked ones are put together here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

namespace glasscase::http {

enum class Coding : uint8_t { kIdentity, kGzip, kDeflate, kUnknown };

// Fields of uploads (tus 1.0.0), as they came; empty when they did not.
struct TusFields {
  std::string resumable;
  std::string offset;
  std::string length;
  std::string defer_length;
  std::string concat;
  std::string metadata;
  std::string checksum;
  std::string repeated;  // the name of one that came twice

  // The field of that name; null for others.
  std::string* Find(std::string_view name);
  void Clear();
};

// What is kept of a request's head. Strings keep their capacity from request to request.
struct RequestHead {
  boost::beast::http::verb method = boost::beast::http::verb::unknown;
  std::string target;
  std::string token;                 // of "Authorization: Bearer ..."; empty when there is none
  bool other_authorization = false;  // an Authorization field of another scheme
  uint32_t authorization_fields = 0;
  uint32_t host_fields = 0;
  Coding content_encoding = Coding::kIdentity;
  std::string content_encoding_text;
  bool accepts_gzip = false;
  bool accepts_deflate = false;
  std::optional<uint64_t> inference_header_bytes;
  bool bad_inference_header = false;
  bool expects_continue = false;
  bool unknown_transfer_coding = false;
  unsigned version = 11;
  std::string content_type;
  std::string range;
  std::string if_range;
  std::string if_none_match;
  std::string method_override;
  TusFields tus;

  void Clear();
};

class RequestReader final : public boost::beast::http::basic_parser<true> {
 public:
  using ErrorCode = boost::beast::error_code;

  // `head` and `chunked_body` outlive the reader. A chunked body longer than `body_bytes_max()` or with
  // more than kChunksMax chunks ends with an error.
  RequestReader(RequestHead& head, std::string& chunked_body);

  static constexpr uint32_t kHeaderBytesMax = 16 * 1024;
  static constexpr uint32_t kChunksMax = 16 * 1024;
  void set_body_bytes_max(uint64_t bytes) { body_bytes_max_ = bytes; }
  bool too_many_chunks() const { return chunks_ > kChunksMax; }
  // As Content-Length says; 0 without one.
  uint64_t body_length() const;

  // As Beast's, but inside a chunked body fewer bytes than every such body ends with are always too few:
  // Beast takes it for granted that the rest of a last chunk ("0\r\n" and then "\r") comes with at least
  // these.
  std::size_t put(boost::asio::const_buffer bytes, ErrorCode& error);

 private:
  static constexpr size_t kChunkedEndBytes = 5;  // "0\r\n\r\n"

  using StringView = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb method, StringView method_text, StringView target,
                       int version, ErrorCode& error) override;
  void on_response_impl(int, StringView, int, ErrorCode&) override {}
  void on_field_impl(boost::beast::http::field field, StringView name, StringView value,
                     ErrorCode& error) override;
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode&) override {}
  std::size_t on_body_impl(StringView body, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t size, StringView extensions, ErrorCode& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, StringView body, ErrorCode& error) override;
  void on_finish_impl(ErrorCode&) override {}

  RequestHead& head_;
  std::string& chunked_body_;
  uint64_t body_bytes_max_ = 0;
  uint32_t chunks_ = 0;
};

}  // namespace glasscase::http
