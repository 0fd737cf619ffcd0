#include "compression.h"

#include <algorithm>

#include <zlib.h>

namespace glasscase::http {
namespace {

constexpr int kWindowBits = 15;
constexpr int kGzipWrapper = 16;  // added to the window bits: zlib's manual, deflateInit2

int WindowBits(Coding coding) { return coding == Coding::kGzip ? kWindowBits + kGzipWrapper : kWindowBits; }

}  // namespace

Result<std::string> Decompress(Coding coding, std::string_view data, size_t bytes_max) {
  z_stream stream{};
  GC_CHECK(inflateInit2(&stream, WindowBits(coding)) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));  // zlib does not write to it
  stream.avail_in = static_cast<uInt>(data.size());
  std::string out;
  int outcome = Z_OK;
  while (outcome == Z_OK && out.size() <= bytes_max) {
    const size_t before = out.size();
    out.resize(std::min(bytes_max + 1, std::max<size_t>(4096, before * 2)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    outcome = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (outcome == Z_OK && out.size() == before) outcome = Z_BUF_ERROR;  // no progress: the input is cut
  }
  const size_t left_over = stream.avail_in;
  inflateEnd(&stream);
  if (out.size() > bytes_max) {
    return Fail(
        Error::ResourceExhausted("the body unpacks to more than " + std::to_string(bytes_max) + " bytes"));
  }
  const std::string name = coding == Coding::kGzip ? "gzip" : "deflate";
  if (outcome != Z_STREAM_END)
    return Fail(Error::InvalidArgument("the body is not complete " + name + " data"));
  if (left_over != 0) {
    return Fail(
        Error::InvalidArgument(std::to_string(left_over) + " bytes follow the end of the " + name + " data"));
  }
  return out;
}

std::string Compress(Coding coding, std::string_view data) {
  z_stream stream{};
  GC_CHECK(deflateInit2(&stream, 1, Z_DEFLATED, WindowBits(coding), 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  GC_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace glasscase::http
