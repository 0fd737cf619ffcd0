// A request head and what follows it: parsed piece by piece, routed, unpacked.
#include <glasscase/http/routes.h>

#include "compression.h"
#include "request_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  if (size == 0) return 0;
  const size_t step = data[0] == 0 ? size : data[0];
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  http::RequestHead head;
  std::string body;
  http::RequestReader reader(head, body);
  reader.set_body_bytes_max(4096);
  size_t parsed = 0;
  for (size_t have = std::min(step, bytes.size()); !reader.is_done();) {
    boost::beast::error_code error;
    if (have == parsed && have == bytes.size()) break;
    if (have == parsed) have = std::min(have + step, bytes.size());  // inside a chunk no input is no error
    parsed += reader.put(boost::asio::const_buffer(bytes.data() + parsed, have - parsed), error);
    if (error && error != boost::beast::http::error::need_more) return 0;
    if (error && have == bytes.size()) break;
    if (error) have = std::min(have + step, bytes.size());
    if (reader.is_header_done() && !reader.chunked()) break;
  }
  GC_CHECK(body.size() <= 4096);
  http::RouteMatch match;
  http::FindRoute(http::Method::kPost, std::string_view(head.target).substr(0, head.target.find('?')), match);
  if (!reader.is_header_done()) return 0;
  if (head.content_encoding == http::Coding::kGzip || head.content_encoding == http::Coding::kDeflate) {
    const auto plain =
        http::Decompress(head.content_encoding, std::string_view(bytes).substr(parsed), 65'536);
    if (plain) GC_CHECK(plain->size() <= 65'536);
  }
  return 0;
}
